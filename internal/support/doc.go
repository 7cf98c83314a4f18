// Package support is where people and whoever runs the server meet: tickets, and operators' looks into profiles.
//
// A ticket is a conversation with one thread of messages. Who sees it are its parties and the operators of the installation;
// to everybody else it is not there. Most are questions, opened by a person; a transfer opens one of its own (Open), lets
// the other side in (Join), says where it stands (Tell) and closes it (Close). A message may have an audience: then other
// parties see nothing of it, neither in the thread nor in lists, searches or mails; operators see every message. Each
// message is told to the parties that see it, by a notification and by a mail; the mails of a ticket form one thread in a
// mail program. All of that is written in the transaction of the message, so it is told if and only if it is there.
//
// A look is an operator's stay in a profile of somebody else: for a reason and a while, with the role viewer, signed in only.
// While it lasts profile.Service.Enter lets the operator in, so it holds for every room; when it ends, is ended, or the
// profile changes hands, the next request is refused. Whatever owners see of a look is in the profile's list of looks and in
// its audit log. Config.Access says whether operators may look at all, and whether the owner is asked first.
package support
