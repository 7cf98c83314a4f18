// Package plan is the catalogue: what an account may have under each plan, and what it costs.
//
// A catalogue is one YAML file with a column per plan. The built-in one is embedded and goes through exactly
// the checks that a file given with --catalogue goes through; there is no second way to make a plan.
//
//   - Services are metered. Most come back every cycle (flows: input, output, …), some are what is there now
//     (stocks: data_records, run_users, file_storage). An account has a pool of each, which it splits among its
//     profiles; see package usage.
//   - Caps bound how many of a thing a profile may hold, and how many profiles an account may own.
//   - Rates bound requests a minute, per profile and route.
//   - Prices are whole cents, because that is what the client of TagoIO reads.
//
// The plan "house" has none of these bounds. It is what people get on their own server: nobody sells them
// anything. To the client, which knows three plans, it calls itself scale.
//
// An account carries the name of its plan, and the meaning of the name is here. It also carries terms, as text that only this
// room reads: tiers it bought, and limits that an operator set for it, perhaps until an instant. Plan.With says what both
// mean together; profile.PlanOf is where everybody else asks for that.
//
// Every catalogue that was ever in force is kept, so that a price of the past can be explained. Another one takes the place
// of the last while the server runs: see Versions, which also has the accounts fitted whose pools it changes.
package plan
