import type { Texts } from "..";

export const errors: Texts["errors"] = {
  heading: "Não deu certo",
  requestId: "Id da requisição",
  offline: "O servidor não respondeu. Verifique a conexão e tente de novo.",
  odd: (status: number) => `O servidor deu uma resposta que o console não entende (HTTP ${status}).`,
  crashed: "O console encontrou uma falha própria",
  crashedHint: "Recarregar a página costuma resolver. Nada mudou no servidor.",
  reload: "Recarregar",
};
