export const errors = {
  heading: "That did not work",
  requestId: "Request id",
  offline: "The server did not answer. Check the connection and try again.",
  odd: (status: number) => `The server gave an answer the console does not understand (HTTP ${status}).`,
  crashed: "The console ran into a fault of its own",
  crashedHint: "Reloading the page usually helps. Nothing on the server has changed.",
  reload: "Reload",
};
