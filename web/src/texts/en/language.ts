export const language = {
  choose: "Language",
};
