// What is said in many places.
import type { Said } from "..";
import type { common as en } from "../en/common";

export const common: Said<typeof en> = {
  product: "Paddock",
  title: (page: string, profile?: string) => (profile ? `${page} · ${profile} · Paddock` : `${page} · Paddock`),
  skip: "Ir para o conteúdo",
  loading: "Carregando",
  copy: "Copiar",
  copied: "Copiado",
  cancel: "Cancelar",
  close: "Fechar",
  save: "Salvar",
  saved: "Salvo.",
  retry: "Tentar de novo",
  back: "Voltar",
  show: "Mostrar",
  hide: "Ocultar",
  yes: "Sim",
  no: "Não",
  none: "–",
};
