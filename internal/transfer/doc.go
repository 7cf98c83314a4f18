// Package transfer hands a profile from the account that owns it to another one.
//
// # The walk of a hand-over
//
// The owner asks, with password and code, and names the receiver by e-mail address. A ticket opens and both sides are told. The
// receiver signs in, or signs up first, sees what would move, stay and end and whether it all fits, and accepts, saying for the former
// owner, for each person and for each token that would lose access whether they stay. Where the installation reviews hand-overs an
// operator approves; otherwise acceptance is enough. Then one transaction changes the owner. For a day both together, or an
// operator, can undo it.
//
//	requested → accepted (review only) → completed → undone
//	         ↘ declined, cancelled, expired ↙
//
// Every step is one transaction that begins with the row of the hand-over: it moves from the state it was in or not at all, so that
// of two answers one counts, and an answer that comes twice (its first reply was lost) is told what has become of it.
//
// # Whom it is for
//
// A request is for an address, not for an account: whoever has that address, confirmed, when looking at it. So the owner learns
// nothing about whether the address has an account: what is answered, how long that takes, and what is shown until the receiver
// accepts are the same either way. After that the owner sees of each check that is about the receiver whether it is met, not the
// figures.
//
// # What the receiver sees
//
// The receiver must know who and what would lose access in order to keep some of it. So a request shows names, roles and last use of
// people and tokens; e-mail addresses only in part, as much as is needed to recognise a colleague. Secrets are in nobody's list.
//
// # The transaction
//
// The locks of both owners first, in the order of their ids, then the row, then the checks again, then profile, tokens and team,
// ticket, mails. What appeared since the receiver looked is not in the answer and so ends; the outcome names it.
//
// Points, devices and their tokens are not touched: nothing that a device does waits for a hand-over longer than for any other
// write of its profile's counters.
package transfer
