// Every word the console shows, in the language of whoever reads it. `en` says which texts there are; another language is
// one more object of the same type, so that a text that lacks its translation does not compile.
// Sentences with a value in them are functions, so that a language may put the value where it belongs.
import type { en } from "./en";

/** The same members with any words in them: what a function says in one language is not what it says in another. */
export type Said<T> = T extends string
  ? string
  : T extends (...values: infer V) => infer R
    ? (...values: V) => Said<R>
    : T extends object
      ? { [K in keyof T]: Said<T[K]> }
      : T;

export type Texts = Said<typeof en>;

/** The languages, by their code, as they call themselves. */
export const languages = { en: "English", pt: "Português" } as const;

export type Language = keyof typeof languages;

const catalogues: Record<Language, () => Promise<Texts>> = {
  en: async () => (await import("./en")).en,
  pt: async () => (await import("./pt")).pt,
};

/** The texts of the language in use: there before the first page is drawn, since main.tsx waits for them. */
export let t: Texts;

/** The code of the language in use. */
export let language: Language;

/** How numbers and times are written: the language in use, of the region that this browser prefers. For Intl. */
export let locale: string;

const kept = "paddock.language";
const chosen = "paddock.language.chosen";

/** The language of a code such as pt-BR, if the console speaks it. */
export function languageOf(code: string | null | undefined): Language | undefined {
  const short = code?.slice(0, 2).toLowerCase() ?? "";
  return short in languages ? (short as Language) : undefined;
}

/** A language as accounts keep it. */
export const codeOf = (spoken: Language): string => (spoken === "pt" ? "pt-br" : spoken);

/** The language that this browser was told to use, or prefers, or English. */
export function preferred(): Language {
  return [localStorage.getItem(kept), ...navigator.languages].map(languageOf).find((known) => known !== undefined) ?? "en";
}

/** Loads the texts of a language. What has been drawn stays as it is. */
export async function speak(spoken: Language): Promise<void> {
  t = await catalogues[spoken]();
  language = spoken;
  const general = spoken === "pt" ? "pt-BR" : spoken;
  locale = navigator.languages.find((code) => languageOf(code) === spoken) ?? general;
  document.documentElement.lang = general;
}

/** Uses this language from now on: the page is drawn anew. Nobody is signed in; whoever does next keeps it. */
export function setLanguage(spoken: Language): void {
  localStorage.setItem(kept, spoken);
  sessionStorage.setItem(chosen, spoken);
  location.reload();
}

/** The language that was chosen in this tab before signing in, told once. */
export function takeChosen(): Language | undefined {
  const spoken = languageOf(sessionStorage.getItem(chosen));
  sessionStorage.removeItem(chosen);
  return spoken;
}

/** Goes over to the language of whoever is signed in. True when the page must be drawn anew for that. */
export function follow(code: string): boolean {
  const spoken = languageOf(code);
  if (!spoken) return false; // it stays as this browser has it
  localStorage.setItem(kept, spoken);
  return spoken !== language && preferred() === spoken;
}
