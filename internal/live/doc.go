// Package live tells listeners at once what has been committed: GET /events, server-sent events.
//
// Each profile that somebody listens to has a feed: the last events of the channels listened to, in order, bounded
// in number and bytes. A listener is nothing but a place in that feed and a bell. Whoever publishes puts the event
// at the end, rings, and goes on: it neither encodes nor waits, so an acknowledgement costs the same whether nobody
// listens, a hundred do, or one of them has stopped reading. The listeners' own goroutines encode an event, once for
// all of them, and write it. One that has fallen so far behind that the feed has let go of what it had not read yet is
// dropped: its connection ends.
//
// The same feed serves those that come back. An event's id tells the feed, the place in it and the moment; a
// client that names the last id it got (Last-Event-ID, which every EventSource does by itself) gets what came
// since. What the feed does not hold any more is said, for each channel, by an event of type "lost" with the span
// of time to be read again; clients that know only messages do not notice it. A feed stays for two minutes after
// its last listener has left and is in memory only: after a restart everything since the last id counts as lost.
//
// Who sees a part of the profile's devices only is told of these: on the channels of a profile an event says which device
// it is about, and Take leaves out what is not for its listener. web judges every stream each second, and at once when
// something changes that its caller's rights come from (app says what), and ends one whose caller may see another part than when it began.
//
// It is a room of its own, left of data, because channels of other rooms come through the same feeds: "limits" tells
// of refusals and alerts, "notification" of what is in the listening person's list (told.go).
package live
