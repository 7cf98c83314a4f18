// Package usage counts what each profile consumes and holds, and refuses what exceeds its limits.
//
// # Limits that are exact
//
// A flow (input, output, …) starts at zero with every cycle, a stock (data_records, …) counts what is there. Both
// stand in the profile's counter row, beside what it is allowed. Take adds to them in the transaction that
// stores what is paid for, by one statement that does nothing when the sum would not fit; TakeIngest does so for
// every profile of a round at once. A request that does not fit is refused whole, with a message that begins
// "You have exceeded the maximum limit" and names service, limit, use and when it starts again.
//
// # At the limit
//
// What does not fit is refused, unless the owner chose another policy for that service of the profile: to draw on what the
// account's pool has free, or to accept it as overage; see policy.go. Only requests that did not fit come there, so the
// statement above stays what it is: a counter's column allowed includes what is over, and Counter.Allowed does not.
//
// Reads are charged before their answer is sent but write nothing themselves, so Spend works from a lease: units
// taken from the counter in advance, at most a hundredth of what remains and five seconds of the recent rate.
// The counter includes them from the start, which is why no limit is passed by a unit; what is not spent is given
// back when a profile falls idle and when the node stops. A node that dies has spent what it held.
//
// Hold and Unhold do the same for things that are capped by the plan: devices, dashboards, …
//
// # Cycles
//
// A cycle is a calendar month from midnight of the first in the owner's time zone, or, once the account has an anchor, the
// stretch between two of its anniversaries: see Cycle, and Anchor for the change from one to the other. The first statement that
// meets a counter whose cycle is over turns it, in its own transaction: the row is locked, copied to
// counter_history, its flows set to zero, its stocks carried on, its limits taken anew from the allocation.
// Everything before is in the old cycle and everything after in the new one; nothing is lost or counted twice.
// Profiles of an account turn one by one, but who is in an earlier cycle than another, because a clock stepped back or
// two nodes' clocks differ, is given nothing of the pool in it: see open and ahead.
//
// # The ledger
//
// What happened is also written per quarter of an hour, for statistics and cost: flows as what was added, stocks
// as the level that the quarter ended with. What points add in the quarter that runs stands in the counter row until it is
// over, so that a point writes one row less: see quarter.go. Verify checks that counters, ledger, leases and allocations agree.
//
// # Statistics
//
// Statistics are read from the ledger: bounds of hours, days and cycles divide it into buckets, its rows are added up
// in them, and a walk over the buckets makes samples, starting anew where a cycle turns. Fold makes the ledger
// coarser with age without changing a sum: a folded row stands at the last quarter of its hour or day. The
// device ledger says which device used what of an hour; it is written in the
// transaction that writes the profile's.
//
// # Allocation
//
// The plan gives an account a pool of each service, which its profiles share: see allocation.go for the rules and
// docs/decisions for why they live here. What was allocated, and the pool, is appended to a history with each change: see
// history.go. Those tables are global, since their sums cross profiles; the counter
// row has a copy, written in the same transaction, so that the way of a point touches its own profile only.
package usage
