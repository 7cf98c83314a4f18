// Package device keeps the things that send data: devices, their tags, configuration parameters and tokens,
// and what each of them asked lately.
//
// # A device
//
// A device stores its data under its own id; the "bucket" of older clients is the same thing under another
// name. It is mutable (points can be edited, at most 50,000) or immutable (append only, in chunks of a day,
// week, month or quarter that end by retention). The type and the period are fixed at creation; only POST
// /device/{id}/convert changes them, on a device that is switched off and holds no data. The types "hybrid"
// and "legacy" of the client's types are refused with a sentence that says so. Connector and network are ids
// that are stored and returned as sent; nothing else is done with them here.
//
// Creating one holds the profile's cap on devices, exactly, and makes a first token. A serial number belongs
// to that token and is unique within the profile only. A device with the tag _delete_protection_ (its value
// is the answer) or _deletion_protection cannot be deleted. Deleting one ends its tokens and gives the cap
// back in the same transaction, together with the hooks of later rooms; its own rows are few (at most 30 tags,
// 60 parameters, 100 refusals) and go at once.
//
// # Lists
//
// Text filters ignore case and take * as wildcard. A time filter (created_at, updated_at, last_input,
// last_output) asks for that instant or later, or for earlier ones when it begins with "<": last_input=1 day
// are devices heard within a day, last_input=<7 days are silent ones, an empty value those never heard. An
// unknown filter is refused: a script that deletes what a list answers must not be given more than it asked for. payload_decoder can be large;
// it is listed only when asked for by name, 200 devices at a time.
//
// # Who sees which
//
// A member can be granted a part of a profile's devices, by tags or ids (auth.Caller.Devices). The judgement is made here
// and nowhere else (reach.go): whatever is asked for on behalf of a caller takes the caller and answers not_found for a
// device outside; lists, also those of other rooms that keep devices' ids, narrow their statement with Within. What takes
// no caller (Heard, Unheard, Present, Touch) is the server's own work. Device tokens act for their device and are not
// restricted.
//
// # The way of a request
//
// token.Authenticate asks gate, which asks the cache that Ingest and View also read: a device that is
// switched off is refused there, before any work. Touch notes last_input and last_output in memory; a loop
// writes them every ten seconds, many devices in one statement.
//
// # What a device asked lately
//
// Observe is told of every request when it has been answered. Each device keeps its last 100 requests in memory (time,
// method, path, address, last four of the token, status, reason, first 2 kB of the body); all of them
// together stay under a bound of bytes, the device not heard for longest loses its own first. Accepted requests
// are never written to the database. Refused ones are, within ten seconds and in batches, the last 100 of a
// device, so that they are there after a restart and on other nodes; of a flood of refusals only so many are
// kept as a batch holds, but of each device at least the last. Requests that came with a revoked or expired
// token of a profile are listed for the profile too, its own p- tokens included.
package device
