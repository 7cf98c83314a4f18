// What is said in many places.

export const common = {
  product: "Paddock",
  title: (page: string, profile?: string) => (profile ? `${page} · ${profile} · Paddock` : `${page} · Paddock`),
  skip: "Skip to content",
  loading: "Loading",
  copy: "Copy",
  copied: "Copied",
  cancel: "Cancel",
  close: "Close",
  save: "Save",
  saved: "Saved.",
  retry: "Try again",
  back: "Back",
  show: "Show",
  hide: "Hide",
  yes: "Yes",
  no: "No",
  none: "–",
};
