import type { Texts } from "..";

export const lost: Texts["lost"] = {
  title: (name: string) => `Você não tem mais acesso a ${name}`,
  text: "O perfil foi excluído, tem outro proprietário, ou você não faz mais parte da equipe. Nada dele fica guardado nesta página.",
};
