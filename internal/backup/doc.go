// Package backup takes a profile out of a server and brings one in: archives, what is made of them, and copies.
//
// # Archives
//
// An archive is a zip of JSON lines with a manifest of SHA-256 hashes (archive.go; docs/archive.md is for who wants to read
// one without us). Each room gives its own records and takes them back (archive.go of that room); this room knows in which
// order, under which names, and how they hang together. Export writes one while it reads, with memory that does not grow
// with the profile; Encrypt wraps it with a passphrase.
//
// What an archive is as of: everything but points is as the database held it when its entry was written, in the order of
// the entries. Points of a mutable device are of one instant. Points of immutable devices, which are only appended, are those
// that had been stored when the export began. No transaction is held for longer than it takes to read one mutable device.
//
// # Nothing is imported that has not been verified
//
// OpenArchive reads the whole archive before anything is written: names, sizes, counts and hashes, every line by the rules
// of its room, and what names what. It trusts no size that it has not counted. Import then builds a profile in the making
// (profile.Draft), which nobody sees and nothing counts, in slices that share the queue of writes with everybody; the last
// step publishes it, in one transaction that takes a slot, the stocks and the caps, or refuses. An import that fails or
// whose process dies leaves a draft, which is purged like a deleted profile.
//
// # Ids
//
// A profile whose id is free on this server keeps it, with every id within. Otherwise all get new ones, and the report
// has the map; ids inside widgets, arrangements and rules follow.
package backup
