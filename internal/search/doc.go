// Package search finds a device, a person or a profile across everything that somebody may see.
//
// It holds nothing of its own. Each room looks through what is its own and judges who sees it by the rules of its lists:
// device by name and id within the part that a member was granted, token by serial number and by the end of a secret, team by
// name and address of those whom a list of people would show. Here the places to look in are put together, and what was
// found is merged, the closest first.
//
// # Where it looks
//
// A person who has signed in looks through all profiles of the own account and those that others share, in each with the role and
// restriction held there. A token looks through its own profile alone, however far it reaches. Where an operator looks into a
// profile of somebody else, its name is found and nothing in it: what is read there leaves a trace under a reason, which a
// search has not.
//
// # What it costs
//
// A name is found by its middle too, so each name in the index that lists devices is read once: one statement for 256 profiles,
// no row of the table but those that are answered. Ids, serial numbers and ends of tokens are found in their indexes. Answers are
// bounded (MostAmount of each kind).
package search
