import type { Texts } from "..";

export const language: Texts["language"] = {
  choose: "Idioma",
};
