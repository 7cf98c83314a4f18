import type { person as en } from "../en/person";

export const person: typeof en = {
  title: "Conta",
  tabs: { you: "Você", display: "Idioma e formatos", security: "Segurança", alerts: "Alertas" },

  picture: "Foto",
  pictureText: "Vista por quem compartilha perfis com você. Solte aqui um arquivo PNG, JPEG ou WebP de até 2 MB.",
  pictureChoose: "Escolher uma foto",
  pictureRemove: "Remover",
  pictureSaved: "A foto foi salva.",
  pictureType: "A foto deve ser um arquivo PNG, JPEG ou WebP.",
  pictureSize: "Essa foto tem mais de 2 MB.",

  about: "Sobre você",
  company: "Empresa",
  phone: "Telefone",

  email: "E-mail",
  emailText: (address) => `Você entra como ${address}, e as mensagens vão para lá.`,
  emailChange: "Trocar o e-mail…",
  emailTitle: "Trocar o e-mail",
  emailHint: "Um link vai para o novo endereço. Até você abri-lo, nada muda.",
  emailNew: "Novo e-mail",
  emailSend: "Enviar o link",

  language: "Idioma",
  languageText: "Deste console. A página é carregada de novo.",
  zone: "Fuso horário",
  zoneText: "Os horários são mostrados nele; dias e meses começam à sua meia-noite.",
  formats: "Datas e números",
  formatsText: "Como o console inteiro os escreve. A escolha vale na hora.",
  date: "Data",
  time: "Hora",
  hours: { "24": "24 horas", "12": "12 horas" },
  numbers: "Números",
  example: "Fica assim",

  password: "Senha",
  passwordText: "Com uma nova senha, todos os outros navegadores são desconectados.",
  passwordCurrent: "Senha atual",
  passwordNew: "Nova senha",
  passwordButton: "Trocar a senha",
  passwordDone: "A senha foi trocada, e todos os outros navegadores foram desconectados.",

  end: "Excluir a conta",
  endText: "A conta vai embora com todos os seus perfis, dispositivos e dados.",
  endOpen: "Excluir a conta…",
  endTitle: "Excluir sua conta para sempre?",
  endGoes: "Com ela vão embora, sem volta:",
  endNothing: "A conta não tem perfil próprio. O que outros compartilham com você continua deles.",
  endButton: "Excluir para sempre",
  things: {
    devices: (n, text) => `${text} ${n === 1 ? "dispositivo" : "dispositivos"}`,
    points: (n, text) => `${text} ${n === 1 ? "registro" : "registros"}`,
    dashboards: (n, text) => `${text} ${n === 1 ? "dashboard" : "dashboards"}`,
    tokens: (n, text) => `${text} ${n === 1 ? "token" : "tokens"}`,
  },
};
