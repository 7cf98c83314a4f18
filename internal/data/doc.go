// Package data keeps the points that devices send, and answers questions about them.
//
// # The way of a point
//
// Store takes the body of a request. A hand-written decoder checks every member against TagoIO's bounds and
// says "[3].unit: …" when one does not hold (decode.go). The points are sorted into the chunks of their device
// and handed to a batch, which gathers what many requests bring and writes it in rounds (ingest.go):
//
//  1. chunk counters are raised, for everybody in one statement: the cap of the device is judged here, and
//     raising a counter locks the chunk until the round is committed;
//  2. input and data_records are taken for everybody in one statement (package usage);
//  3. where a profile's sum did not fit, what was taken for it is given back and its requests are judged one by
//     one in order of arrival. A request is stored whole or not at all, and nobody else notices;
//  4. what was accepted is inserted with as few statements as the engine allows.
//
// So accepted = stored = counted in the chunk = counted in usage, at every instant, through crash and many
// nodes. Verify recounts it.
//
// # How points lie
//
// A series is one variable of one device in one chunk; its number is unique in the profile. Points are keyed by
// integers: the profile's number, the series, the time. A point's own number tells when it was stored, and
// grows (numbers.go). Mutable devices have a single chunk, named 0; immutable ones have one for each period.
//
// Emptying a device, deleting it or a chunk, and retention never delete points. They detach: the chunk's row
// goes, its series move to series_purge, and the points are out of sight and uncounted when that commits. The
// purge deletes them later, a few at a time. A chunk has an epoch, which changes when its series do; whoever
// stores learns it with the counter and so never uses a series that is gone.
//
// # Questions
//
// A query is parsed once (query.go) and read by cursors, one for each variable, that walk its series chunk by
// chunk in order of time (read.go). No statement walks over more than 5,000 points: long reads are cut into
// pieces, between which the reader looks whether anybody still waits. Answers are counted row by row before
// their first byte, a bare number as one.
//
// All SQL is behind store (store.go), which knows chunks, series and points and decides nothing.
package data
