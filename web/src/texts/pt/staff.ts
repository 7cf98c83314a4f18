import type { Texts } from "..";

export const staff: Texts["staff"] = {
  title: "Colaboradores",
  text: "Pessoas que trabalham nos seus perfis, em todos ou naqueles com uma tag.",
  empty: "Nenhum colaborador ainda",
  emptyText:
    "Colaboradores são pessoas que cuidam de muitos dos seus perfis: um convite lhes dá um papel em todos, também nos que você adicionar depois, e um clique os remove de tudo. Para deixar alguém entrar em um único perfil, use a equipe desse perfil.",
  people: "Pessoas",
  invite: "Convidar colaborador",
  reach: "Trabalha em",
  all: "Todos os perfis, também os adicionados depois",
  tagged: "Perfis com uma de certas tags",
  tags: "Tags",
  tagsHint: "As tags de um perfil estão na página dele. Maiúsculas e minúsculas contam.",
  now: (names: string[]) => (names.length === 0 ? "Nenhum perfil seu no momento." : `Agora: ${few(names)}.`),
  inAll: (names: string[]) => `Em todos os perfis: ${few(names)}.`,
  inTagged: (tags: string[], names: string[]) =>
    `Em perfis com a tag ${tags.join(" ou ")}: ${names.length === 0 ? "nenhum agora" : few(names)}.`,
  removeTitle: (person: string) => `Remover ${person} de todos os seus perfis?`,
  removeText: "A partir da próxima requisição esta pessoa não alcança nenhum dos seus perfis nem faz parte da equipe de nenhum deles.",
  ends: (names: string[]) => (names.length === 0 ? "Nenhum perfil é perdido: nenhum é alcançado agora." : `Perdidos: ${few(names)}.`),
};

/** Names in a sentence; of many the first ones, and how many more. */
function few(names: string[]): string {
  const n = names.length - 8;
  return n < 3 ? names.join(", ") : `${names.slice(0, 8).join(", ")} e mais ${n}`;
}
