// Package overview answers what somebody with many profiles asks first: is anything wrong, where, and what can be done.
//
// # All profiles
//
// List is a row for every profile that a person may act in, Status the same in one word each. A page sorts and filters by what is
// wrong, so every profile is judged for each answer: by statements over all of them at once that other rooms give (Standings, Sums, SilentSums,
// SeatsOf), never one a profile, and nothing is remembered from one answer to the next: who raises a limit sees it raised. What is dear and not sorted
// by, the day a service runs out, is asked for the rows of the page only.
//
// The costs of a page are those of GET /account/cost: what each profile costs, and beside them by name what belongs to none, to profiles that the
// filter leaves out and to those that are the account's no more, so that what one reads adds up to the bill.
//
// # Health
//
// Health is the same for one profile with reasons: facts, from which the console makes one sentence. Whoever may raise a limit is told what is
// free for it, and which other profile has most to spare, for a pool is usually handed out whole.
//
// # Asking
//
// Whoever may not raise a limit asks the owner (Ask): a notification and a letter that lead to the profile, once an hour for each person and service.
//
// # Many at once
//
// Bulk does one thing to many profiles, each by the method that does it to one, with that method's judgement and its event in the audit log: whole or
// nothing for each, and a row that says which.
package overview
