import type { Texts } from "..";

export const usage: Texts["usage"] = {
  title: "Serviços",
  service: "Serviço",
  used: "Usado",
  limit: "Limite",
  noLimit: "sem limite",
  share: (percent: number) => `${percent} % usado`,
  services: {
    input: "Entrada de dados",
    output: "Saída de dados",
    analysis: "Análise (minutos)",
    data_records: "Registros de dados",
    sms: "SMS",
    email: "E-mail",
    run_users: "Usuários do Run",
    push_notification: "Notificações push",
    file_storage: "Armazenamento de arquivos (MB)",
  } as Record<string, string>,
};
