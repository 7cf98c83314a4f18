// Package notify tells people things: in the bell of the console, by mail, and by posting to an address of theirs.
//
// A notification is a line in one person's list: from a script, from somebody who shares a profile, from Paddock itself.
// It may carry buttons; what a button of a kind does, the room decides that registered it (OnButton).
//
// An event is something that happened to a profile or an account. Raise hands it out, inside the transaction in which
// it happened: to each recipient a mail and a notification as that person chose, and to the webhook of the profile, or
// of its owner. Each of these is a row of the table delivery: the history people see and, for webhooks, the outbox
// they are sent from. So an event is told if and only if it was committed, also when the process dies between.
//
// Who is told of a profile is the audience: its owner, unless a later room says more (SetAudience). A room on the left
// that has something to tell calls Raise or Notify; this one knows nothing of alerts, tokens or teams.
//
// Mails go through kit/mail, whose outbox operators see here too. They are Paddock's own and spend no profile's units
// of email or push_notification, which count what scripts send.
package notify
