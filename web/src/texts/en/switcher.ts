export const switcher = {
  shared: (role: string) => `Shared, ${role}`,
  switch: "Switch profile",
  choose: "Choose a profile",
  search: "Find a profile",
  empty: "No profile of that name",
  all: "All profiles",
  add: "Add Profile",
};
