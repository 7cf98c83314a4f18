// Package billing says what everything costs, and asks for it where hosting is sold.
//
// # Charges
//
// A charge is a line of an invoice: whole cents, and the hours it pays for. It is written once and never changed: whoever
// changes to a larger plan in mid-cycle gets a charge for the new one and one with negative cents that gives back the rest
// of the old. So a price that changes later changes no bill of the past, and what an account owes is the sum of its charges.
//
// # Hours
//
// A charge accrues by the hour, counted from its start: hour k of N is worth ⌊M·k/N⌋ − ⌊M·(k−1)/N⌋ of its M micro-units, so
// that the hours add up to the charge. Charges start on an hour of the account's cycle, which starts on a quarter of an
// hour; all of them therefore have the same hours.
//
// # Whose hour it is
//
// An hour of a service is shared by the profiles that the account owned at its start: by what is allocated to them then
// (basis allocation; what nobody has is a line of its own, unallocated), or by what they used in it (basis use; an
// hour in which nobody used anything is unallocated). The largest remainders get the micro-units that are left, ties by the
// profile's id. The plan's fee, add-ons and discounts are lines of their own. For every span of hours, profiles + unallocated + plan + add-ons +
// discounts = the charges' part that lies in it.
//
// Shares by allocation are computed when somebody asks, from the charges and the histories of allocation and ownership,
// which are never folded: see history.go and cost.go. Shares by use are computed once for each hour when it is over, and kept by day,
// because the ledger of usage becomes coarser with age. Each charge knows how many of its hours have been rated, so one that is
// made late is rated from its start like any other, and rating may be cut short and repeated at any time: see use.go.
//
// # A figure of one's own
//
// Who runs the server for oneself says what it costs a cycle; figure.go makes charges of that. VerifyCost computes everything
// again.
//
// # Statements
//
// An owner bills customers by rate cards: prices for a profile or for a tag, in versions that are only added. A statement turns a
// calendar month of a profile into lines by the version of a card, numbers it and keeps it as a document with its hash; it is never
// changed. What was wrong becomes a line of a later one. Months of a profile meet: one begins where the last one ended.
package billing
