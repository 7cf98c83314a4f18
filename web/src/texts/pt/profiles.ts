import type { Texts } from "..";

export const profiles: Texts["profiles"] = {
  title: "Perfis",
  text: "Cada perfil tem seus próprios dispositivos, dados, tokens e limites. O que um faz nunca afeta outro.",
  empty: "Nenhum perfil ainda",
  open: (name: string) => `Abrir ${name}`,
  id: "Id",

  addTitle: "Adicionar perfil",
  addText: "Um perfil é um espaço próprio e cercado: para um cliente, um local, ou um teste ao lado do que é para valer.",
  addName: "Nome",
  addPlaceholder: "Cliente Norte",
  addButton: "Adicionar perfil",
  added: (name: string) => `${name} está pronto`,
  settings: "Perfil",
  changing: "Mudar nome, logotipo ou tags",

  logo: "Logotipo",
  logoHint: "PNG, JPEG ou WebP, até 2 MB. Solte um arquivo aqui ou escolha um.",
  logoChoose: "Escolher uma imagem",
  logoSaved: "O logotipo foi definido.",
  logoRemove: "Remover o logotipo",
  paused: "Pausado",
  pausedTitle: "Este perfil está pausado",
  pausedText: (reason: string) => `As requisições dele são recusadas. ${reason}`,
  logoType: "Este arquivo não é uma imagem PNG, JPEG ou WebP.",
  logoSize: "Esta imagem tem mais de 2 MB.",

  deleteText: "Os dispositivos, os dados e os tokens vão junto. Outros perfis não são afetados.",
  deleteButton: "Excluir perfil…",
  deleteTitle: (name: string) => `Excluir ${name}?`,
  deleteLoss: (devices: number, points: number, pointsText: string) =>
    `${devices === 1 ? "1 dispositivo" : `${devices} dispositivos`} e ${pointsText} ${points === 1 ? "ponto" : "pontos"} de dados serão perdidos.`,
  deleteType: (name: string) => `Digite ${name} para confirmar`,
  deletePassword: "Sua senha",
  deleteHolds: (devices: number, points: number, pointsText: string) =>
    `Ele tem ${devices === 1 ? "1 dispositivo" : `${devices} dispositivos`} e ${pointsText} ${points === 1 ? "ponto" : "pontos"} de dados. A partir de agora, dispositivos e tokens são recusados.`,
  deleteWayBack: (span: string) => `Durante ${span} você pode restaurá-lo na lista de perfis: com dados, membros e tokens. Depois disso ele some de vez.`,
  deleteForGood: "Não há volta.",
  deleteEnds: "Os membros são avisados. Convites pendentes, adicionais e orçamentos do perfil terminam, e não voltam com ele.",
  deletePurge: "Excluir de vez agora",
  deletePurgeHint: "Assim ninguém poderá restaurá-lo.",
  deleteGently: "Excluir",
  deleteConfirm: "Excluir para sempre",
  days: (n: number) => (n === 1 ? "1 dia" : `${n} dias`),
  hours: (n: number) => (n === 1 ? "1 hora" : `${n} horas`),

  deletedTitle: "Perfis excluídos",
  deletedText: "Podem ser restaurados por um tempo; depois somem de vez.",
  left: (span: string) => `prazo para restaurar: ${span}`,
  deletedHolds: (devices: number, points: number, pointsText: string) =>
    `${devices === 1 ? "1 dispositivo" : `${devices} dispositivos`}, ${pointsText} ${points === 1 ? "ponto" : "pontos"} de dados.`,
  deletedUntil: (deleted: string, purged: string) => `Excluído em ${deleted}, some de vez em ${purged}.`,
  restore: "Restaurar",
  restoreOf: (name: string) => `Restaurar ${name}`,
};
