// Package alert tells the people of a profile, once, what they should know: a service nears its limit, a device that
// should be heard is silent, it is heard again.
//
// An alert is a row. It is written in the transaction that makes it the first of its kind, and the hooks of OnAlert run
// inside that transaction: who delivers (a letter, a notification, an event) delivers exactly once, through kill -9
// and with any number of nodes.
//
// # Services near their limits
//
// A profile is told at 80, 90 and 100 % of each service: of what it may use, and not more than it is allocated. Once for
// each service, threshold, cycle and value of the limit: a limit that was raised or lowered to another value tells
// anew, and so does a new cycle. A stock (data_records, …) that falls five points of a hundred below a threshold tells
// again when it comes back, at most once a minute, so that who makes room and fills it again hears of it, and who
// hovers does not hear all the time. What jumps over several thresholds at once is told of each. The unique key of
// alert_level decides who tells.
//
// Nothing of this is on the way of a point. usage remembers in memory whose levels moved; Look reads the counters of
// those, many with one statement. A process that starts, and every process once an hour, looks at all profiles in
// slices, so that what another did not live to look at is found.
//
// # Silent devices
//
// A rule says how often a device should be heard, or each device with a tag. A device's own rule goes before those of
// its tags; of several tags the shortest holds. Silence is counted from the last input; of a device that never sent
// from the moment the rule was set or the device made. It is counted anew when the device is switched on or gets the
// tag and when the profile is resumed; time in which no server ran does not count. Devices that are switched off and
// profiles that are paused raise nothing. A device is called silent fifteen seconds after its time, since inputs
// reach the database within ten (device.Touch).
//
// Only what is silent, or counted anew, has a row (silence). LookSilence walks over rules in slices, the short ones
// every ten seconds and all of them every minute; of a tag's devices it is given those only that were not heard. When a
// device of a row is heard again the row goes and a recovery is told. When it is deleted or switched off, or the rule
// is gone or longer now, the alert ends without one.
package alert
