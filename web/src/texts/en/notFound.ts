export const notFound = {
  title: "Page not found",
  text: "There is nothing at this address. It may have been mistyped, or what it showed is gone.",
  home: "To the start page",
  device: "There is no such device here",
  deviceText: "It does not exist in this profile, or it has been deleted.",
  toDevices: "To the devices",
};
