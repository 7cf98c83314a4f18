package transfer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/billing"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/sqldb"
	"paddock/internal/notify"
	"paddock/internal/profile"
	"paddock/internal/support"
	"paddock/internal/team"
	"paddock/internal/token"
	"paddock/internal/usage"
)

// Config is what the room must know of the installation.
type Config struct {
	PublicURL string       // where links in mails lead; no slash at the end
	Name      string       // of the installation; "Paddock" when empty
	Policy    Policy       // SelfService when empty
	Log       *slog.Logger // slog.Default() when nil
}

// Rooms are those that a hand-over goes through.
type Rooms struct {
	Accounts *account.Service
	Profiles *profile.Service
	Teams    *team.Service
	Tokens   *token.Service
	Usage    *usage.Service
	Billing  *billing.Service
	Support  *support.Service
	Notify   *notify.Service
	Audit    *audit.Log
	Mail     *mail.Mailer
}

// Service hands profiles over. It is safe for concurrent use.
type Service struct {
	db       *sqldb.DB
	accounts *account.Service
	profiles *profile.Service
	teams    *team.Service
	tokens   *token.Service
	usage    *usage.Service
	billing  *billing.Service
	support  *support.Service
	notify   *notify.Service
	audit    *audit.Log
	mail     *mail.Mailer
	cfg      Config
	clock    clock.Clock
}

// New makes the room and registers what ends a hand-over that waits: the end of the profile or of an account.
func New(db *sqldb.DB, r Rooms, cfg Config, clk clock.Clock) *Service {
	if cfg.Name == "" {
		cfg.Name = "Paddock"
	}
	if cfg.Policy == "" {
		cfg.Policy = SelfService
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	s := &Service{db: db, accounts: r.Accounts, profiles: r.Profiles, teams: r.Teams, tokens: r.Tokens, usage: r.Usage, billing: r.Billing, support: r.Support,
		notify: r.Notify, audit: r.Audit, mail: r.Mail, cfg: cfg, clock: clk}
	r.Profiles.OnDelete(s.profileDeleted)
	r.Accounts.OnDelete(s.accountDeleted)
	r.Accounts.Invited(func(ctx context.Context, email string) (bool, error) {
		n, err := s.waitingFor(ctx, strings.ToLower(email), s.now())
		return n > 0, err
	})
	return s
}

// Jobs names the periodic work of this room.
func (s *Service) Jobs(r *job.Runner) {
	r.Every("transfers that waited too long", time.Minute, s.Expire)
	r.Every("old transfers", time.Hour, s.Tidy)
}

func (s *Service) now() int64 { return clock.Millis(s.clock.Now()) }

var notFound = fault.New(fault.NotFound, "Transfer Not Found")

// over is the refusal to answer what is over.
func over(st State) error {
	switch st {
	case Completed:
		return fault.New(fault.Conflict, "This transfer is completed: the profile has its new owner")
	case Accepted:
		return fault.New(fault.Conflict, "This transfer was accepted and waits for an operator of this server")
	case Declined:
		return fault.New(fault.Conflict, "This transfer was declined")
	case Expired:
		return fault.New(fault.Conflict, "This transfer has expired; its owner can ask again")
	case Undone:
		return fault.New(fault.Conflict, "This transfer was undone: the profile is its former owner's again")
	}
	return fault.New(fault.Conflict, "This transfer was cancelled")
}

// Side is how somebody stands to a hand-over.
type Side string

// The sides.
const (
	Source      Side = "source"      // gives
	Destination Side = "destination" // receives, or may
	Operator    Side = "operator"    // runs the server, and is neither
)

// see finds a transfer for somebody who may see it, or returns not_found. as is who the caller is in it; an operator who has signed
// in sees all.
func (s *Service) see(ctx context.Context, who auth.Caller, tid id.Transfer) (t Transfer, as Side, err error) {
	if !id.Valid(string(tid)) {
		return t, "", notFound
	}
	t, ok, err := s.find(ctx, tid)
	if err != nil {
		return t, "", err
	}
	if !ok {
		return t, "", notFound
	}
	as, err = s.side(ctx, who, t)
	if err == nil && as == "" {
		err = notFound
	}
	return t, as, err
}

func (s *Service) side(ctx context.Context, who auth.Caller, t Transfer) (Side, error) {
	if who.AccountID == t.Source {
		return Source, nil
	}
	if t.Destination != "" && who.AccountID == t.Destination {
		return Destination, nil
	}
	if t.Destination == "" {
		acc, err := s.accounts.Get(ctx, who.AccountID)
		if err != nil {
			return "", err
		}
		if acc.Email == t.Address && acc.Active {
			return Destination, nil
		}
	}
	if asOperator(who) {
		return Operator, nil
	}
	return "", nil
}

// asOperator reports whether somebody may act for the installation: an operator who has signed in.
func asOperator(who auth.Caller) bool { return who.Operator && who.Kind == auth.Session }

// lockBoth takes the locks of two owners in the order that everybody takes them.
func (s *Service) lockBoth(ctx context.Context, a, b id.Account) error {
	for _, x := range []id.Account{min(a, b), max(a, b)} {
		if err := s.profiles.Lock(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// RequestInput asks for a hand-over.
type RequestInput struct {
	Email   string // of the receiver
	Message string // for the receiver; "" for none
	Proof   account.Proof
}

// Request asks to hand a profile to whoever has an address, after its owner proved who they are. It returns not_found and Forbidden to
// others than the owner; Invalid for a bad or one's own address; Conflict when the profile is the owner's last, its plan forbids it, an
// operator has paused it or it is being handed over already; the faults of account.Service.Prove; and TooMany to who asks too
// often. Whether the address has an account makes no difference to what it returns and to the time that takes.
func (s *Service) Request(ctx context.Context, who auth.Caller, ref string, in RequestInput) (Transfer, error) {
	began := time.Now()
	in.Email = strings.ToLower(strings.TrimSpace(in.Email))
	if err := mail.CheckAddress("email", in.Email); err != nil {
		return Transfer{}, err
	}
	in.Message = strings.TrimSpace(strings.ReplaceAll(in.Message, "\r\n", "\n"))
	if err := check.Prose("message", in.Message, maxMessage); err != nil {
		return Transfer{}, err
	}
	p, err := s.profiles.Owned(ctx, who, ref)
	if err != nil {
		return Transfer{}, err
	}
	source, err := s.accounts.Get(ctx, p.Account)
	if err != nil {
		return Transfer{}, err
	}
	if source.Email == in.Email {
		return Transfer{}, fault.Field("email", "is your own address: the profile is yours already")
	}
	if err := s.mayAsk(ctx, p); err != nil { // before a code is used up
		return Transfer{}, err
	}
	if err := s.accounts.Prove(ctx, who.AccountID, in.Proof); err != nil {
		return Transfer{}, err
	}
	now := s.now()
	t := Transfer{ID: id.New[id.Transfer](), Profile: p.ID, Source: p.Account, Address: in.Email, State: Requested, Message: in.Message,
		RequestedAt: now, ExpiresAt: now + life.Milliseconds()}
	err = s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if err := s.profiles.Lock(ctx, p.Account); err != nil {
			return err
		}
		p, err := s.profiles.Get(ctx, p.ID) // behind the lock
		if err != nil {
			return err
		}
		if p.Account != t.Source {
			return profile.NotFound
		}
		if err := s.mayAsk(ctx, p); err != nil {
			return err
		}
		if err := s.accounts.Allow(ctx, "transfer", string(t.Source), requestsPerHour, "Too many transfers were asked for in an hour; try again later"); err != nil {
			return err
		}
		if err := s.accounts.Allow(ctx, "transfer mailbox", t.Address, mailsPerHour, "Too many transfers to this address were asked for in an hour; try again later"); err != nil {
			return err
		}
		t.Name = p.Name
		ticket, err := s.support.Open(ctx, who, support.Opening{Kind: support.Transfer, Ref: string(t.ID), Account: t.Source, Profile: p.ID,
			Subject: subject(t), Text: opening(t)})
		if err != nil {
			return err
		}
		t.Ticket = ticket.ID
		if t.Message != "" {
			if err := s.support.Tell(ctx, t.Ticket, support.Message{From: t.Source, Text: t.Message}); err != nil {
				return err
			}
		}
		crash.At("transfer ticket opened")
		if err := s.insert(ctx, t); err != nil {
			if sqldb.IsDuplicate(err) {
				return pendingAlready
			}
			return fmt.Errorf("insert a transfer: %w", err)
		}
		if err := s.writeToReceiver(ctx, t, source); err != nil {
			return err
		}
		crash.At("transfer asked for")
		return s.record(ctx, who, t, t.Profile, t.Source, "Transfer to "+t.Address+" asked for")
	})
	if err != nil {
		return Transfer{}, err
	}
	account.Evenly(ctx, began)
	return t, nil
}

var pendingAlready = fault.New(fault.Conflict, "This profile is being handed over already: cancel that transfer first")

// Pending is the detail of a refusal to hand over what is being handed over.
type Pending struct {
	ID     id.Transfer `json:"id"`
	Ticket id.Ticket   `json:"ticket"`
	State  State       `json:"state"`
}

// mayAsk judges what is the owner's alone to know: nothing about the receiver.
func (s *Service) mayAsk(ctx context.Context, p profile.Profile) error {
	t, waits, err := s.openOf(ctx, p.ID)
	if err != nil {
		return err
	}
	if waits {
		if t.at(s.now()) != Expired {
			return pendingAlready.With(Pending{t.ID, t.Ticket, t.State})
		}
		if err := s.expire(ctx, t.ID); err != nil { // nobody has noted it yet
			return err
		}
	}
	own, err := s.ownChecks(ctx, p)
	if err != nil {
		return err
	}
	return refusal(own, nil)
}

// Accept is the receiver's yes. Where acceptance is enough the profile changes hands before it returns, else it waits for an operator. It
// returns not_found to whom it is not for, Forbidden to the one who gives, Invalid for bad choices, Conflict naming the checks that are
// not met and for what is over, limit_reached when there is no seat for somebody who is to stay, and the faults of
// account.Service.Prove. An acceptance that comes again is told where it stands.
func (s *Service) Accept(ctx context.Context, who auth.Caller, tid id.Transfer, c Choices, proof account.Proof) error {
	t, as, err := s.see(ctx, who, tid)
	if err != nil {
		return err
	}
	if as != Destination {
		return notYours("the receiver accepts it")
	}
	done := func(t Transfer) bool {
		return t.Destination == who.AccountID && (t.State == Accepted || t.State == Completed) && t.at(s.now()) != Expired
	}
	if done(t) {
		return nil
	}
	if st := t.at(s.now()); st != Requested {
		return over(st)
	}
	if err := c.check(); err != nil {
		return err
	}
	if err := s.fits(ctx, t, who.AccountID); err != nil { // before a code is used up
		return err
	}
	if err := s.accounts.Prove(ctx, who.AccountID, proof); err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if err := s.lockBoth(ctx, t.Source, who.AccountID); err != nil {
			return err
		}
		t, _, err := s.hold(ctx, tid)
		if err != nil || done(t) {
			return err
		}
		if st := t.at(s.now()); st != Requested {
			return over(st)
		}
		if as, err := s.side(ctx, who, t); err != nil || as != Destination { // the address may have changed meanwhile
			return orNotFound(err)
		}
		t.Destination, t.Choices, t.AcceptedAt = who.AccountID, c, s.now()
		if err := s.support.Join(ctx, t.Ticket, t.Destination); err != nil {
			return err
		}
		crash.At("transfer joined by the receiver")
		if s.cfg.Policy == SelfService {
			return s.run(ctx, who, t, Requested)
		}
		if err := s.fits(ctx, t, t.Destination); err != nil {
			return err
		}
		if err := s.agree(ctx, t); err != nil {
			return err
		}
		t.State, t.ExpiresAt = Accepted, t.AcceptedAt+life.Milliseconds()
		if err := s.mustMove(ctx, t, Requested); err != nil {
			return err
		}
		crash.At("transfer accepted")
		if err := s.tellAccepted(ctx, t); err != nil {
			return err
		}
		return s.recordBoth(ctx, who, t, "Transfer accepted; an operator approves it next")
	})
}

func orNotFound(err error) error {
	if err != nil {
		return err
	}
	return notFound
}

func notYours(what string) error {
	return fault.New(fault.Forbidden, "This is not yours to do: %s", what)
}

// mustMove is move by whoever holds the transfer.
func (s *Service) mustMove(ctx context.Context, t Transfer, from State) error {
	ok, err := s.move(ctx, t, from)
	if err == nil && !ok {
		err = fmt.Errorf("transfer %s was not %s", t.ID, from)
	}
	return err
}

// Approve is an operator's yes to what was accepted. It returns not_found and Forbidden to others, and what Accept returns.
func (s *Service) Approve(ctx context.Context, who auth.Caller, tid id.Transfer) error {
	if !asOperator(who) {
		return auth.LacksOperator()
	}
	t, _, err := s.see(ctx, who, tid)
	if err != nil {
		return err
	}
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if t.Destination != "" {
			if err := s.lockBoth(ctx, t.Source, t.Destination); err != nil {
				return err
			}
		}
		t, _, err := s.hold(ctx, tid)
		if err != nil || t.State == Completed {
			return err
		}
		switch st := t.at(s.now()); st {
		case Accepted:
			return s.run(ctx, asStaff(who, t), t, Accepted)
		case Requested:
			return fault.New(fault.Conflict, "The receiver has not accepted yet")
		default:
			return over(st)
		}
	})
}

// asStaff is an operator as the audit log is to know one who is neither side.
func asStaff(who auth.Caller, t Transfer) auth.Caller {
	if who.AccountID != t.Source && who.AccountID != t.Destination {
		who.Kind = audit.Operator
	}
	return who
}

// Decline is a no, of the receiver or of an operator. It returns not_found to others, Forbidden to the one who gives, and Conflict for
// what is over. A no that comes again is heard.
func (s *Service) Decline(ctx context.Context, who auth.Caller, tid id.Transfer, reason string) error {
	reason, err := cleanReason(reason)
	if err != nil {
		return err
	}
	_, as, err := s.see(ctx, who, tid)
	if err != nil {
		return err
	}
	if as == Source {
		return notYours("the receiver declines it; you can cancel it")
	}
	return s.end(ctx, who, tid, Declined, func(t Transfer) (Transfer, string, error) {
		if as == Operator {
			t.Reason = reason
			return t, "An operator of this server has declined the transfer" + because(reason), nil
		}
		if t.Destination == "" {
			t.Destination = who.AccountID
		}
		t.Reason = reason
		return t, "The receiver has declined the transfer" + because(reason), nil
	})
}

// Cancel takes a request back. It returns not_found to strangers, Forbidden to others than the one who gives, and Conflict for what
// is over.
func (s *Service) Cancel(ctx context.Context, who auth.Caller, tid id.Transfer) error {
	_, as, err := s.see(ctx, who, tid)
	if err != nil {
		return err
	}
	if as != Source {
		return notYours("whoever gives the profile cancels it; the receiver and operators decline")
	}
	return s.end(ctx, who, tid, Cancelled, func(t Transfer) (Transfer, string, error) {
		return t, "The transfer was cancelled by its owner", nil
	})
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + strings.TrimRight(reason, ".")
}

func cleanReason(reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	return reason, check.Line("reason", reason, 0, maxReason)
}

// end brings what waits to an end in which nothing moved. say fills in what is to be known of it and the sentence that tells it.
func (s *Service) end(ctx context.Context, who auth.Caller, tid id.Transfer, to State, say func(t Transfer) (Transfer, string, error)) error {
	return s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		t, ok, err := s.hold(ctx, tid)
		if err != nil {
			return err
		}
		if !ok {
			return notFound
		}
		if t.State == to {
			return nil
		}
		if st := t.at(s.now()); !st.open() && !(to == Expired && t.State.open()) {
			return over(st)
		}
		from := t.State
		t, sentence, err := say(t)
		if err != nil {
			return err
		}
		t.State, t.EndedAt = to, s.now()
		if err := s.mustMove(ctx, t, from); err != nil {
			return err
		}
		crash.At("transfer ended without a change")
		if err := s.tellEnded(ctx, asStaff(who, t), t, sentence); err != nil {
			return err
		}
		return s.record(ctx, asStaff(who, t), t, t.Profile, t.Source, sentence)
	})
}

// Expire ends what nobody answered in time. It may be cut short and repeated.
func (s *Service) Expire(ctx context.Context) error {
	const slice = 200
	for {
		due, err := s.due(ctx, s.now(), slice)
		if err != nil {
			return err
		}
		var errs []error
		for _, t := range due {
			errs = append(errs, s.expire(ctx, t))
		}
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("note that transfers expired: %w", err)
		}
		if len(due) < slice {
			return nil
		}
	}
}

func (s *Service) expire(ctx context.Context, tid id.Transfer) error {
	err := s.end(ctx, auth.SystemCaller(), tid, Expired, func(t Transfer) (Transfer, string, error) {
		if t.at(s.now()) != Expired {
			return t, "", over(t.State)
		}
		if t.State == Accepted {
			return t, "The transfer has expired: no operator of this server approved it within 7 days", nil
		}
		return t, "The transfer has expired: it was not accepted within 7 days", nil
	})
	if fault.Is(err, fault.Conflict) || fault.Is(err, fault.NotFound) { // somebody answered meanwhile
		err = nil
	}
	return err
}

// Tidy forgets what nobody needs any more.
func (s *Service) Tidy(ctx context.Context) error {
	const slice = 200
	for {
		n, err := s.tidy(sqldb.As(ctx, ""), s.now(), slice)
		if err != nil || n == 0 {
			return err
		}
	}
}

// profileDeleted cancels what waits of a profile that is being deleted. It is a hook.
func (s *Service) profileDeleted(ctx context.Context, who auth.Caller, p profile.Profile) error {
	t, waits, err := s.openOf(ctx, p.ID)
	if err != nil || !waits {
		return err
	}
	return s.cancel(ctx, who, t.ID, "The transfer was cancelled: the profile was deleted")
}

// accountDeleted cancels what waits of an account that is being deleted, and forgets the person. It is a hook. A request to
// the address of the account stays: it is for whoever has that address, and its end would tell that somebody had.
func (s *Service) accountDeleted(ctx context.Context, who auth.Caller, a id.Account) error {
	if err := s.profiles.Lock(ctx, a); err != nil { // before the rows of transfers, as whoever accepts does
		return err
	}
	given, err := s.openBy(ctx, a)
	if err != nil {
		return err
	}
	for _, t := range given {
		if err := s.cancel(ctx, who, t, "The transfer was cancelled: its owner has deleted the account"); err != nil {
			return err
		}
	}
	accepted, err := s.acceptedOf(ctx, a)
	if err != nil {
		return err
	}
	for _, t := range accepted {
		if err := s.cancel(ctx, who, t, "The transfer was cancelled: the receiver has deleted the account"); err != nil {
			return err
		}
	}
	return s.forget(ctx, a)
}

// cancel is end by something that happened elsewhere.
func (s *Service) cancel(ctx context.Context, who auth.Caller, t id.Transfer, sentence string) error {
	err := s.end(ctx, who, t, Cancelled, func(t Transfer) (Transfer, string, error) {
		t.Reason = sentence
		return t, sentence, nil
	})
	if fault.Is(err, fault.Conflict) { // it has expired, which nobody has noted yet
		err = s.expire(ctx, t)
	}
	return err
}

// record leaves an audit event in a profile, or in an account.
func (s *Service) record(ctx context.Context, who auth.Caller, t Transfer, p id.Profile, a id.Account, message string) error {
	if holder := t.holder(); p != "" && who.AccountID != holder {
		who = nowhere(who)
	}
	after := map[string]any{"state": t.State, "to": t.Address, "profile": t.Profile, "name": t.Name}
	if t.AcceptedAt > 0 {
		after["choices"] = t.Choices
	}
	return s.audit.Write(ctx, who, audit.Event{Profile: p, Account: a, Resource: "transfer", ResourceID: string(t.ID), Message: message, After: after})
}

// holder is whose the profile is, and so its audit log.
func (t Transfer) holder() id.Account {
	if t.State == Completed {
		return t.Destination
	}
	return t.Source
}

// nowhere is a caller without what tells the other side from where and with what they acted.
func nowhere(who auth.Caller) auth.Caller {
	who.Addr, who.TokenID, who.TokenName, who.TokenTail = "", "", "", ""
	return who
}

// recordBoth leaves it with both accounts, and in the profile, whose log goes along.
func (s *Service) recordBoth(ctx context.Context, who auth.Caller, t Transfer, message string) error {
	if err := s.record(ctx, who, t, t.Profile, t.Source, message); err != nil {
		return err
	}
	for _, a := range slices.Compact([]id.Account{t.Source, t.Destination}) {
		if err := s.record(ctx, who, t, "", a, message); err != nil {
			return err
		}
	}
	return nil
}
