import type { Texts } from "..";

export const team: Texts["team"] = {
  title: "Equipe",
  text: "Pessoas que trabalham neste perfil além do proprietário.",
  roles: {
    owner: "Proprietário",
    admin: "Administrador",
    developer: "Desenvolvedor",
    viewer: "Leitor",
  } as Record<string, string>,
  roleHints: {
    admin: "Tudo, menos cobrança, transferência e exclusão do perfil.",
    developer: "Usa e muda tudo no perfil, menos os ajustes e a equipe.",
    viewer: "Vê tudo e não muda nada.",
  } as Record<string, string>,
  members: "Membros",
  empty: "Ainda não há mais ninguém aqui.",
  emptyMember: "Além de você, só o proprietário está aqui.",
  person: "Pessoa",
  role: "Papel",
  until: (date: string) => `até ${date}`,
  over: (date: string) => `terminou em ${date}`,
  staff: "colaborador",
  staffHint: "Trabalha em vários perfis do proprietário, que remove colaboradores de todos eles de uma vez.",
  remove: "Remover",
  removeLabel: (person: string) => `Remover ${person}`,
  removeTitle: (person: string) => `Remover ${person} deste perfil?`,
  removeText: "A partir da próxima requisição esta pessoa não alcança mais nada aqui.",
  endsTokens: (n: number) => (n === 0 ? "Nenhum token termina." : n === 1 ? "Um token termina:" : `${n} tokens terminam:`),
  endsToken: (name: string, tail: string, used: string) => `${name} (…${tail}), ${used}`,
  lastUsed: (time: string) => `usado por último ${time}`,
  neverUsed: "nunca usado",
  endsSessions: (n: number) =>
    n === 0
      ? "A pessoa não está conectada em lugar nenhum."
      : n === 1
        ? "Um navegador conectado perde este acesso."
        : `${n} navegadores conectados perdem este acesso.`,
  endsProfiles: (names: string[]) => (names.length > 1 ? `Você sai de ${names.length} perfis: ${names.join(", ")}.` : ""),

  waiting: "Convites",
  waitingText: "Cada link funciona uma vez, por sete dias. Convidar alguém de novo cria outro.",
  waitingUntil: (date: string) => `pendente até ${date}`,
  copyLink: "Copiar link",
  copyLinkLabel: (email: string) => `Copiar link do convite de ${email}`,
  copyHint: "Quem abre um link copiado precisa entrar como a pessoa convidada; o link da carta basta por si só.",
  withdraw: "Retirar",
  withdrawLabel: (email: string) => `Retirar o convite de ${email}`,

  invite: "Convidar uma pessoa",
  inviteText: "Por e-mail. Quem não tem conta aqui cria uma na página a que o link leva.",
  email: "E-mail",
  expires: "Até",
  expiresHint: "Esse dia inclusive. Se ficar vazio, não termina.",
  inviteButton: "Convidar",
  invited: (email: string) => `${email} foi convidado.`,
  noLetters: "Este servidor ainda não envia cartas: depois de convidar, copie o link em Convites e entregue-o você mesmo.",
  already: "Esta pessoa já está na equipe.",

  leave: "Sair deste perfil",
  leavePassword: "Sua senha",
  leaveButton: "Sair do perfil",

  invitation: "Convite",
  invitationTo: (inviter: string, profile: string) => `${inviter} convida você para o perfil “${profile}”`,
  invitationToAll: (inviter: string, account: string, n: number) =>
    `${inviter} convida você para trabalhar em ${n === 1 ? "um perfil" : `${n} perfis`} de ${account}`,
  somebody: "Alguém",
  forWhom: (email: string, until: string) => `Para ${email}, até ${until}.`,
  accept: "Aceitar",
  decline: "Recusar",
  signInFirst: "Entre como a pessoa convidada para aceitar.",
  letterFirst: "Este link foi repassado à mão, então não prova quem você é. Entre como a pessoa convidada, ou use o link da carta enviada a este endereço.",
  confirmFirst: "A conta deste endereço espera confirmação. Abra o link da carta que você recebeu ao criar a conta e depois volte aqui.",
  closed: "Não há conta com este endereço, e este servidor não deixa as pessoas criarem conta. Peça uma conta a quem o administra.",
  signUpFirst: "Ainda não há conta com este endereço. Escolha um nome e uma senha para criar uma; você não terá perfil próprio até querer um.",
  signUpButton: "Criar a conta e aceitar",
  accepted: "Você entrou",
  acceptedText: (email: string) => `Entre como ${email} para ir até lá.`,
  declined: "Recusado",
  declinedText: "Quem convidou você foi avisado. Nada mais aconteceu.",
  toProfile: "Ir para o perfil",
  unknown: "Esse convite não existe",
  unknownText: "Este link não está completo, ou o convite sumiu há muito tempo. Peça um novo.",
  ended: {
    accepted: { title: "Já aceito", text: "Este link funciona uma vez, e já foi usado." },
    declined: { title: "Já recusado", text: "Este convite foi recusado. Peça um novo se mudou de ideia." },
    cancelled: { title: "Retirado", text: "Quem convidou você retirou o convite." },
    replaced: { title: "Há um convite mais novo", text: "Você foi convidado de novo; use o link da carta mais recente." },
    expired: { title: "Vencido", text: "Convites funcionam por sete dias. Peça um novo." },
  } as Record<string, { title: string; text: string }>,

  you: (name: string) => `${name} (você)`,
  actions: "O que pode ser feito",
  change: "Mudar",
  changeLabel: (person: string) => `Mudar ${person}`,
  changeTitle: (person: string) => `O que ${person} pode fazer`,
  both: "Esta pessoa também está aqui como colaboradora do proprietário. Vale o maior dos dois papéis.",
  toStaff: "Colaboradores",
  ownersStaff: "Quem muda os colaboradores é o proprietário.",
  adminSees: "Um administrador vê o perfil inteiro.",
  viewerSees: "Leitores não veem ninguém além de si mesmos.",
  closedInvite: "Convidar pessoas",
  inviting: "Convidar alguém",
  lacks: (least: string, role: string, what = "Isto") =>
    least === "owner"
      ? `Só o proprietário deste perfil pode fazer isto; aqui você é ${a(role)}.`
      : `${what} exige o papel de ${roleName(least)}; aqui você é ${a(role)}. O proprietário do perfil ou um dos administradores pode concedê-lo.`,
  sees: (devices: string, dashboards: string) => `Vê ${devices} e ${dashboards}.`,
  partHint: "O que tem uma das tags ou um dos ids. Sem nenhum dos dois: nada.",
  ofDevices: {
    only: "Só alguns dispositivos",
    tags: "Dispositivos com uma destas tags",
    ids: "Ou com estes ids, um por linha",
    all: "todos os dispositivos",
    some: (tags: string[], ids: number) => things(tags, ids, "dispositivo", "dispositivos"),
  },
  ofDashboards: {
    only: "Só alguns painéis",
    tags: "Painéis com uma destas tags",
    ids: "Ou com estes ids, um por linha",
    all: "todos os painéis",
    some: (tags: string[], ids: number) => things(tags, ids, "painel", "painéis"),
  },
};

/** A role within a sentence. */
function roleName(role: string): string {
  const names: Record<string, string> = { owner: "proprietário", admin: "administrador", developer: "desenvolvedor", viewer: "leitor" };
  return names[role] ?? role;
}

/** A role with its article. */
function a(role: string): string {
  if (role === "") return "ninguém";
  return role === "owner" ? "o proprietário" : roleName(role);
}

/** Devices or dashboards that are found by tags, by ids, or by either. */
function things(tags: string[], ids: number, one: string, many: string): string {
  const named = ids === 1 ? `um ${one} escolhido pelo id` : `${ids} ${many} escolhidos pelo id`;
  if (tags.length === 0) return ids === 0 ? `nenhum ${one}` : named;
  const tagged = `${many} com a tag ${tags.join(" ou ")}`;
  return ids === 0 ? tagged : `${tagged} ou ${named}`;
}
