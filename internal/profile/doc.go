// Package profile is the tenant: a fence around one application or one customer, owned by an account.
//
// # Rules
//
// An account owns at least one profile from sign-up on and never deletes its last. Only a guest, who came by an invitation
// into somebody else's, owns none until wanting to. How many it may own, and
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
// counters does not exist. Remove asks for the owner's password, marks the row and runs hooks in the same way:
// from that instant nothing of it can be reached and nothing of it is counted. Until its grace is over Restore brings it
// back the same way, all or nothing. What it held is purged after that in slices, see Purge; whoever marks the row
// first, for the one or the other, decides. A draft is a profile that was never public, for an import: it looks like a
// deleted one until Publish. HandOver makes a living profile another account's; its hooks divide what must be divided at
// that instant. Pause blocks what a profile receives and sends, with a reason that every refusal shows.
//
// Whose a profile was from when to when stays, with the name it had, after all else is gone: what it cost is somebody's to pay.
//
// # Sign-up
//
// POST /account and POST /setup live here, because an account begins with a first profile of its own name.
//
// # The audit log
//
// What happened in a profile is read here, since reading needs the names of people and their roles; audit keeps ids.
// A search is a question that is checked once and sealed into the id of its query: any process can answer it, for the
// one who asked and for five minutes. Searches read in steps, a bounded number at a time, in the background, and keep
// their answers in memory as long as there is room. A download reads while it is sent. Owner and admins see all,
// other members what they did; who has no role any more is "Unknown user".
//
// # Pictures
//
// Logo and banner are uploaded as PNG, JPEG or WebP, decoded within bounds, scaled down, and stored as PNG
// under a random name, a new one with every upload, so that they may be cached for ever. Nothing of the file as
// it was sent is ever served. They are public, for they stand on pages that people see before they sign in:
// GET /profile/{id}/logo/{name} needs no credential, only the name.
package profile
