import type { Texts } from "..";

export const switcher: Texts["switcher"] = {
  shared: (role: string) => `Compartilhado, ${role}`,
  switch: "Trocar de perfil",
  choose: "Escolha um perfil",
  search: "Procurar um perfil",
  empty: "Nenhum perfil com esse nome",
  all: "Todos os perfis",
  add: "Adicionar perfil",
};
