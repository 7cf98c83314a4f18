// Package profile is the tenant: a fence around one application or one customer, owned by an account.
//
// # Rules
//
// An account owns at least one profile from sign-up on and never deletes its last. How many it may own, and
// everything else a profile may do, is decided by the owner's plan, whoever makes the call. Names repeat freely.
// A profile has a number besides its id, given once and never again; the points of its devices are keyed by it.
//
// Resolve is the gate of every route with a profile in its path: a profile that is not there and one that is
// not the caller's are the same "Profile Not Found". A token of reach "profile" sees its own profile only.
// What only the owner may do (rename, delete, pause, allocate) is judged by the profile in the path, never by
// the one the caller happens to act in.
//
// # Life and death
//
// Create inserts the row and runs the hooks of later rooms in the same transaction: a profile without its
// counters does not exist. Delete asks for the owner's password, marks the row and runs hooks in the same way:
// from that instant nothing of it can be reached and nothing of it is counted. What it held is purged later in
// slices, see Purge. Pause blocks what a profile receives and sends, with a reason that every refusal shows.
//
// # Sign-up
//
// POST /account and POST /setup live here, because an account begins with a first profile of its own name.
//
// # Pictures
//
// Logo and banner are uploaded as PNG, JPEG or WebP, decoded within bounds, scaled down, and stored as PNG
// under a random name, a new one with every upload, so that they may be cached for ever. Nothing of the file as
// it was sent is ever served. They are public, for they stand on pages that people see before they sign in:
// GET /profile/{id}/logo/{name} needs no credential, only the name.
package profile
