import type { Texts } from "..";

export const sessions: Texts["sessions"] = {
  title: "Navegadores conectados",
  text: "Onde esta conta está conectada. Encerre o que você não reconhece e, nesse caso, troque sua senha.",
  current: "este aqui",
  where: (address: string, used: string, until: string) => `${address}, usado por último ${used}, no máximo até ${until}`,
  browser: (browser: string, system: string) => `${browser} em ${system}`,
  unknown: "Navegador desconhecido",
  end: "Desconectar",
  endOne: (browser: string, address: string) => `Desconectar ${browser} em ${address}`,
  endOthers: "Desconectar todos os outros",
};
