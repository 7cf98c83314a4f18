// Package dashboard keeps dashboards and their widgets: what a page shows and where, not the data in it.
//
// # A dashboard
//
// It has a label, tags, an arrangement (which widget stands where) and a look: tabs, icon, background, theme,
// setup, groups and, on a blueprint, the devices it is drawn for. The look is JSON that only those who draw
// need to understand; it is checked for shape and size and returned as it was sent. Creating a dashboard holds
// the profile's cap, exactly, and deleting one gives it back, in the same transaction. The tags
// _delete_protection_ (its value is the answer) and _deletion_protection forbid the deletion.
//
// # Widgets
//
// A widget is a JSON object with a label, a type and a display, and members of its own kind. An edit replaces
// each member it names, whole; analysis_run is let go by an edit that does not name it. Arrangement and widgets
// are apart: making a widget does not place it, deleting one leaves its place, so that an editor can save both
// in any order. A dashboard has at most 100 widgets of together 1 MB, which is what duplicating one copies in
// a single transaction.
//
// A duplicate has new ids. Wherever the original names one of its widgets or itself, arrangement, look and
// widgets, the copy names its own; places of widgets that are gone are left out.
//
// # Who sees which
//
// A member can be granted a part of the dashboards as of the devices (auth.Caller.Dashboards); one outside is not there.
// Every method that takes a dashboard takes the caller and asks for it by Get, locked or Widget, which judge.
//
// # What it was shown
//
// last_access notes when a dashboard was last asked for. It is kept in memory and written every ten seconds;
// an answer tells of the time before.
package dashboard
