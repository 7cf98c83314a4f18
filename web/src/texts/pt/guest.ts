import type { Texts } from "..";

export const guest: Texts["guest"] = {
  title: "Você não tem nenhum perfil próprio",
  text: "Você trabalha nos perfis que outros compartilham com você: como leitor você olha, como desenvolvedor muda dispositivos e dados, como administrador também ajustes e equipe. O que você faz ali conta no plano deles, não no seu.",
  alone: "Ninguém compartilha um perfil com você agora. Um convite leva você a um; um perfil próprio guarda seus próprios dispositivos e os dados deles.",
  own: "Ter um perfil próprio",
  closed: "Quem tem perfis próprios aqui é decisão de quem administra este servidor; pergunte lá se quiser um.",
};
