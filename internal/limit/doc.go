// Package limit holds every profile to its rates, shows all limits that bound it and what they refused.
//
// # Rates
//
// A rate is a number of requests a clock minute. A request is asked about before its body is read (Admit, for
// web.Config) and takes a unit of each rate that it falls under, all of them or none:
//
//   - the hard rate of the owner's plan, one counter per profile and route (a row of the catalogue);
//   - for requests that send or read data, the soft limit (rpm) of the device or, when the device has none, that of
//     the profile. A device with a limit of its own neither spends the profile's nor is held by it. The
//     effective limit is the lower one, because both are taken.
//
// Console sessions have counters of their own beside the hard ones, and no soft limits, so that people can still
// look when their devices have used up everything. A session that names no profile, at the account's own pages,
// is under no rate. What a plan does not bound costs a look-up and nothing else. Routes about limits, usage,
// billing and team and those that delete data have no rate; see plan.Rate.
//
// A request that passes spends its units, whatever becomes of it. One that was refused, here or before (401),
// spends none. The first refusal of a counter in a minute is answered at once, the next ones after 50 to 200 ms, so that a
// client that repeats without waiting is slowed down; at most 16 of a profile wait so, more are answered at once.
//
// # Leases
//
// The truth is a row per counter, which says how many requests of its minute were handed out. A node takes a
// hundredth of what remains at a time, at least one, and spends that from memory: no request is admitted that the row does
// not include, so the limit holds to the unit through a crash and would over several nodes. Requests that wait
// for the same counter wait for one statement, and the statements of a round are one (sqldb.Batch). A node that
// finds nothing left remembers it until the minute ends: a refusal costs no statement.
//
// A node that stops gives back what it has not spent. A node that dies has spent it: a kill -9 costs each counter at
// most its lease, a hundredth of the limit, and errs on the side of refusing.
//
// A clock that steps back by less than a minute stays in the minute it was in; one that jumps starts that
// minute afresh.
//
// # Refusals
//
// Observe hears of every answer. What a limit refused, of any room, is added to a group in memory (profile, minute, device,
// reason, route), and its body is remembered by a hash: when the same body is accepted later, its points were not lost. An accepted
// request looks at an atomic number, while nobody has refusals at nothing more. Every few seconds the groups are written
// as sums, many in one statement, in the turn of a tenant of its own; then OnRefusals is told. Groups, bodies and rows
// are bounded for each profile and in all.
package limit
