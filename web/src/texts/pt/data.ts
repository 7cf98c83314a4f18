import type { Texts } from "..";

export const data: Texts["data"] = {
  time: "Horário",
  variable: "Variável",
  value: "Valor",
  location: "Localização",
  chartLabel: (variable: string, n: number, last: string, min: string, max: string) =>
    `${variable}: os últimos ${n} pontos. Mais recente ${last}, mínimo ${min}, máximo ${max}.`,
  chartLoading: "Carregando o gráfico",
  range: (min: string, max: string) => `${min} a ${max}`,
  noNumbers: "Nenhum dos últimos pontos é um número, então não há o que desenhar.",
  moreCharts: (n: number) => `Mostrar mais ${n}`,
};
