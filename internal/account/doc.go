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
// # Links
//
// Mails link to pages of the console that act on a click, never to something that acts by being fetched. A
// link works once: taking it deletes it. A changed password voids all the others. Without SMTP the mails wait
// in the outbox, and accounts need no confirmation.
//
// # Sessions
//
// A session ends after 3 hours without a request and after 24 hours in any case. Its last use is kept in
// memory and written by Flush.
//
// # Setting up
//
// The first account is made through a link that SetupToken makes, or on the command line, and is operator.
// Until then nobody can sign up. There is always at least one operator: the last can be neither deleted nor
// demoted.
package account
