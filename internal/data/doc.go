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
// # Large bodies
//
// SQLite has one writer, and 10,000 points are 40 ms of its time, for which everybody would wait. So there a request of
// more than some hundred points is accepted as above, whole, in one round, but not inserted: its points are written
// down, packed, as rows of the table piece. They are counted from then on and survive a crash. The rest is inserted a
// piece in a round (pieces.go), in the profile's turn, so that others go between. Inserting a piece deletes its row in
// the same transaction; when the last one is in, the request is answered, and not before. A reader may see some of it
// meanwhile.
//
//   - After a crash the server inserts what waits before it serves (Finish). So an accepted request is whole
//     whatever happens, and one that was never answered is there whole or not at all.
//   - A piece that cannot be inserted is answered as unavailable and tried again every ten seconds, and by whoever
//     repeats the request with its Idempotency-Key: a repeat is not answered before all can be read.
//   - A piece belongs to its chunk: detaching the chunk deletes both and gives back the whole count. So a piece that is
//     there has its chunk, the one in which it was counted, and a chunk that is made anew has none of it.
//   - Series are found when a piece is inserted, by the names of variables at the chunk's epoch of that moment: whatever
//     a deletion ended between two pieces is made anew. Points get their numbers then, too, so that they lie in the
//     order of inserting.
//   - Stored + waiting = counted, for each chunk, at every instant: Verify sums both.
//
// On PostgreSQL a long transaction holds up nobody but those who write to the same chunks, and all is stored at once.
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
