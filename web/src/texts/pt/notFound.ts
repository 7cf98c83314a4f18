import type { Texts } from "..";

export const notFound: Texts["notFound"] = {
  title: "Página não encontrada",
  text: "Não há nada neste endereço. Talvez ele tenha sido digitado errado, ou o que ele mostrava não existe mais.",
  home: "Ir para a página inicial",
  device: "Não existe esse dispositivo aqui",
  deviceText: "Ele não existe neste perfil, ou foi excluído.",
  toDevices: "Ir para os dispositivos",
};
