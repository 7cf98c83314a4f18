import type { Texts } from "..";

export const tags: Texts["tags"] = {
  title: "Tags",
  ofProfile: "Pares de palavras pelos quais colaboradores recebem alguns dos seus perfis, como cliente = Norte.",
  key: "Chave",
  keyOf: (n: number) => `Chave da tag ${n}`,
  value: "Valor",
  valueOf: (n: number) => `Valor da tag ${n}`,
  remove: "Remover",
  removeOf: (n: number) => `Remover a tag ${n}`,
  add: "Adicionar uma tag",
  save: "Salvar as tags",
};
