export const tags = {
  title: "Tags",
  ofProfile: "Word pairs by which staff are given some of your profiles, such as customer = North.",
  key: "Key",
  keyOf: (n: number) => `Key of tag ${n}`,
  value: "Value",
  valueOf: (n: number) => `Value of tag ${n}`,
  remove: "Remove",
  removeOf: (n: number) => `Remove tag ${n}`,
  add: "Add a tag",
  save: "Save the tags",
};
