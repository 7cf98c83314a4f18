import type { Texts } from "..";

export const factor: Texts["factor"] = {
  title: "Segundo fator",
  text: "Um código de um aplicativo no seu celular, além da senha. Ele é pedido quando você entra, cria um token ou exclui algo de vez.",
  on: "Ativado",
  off: "Desativado",
  since: (when: string, left: number) => `Desde ${when}. Códigos de recuperação restantes: ${left}.`,
  fewLeft: (left: number) =>
    left === 0
      ? "Não resta nenhum código de recuperação. Crie novos, ou perder o celular deixa você de fora."
      : "Restam poucos códigos de recuperação. Crie novos a tempo.",
  enable: "Ativar",
  disable: "Desativar",
  recovery: "Novos códigos de recuperação",
  next: "Continuar",
  steps: {
    enable: {
      title: "Ativar o segundo fator",
      text: "Você precisa de um aplicativo autenticador no celular. Primeiro, sua senha.",
      button: "Ativar",
    },
    disable: {
      title: "Desativar o segundo fator",
      text: "Só a senha bastará para entrar. Seus outros navegadores são desconectados.",
      button: "Desativar",
    },
    recovery: {
      title: "Novos códigos de recuperação",
      text: "Os antigos deixam de valer. Seus outros navegadores são desconectados.",
      button: "Criar novos códigos",
    },
  },
  scan: "Leia isto com o aplicativo, ou digite a chave nele. Depois informe o código que o aplicativo mostra.",
  qr: "Código QR da chave",
  copySecret: "Copiar a chave",
  confirm: "Ativar",
  code: "Código",
  codeHint: "Os seis dígitos que seu aplicativo autenticador mostra, ou um código de recuperação.",
  appCode: "Os seis dígitos que o aplicativo mostra agora.",
  codesTitle: "Guarde estes códigos de recuperação",
  codesText:
    "Cada um substitui um código do aplicativo, uma única vez. Eles aparecem aqui e nunca mais; sem eles, perder o celular deixa você de fora.",
  copyCodes: "Copiar os códigos de recuperação",
  download: "Baixar",
  kept: "Já guardei os códigos",
};
