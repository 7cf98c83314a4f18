// Package sqldb is the only place that knows which database is underneath. Rooms write one SQL text that
// SQLite and PostgreSQL both accept (docs/architecture.md lists what that means) and never see the engine.
//
// # Reading
//
// Query, QueryRow, All and One read from a pool. Inside Tx they read what the transaction sees, inside
// Snapshot they all see one instant.
//
// # Writing
//
// Tx puts a transaction into the context; nested calls join it, so rooms compose without passing it on.
// An error returned from fn undoes everything fn wrote; an error from a nested call must be returned too.
// fn may run twice (PostgreSQL may ask for a retry), so what leaves the database waits for AfterCommit.
//
// On SQLite there is one writer. Every Tx is a job in its queue: each round takes jobs from the tenants in
// turn (deficit round robin), runs each under a savepoint, commits once and then wakes everybody. A flood of
// one tenant therefore neither starves another nor pays for its own fsyncs. Nothing that waits (network,
// files, other goroutines) belongs inside fn: the whole house waits with it. Calling Tx inside fn with a
// context from outside would wait for itself; always use the context fn is given.
//
// A Batch gathers what many requests want to write and does it with a few statements for all of them, in
// such a round; on PostgreSQL two committers work on rounds at once and a tenant is in one of them at most.
// When the outcome of a COMMIT is unknown, the round's row decides before anybody is answered.
//
// # Caches
//
// Cache keeps values that the database owns. Changed, called in the transaction that changes them, drops the
// keys here when it commits and on every other process within a second (table cache_change, of which each process reads
// what is new each 250 ms). A process that could not read that table for a second trusts no cache until it can.
package sqldb
