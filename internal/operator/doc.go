// Package operator is what whoever runs the installation looks at and does: how the server stands, all accounts, and the
// settings in force. Its routes are for operators who have signed in; to everybody else they are forbidden.
//
// The home (Service.Home) is gathered when it is asked for, from what every room knows anyway, and begins with concerns:
// what needs a hand, the worst first. Three things are kept for it. A job samples each hour how much database and files take
// and what is free, from which the growth a day and the days left are told. Verifications are kept with what they found; one
// runs at a time in the installation, in the background, asked for on the page, by the command line, or by itself each night.
// And the command line notes the backups that it made of the server, or failed to make.
//
// A verification reads one instant of the database, so on SQLite the write-ahead log grows by what is written meanwhile. It
// rests after each statement for as long as that took (sqldb.Gently), so that neighbours feel little of it.
//
// What only the process knows (the settings, the key, the folder, how to verify) is given to New by package app.
package operator
