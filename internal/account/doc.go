// Package account is people: they sign up, prove their e-mail, sign in, change and lose passwords, and leave.
// It knows nothing of profiles; a later room makes the first one inside the transaction of Create.
//
// # Secrets
//
// Passwords are kept as argon2id hashes. Hashing is slow on purpose, so at most a few run at once and nobody
// may fill the line; see hasher. It must not happen inside a transaction (on SQLite everybody would wait):
// call Prepare before opening one around Create or UseSetup. Session cookies and the tokens of links are 256
// random bits and kept as SHA-256 only.
//
// # Guessing
//
// Wrong passwords are counted by account (by e-mail, whether it exists or not) and by address, in the table
// account_lock, so that neither a restart nor another node forgets them; see throttle.go. Whoever may not know
// whether an e-mail has an account cannot learn it: sign-in, recovery and resending answer the same, after
// the same time, and a sign-up that must be confirmed by mail tells only the mailbox that it has an account.
//
// # Second factor
//
// Prove and ProveByEmail judge a Proof: the password, then the code of an authenticator app or a recovery code. Who
// gives something out for a password calls one of them; CheckPassword and VerifyPassword judge the password alone.
// A code is judged and used up in one transaction that holds the factor's row, so of two that present the same one
// gets in, on whatever node. Wrong codes are counted apart from wrong passwords, since whoever guesses codes knows the
// password. What was set up and not confirmed binds nothing; see factor.go.
//
// # Links
//
// Mails link to pages of the console that act on a click, never to something that acts by being fetched. A
// link works once: taking it deletes it. A changed password voids all the others. Without SMTP the mails wait
// in the outbox, and accounts need no confirmation.
//
// # Sessions
//
// A session ends after 3 hours without a request and after 24 hours in any case, or what Config says. Its last use
// is kept in memory and written by Flush. Signing in makes a new one and ends that which the browser presented.
//
// # Plan and terms
//
// An account has the name of a plan, terms that say what it has beyond it, and the instant its cycles are anchored at; what
// they mean is for the rooms of plans and usage. SetTerms changes all three and runs the hooks of OnPlan in the same
// transaction; EndTerms runs them for terms that were granted until an instant that has come.
//
// # Setting up
//
// The first account is made through a link that SetupToken makes, or on the command line, and is operator.
// Until then nobody can sign up. There is always at least one operator: the last can be neither deleted nor
// demoted.
package account
