export const guest = {
  title: "You own no profile",
  text: "You work in the profiles that others share with you: as a viewer you look, as a developer you change devices and data, as an admin also settings and team. What you do there counts on their plan, not on yours.",
  alone: "Nobody shares a profile with you now. An invitation brings you into one; a profile of your own holds your own devices and their data.",
  own: "Own a profile",
  closed: "Who owns profiles here is up to whoever runs this server; ask there if you want one of your own.",
};
