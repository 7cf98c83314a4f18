export const lost = {
  title: (name: string) => `You no longer have access to ${name}`,
  text: "It was deleted, it has another owner, or you are not in its team any more. Nothing of it is kept on this page.",
};
