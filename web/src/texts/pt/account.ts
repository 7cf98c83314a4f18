import type { Texts } from "..";

export const account: Texts["account"] = {
  name: "Seu nome",
  email: "E-mail",
  password: "Senha",
  passwordHint: "Pelo menos 8 caracteres.",
  timezone: "Fuso horário",
  timezoneHint: "Sugerido por este navegador. Os horários aparecem nele, e os meses começam à meia-noite dele.",
  nothingFound: "Nada encontrado",
  menu: (name: string) => `Conta de ${name}`,
  signOut: "Sair",
  page: "Conta e segurança",

  setupTitle: "Configurar o Paddock",
  setupText: "Aqui nasce a primeira conta, que também cuida desta instalação.",
  setupButton: "Criar a conta",

  signInTitle: "Entrar",
  signInButton: "Entrar",
  noAccount: "Ainda não tem conta?",
  signUpLink: "Criar conta",
  forgot: "Esqueceu a senha?",
  sessionEnded: "Sua sessão terminou",
  sessionEndedText: "Entre de novo. Nada desta página se perde.",

  signUpTitle: "Criar conta",
  signUpButton: "Criar conta",
  signUpClosed: "Este servidor não deixa as pessoas criarem conta por si. Peça uma conta a quem o administra.",
  signUpDone: "Quase lá",
  toSignIn: "Ir para a entrada",

  onward: "Continuar",
  noneYet: "Este servidor ainda não tem nenhuma conta. O link que cria a primeira foi impresso quando ele iniciou; paddock setup-link imprime outro.",
  confirm: {
    title: "Confirme seu e-mail",
    text: "Aperte o botão para confirmar que este endereço é seu.",
    button: "Confirmar",
    done: "Confirmado",
  },
  move: {
    title: "Usar este endereço",
    text: "Aperte o botão para mudar sua conta para este endereço.",
    button: "Usar este endereço",
    done: "Sua conta mudou de endereço",
  },
  end: {
    title: "Excluir sua conta",
    text: "A conta vai embora com todos os seus perfis, os dispositivos e os dados deles. Não há volta.",
    button: "Excluir para sempre",
    done: "Sua conta foi excluída",
    goes: (name: string) => `Perfil “${name}”`,
    of: (email: string) => `Esta é a conta de ${email}. Com ela se vão:`,
  },

  recoverTitle: "Redefinir a senha",
  recoverText: "Enviamos um link para este endereço. Com ele você escolhe uma nova senha.",
  recoverButton: "Enviar o link",
  recoverDone: "Veja sua caixa de entrada",

  resetTitle: "Escolha uma nova senha",
  resetNew: "Nova senha",
  resetButton: "Definir a senha",
  resetDone: "A senha foi definida",
  resetDoneText: "Entre com ela agora.",
};
