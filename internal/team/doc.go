// Package team is who may act in a profile besides its owner: members, their invitations, and staff, who act in many.
//
// # Invitations
//
// Owner and admins invite by e-mail. The answer is the same, after the same time, whether or not the address has an
// account, belongs to a member or was invited before. An invitation lives seven days and is used once. Inviting again
// makes a new one; the old links are dead. Ended ones stay for 30 days, so that their links say what became of them.
//
// Two secrets lead to an invitation, both kept as SHA-256. The one in the mail proves the mailbox: whoever presents it
// acts for the address, without signing in. The one that owner and admins copy (kept sealed, so that it can be copied
// again) proves nothing: it must not let them speak for other people, make accounts in their names or learn who has one.
// Whoever opens it signs in as the person invited; only a server without mail, where addresses are never proven, lets a
// new person sign up there. Mails and notifications lead to a page that acts on a click, since scanners fetch links; the
// API's GET accept and decline act at once and are for programs.
//
// A person without an account becomes a guest: an account that owns no profile. Owning one is a later click.
//
// # Members and staff
//
// A member acts in one profile with a role, perhaps within a part of it, perhaps until a date. Staff are members of all
// profiles of an account, also future ones, or of those that carry one of some tags. Who is both has the higher of the
// two roles, with what restricts it; of two equal ones the wider. All of that is judged at each use (Grant), from a
// cache, so that removing somebody, moving a tag or reaching a date holds for the next request.
//
// # Another owner
//
// With a change of owner (HandOver) everybody loses access but those about whom the new owner decides otherwise, and staff of
// the new owner. Rows of members are deleted rather than marked, so that nothing but a living row is ever asked; what they
// were is handed to whoever keeps the change (Left), for UndoHandOver.
//
// # Seats
//
// The plan of the owner caps how many people besides the owner are in a profile. Members, staff who reach it and pending
// invitations count, each address once; what is past its date does not. Whatever could take a seat holds the lock of the
// owner's profiles (profile.Lock), so that the last seat is taken once. Above the cap after a change of plan everybody
// stays, and nobody joins.
package team
