package transfer

import (
	"context"
	"slices"
	"strings"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
	"paddock/internal/team"
	"paddock/internal/token"
)

const maxAmount = 100

// Routes are the routes of this room.
func (s *Service) Routes() []web.Route {
	tags := web.Tags("transfer")
	full := auth.OfAccount.Deleting() // whoever answers gives access away, or takes it
	return []web.Route{
		web.Handle("POST /profile/{id}/transfer", "Ask to hand a profile to another account; needs the password of its owner, and the code of a second factor. Nothing moves before the receiver accepts. The answer is the same for every address.", profile.OfPath.Deleting(), s.post, tags, web.Status(201)),
		web.Handle("GET /transfer", "List transfers that the account gives, receives or may receive, newest first. Operators who have signed in see those of all with role=all.", auth.OfAccount, s.list, tags),
		web.Handle("GET /transfer/{id}", "A transfer with what would move, stay and end, and whether it fits: for both sides and, signed in, operators.", auth.OfAccount, s.get, tags),
		web.Handle("POST /transfer/{id}/accept", "Accept a profile, saying who and what keeps access to it; needs the password of the receiver, and the code of a second factor. Who and what is not named loses it.", full, s.accept, tags),
		web.Handle("POST /transfer/{id}/decline", "Decline a transfer, as receiver or, signed in, as operator.", full, s.decline, tags),
		web.Handle("POST /transfer/{id}/cancel", "Take a transfer back that nobody has completed, as the one who gives.", full, s.cancelRoute, tags),
		web.Handle("POST /transfer/{id}/approve", "Approve a transfer that was accepted. For operators, signed in.", auth.SessionOnly, s.approve, tags),
		web.Handle("POST /transfer/{id}/undo", "Agree to undo a transfer within 24 hours of its completion; it is undone when both sides have. Needs the password, and the code of a second factor. An operator, signed in, undoes it alone.", full, s.undo, tags),
	}
}

type requestInput struct {
	ID      string `path:"id"`
	Email   string `json:"email" required:"true" description:"of the receiver, who need not have an account"`
	Message string `json:"message" description:"for the receiver"`
	proofInput
}

type proofInput struct {
	Password string `json:"password" required:"true"`
	PinCode  string `json:"pin_code" description:"of the authenticator app, or a recovery code; needed when a second factor is on"`
	OTPType  string `json:"otp_type" description:"authenticator, when given"`
}

func (in proofInput) proof(who auth.Caller) account.Proof {
	return account.Proof{Password: in.Password, Code: in.PinCode, Kind: in.OTPType, Addr: who.Addr}
}

// RequestResult is the answer to a request.
type RequestResult struct {
	ID     id.Transfer `json:"id"`
	Ticket id.Ticket   `json:"ticket"`
	State  State       `json:"state" enum:"requested"`
	Checks []Check     `json:"checks"`
}

func (s *Service) post(ctx context.Context, who auth.Caller, in requestInput) (RequestResult, error) {
	t, err := s.Request(ctx, who, in.ID, RequestInput{Email: in.Email, Message: in.Message, Proof: in.proof(who)})
	if err != nil {
		return RequestResult{}, err
	}
	out := RequestResult{ID: t.ID, Ticket: t.Ticket, State: t.State}
	p, err := s.profiles.Get(ctx, t.Profile)
	if err != nil {
		return out, err
	}
	own, err := s.ownChecks(ctx, p)
	out.Checks = append(shown(own), waiting)
	return out, err
}

// waiting stands for everything about the receiver.
var waiting = Check{Name: "receiver", Waiting: true, Blocks: true, Detail: "Waiting for the receiver: whether the profile fits there shows after acceptance."}

// Party is a side of a transfer.
type Party struct {
	Name  string `json:"name" description:"of the receiver: empty as long as nobody has accepted"`
	Email string `json:"email"`
}

// Subject is the profile of a transfer.
type Subject struct {
	ID   id.Profile `json:"id"`
	Name string     `json:"name"`
}

// Row is a transfer in a list.
type Row struct {
	ID          id.Transfer `json:"id"`
	State       State       `json:"state" enum:"requested,accepted,completed,declined,cancelled,expired,undone"`
	Role        Side        `json:"role" enum:"source,destination,operator" description:"the caller's"`
	Profile     Subject     `json:"profile"`
	From        Party       `json:"from"`
	To          Party       `json:"to"`
	RequestedAt web.Time    `json:"requested_at"`
	ExpiresAt   *web.Time   `json:"expires_at" description:"when it ends by itself; null once it is over"`
	AcceptedAt  *web.Time   `json:"accepted_at"`
	CompletedAt *web.Time   `json:"completed_at"`
	EndedAt     *web.Time   `json:"ended_at"`
}

// Token is one that would end.
type Token struct {
	ID         id.Token        `json:"id"`
	Name       string          `json:"name"`
	Tail       string          `json:"tail" description:"its last four characters"`
	Permission auth.Permission `json:"permission"`
	Reach      auth.Reach      `json:"reach"`
	MadeBy     id.Account      `json:"made_by"`
	MadeByName string          `json:"made_by_name"`
	LastUse    *web.Time       `json:"last_use"`
	ExpiresAt  *web.Time       `json:"expires_at"`
}

// Person is one who would lose access.
type Person struct {
	Account id.Account `json:"account"`
	Name    string     `json:"name"`
	Email   string     `json:"email" description:"to the receiver only in part"`
	Role    auth.Role  `json:"role"`
	Staff   bool       `json:"staff" description:"as staff of the former owner"`
	Owner   bool       `json:"owner" description:"the former owner"`
	Until   *web.Time  `json:"until" description:"when access would end anyway"`
	LastUse *web.Time  `json:"last_use"`
}

// Ends are who and what would lose access.
type Ends struct {
	Tokens []Token  `json:"tokens"`
	People []Person `json:"people"`
	Also   []string `json:"also"`
}

// UndoState is who has agreed to undo a transfer.
type UndoState struct {
	Until       web.Time  `json:"until"`
	Source      *web.Time `json:"source" description:"when the one who gave agreed; null: not yet"`
	Destination *web.Time `json:"destination"`
}

// View is a transfer as a side of it sees it.
type View struct {
	Row
	Ticket  *id.Ticket `json:"ticket" description:"null to the receiver before an answer"`
	Message string     `json:"message" description:"of the one who gives"`
	Reason  *string    `json:"reason" description:"why it ended, where somebody said so"`
	Review  bool       `json:"review" description:"an operator approves what was accepted"`
	Moves   []Amount   `json:"moves" description:"while it waits: what goes along"`
	Stays   []string   `json:"stays" description:"while it waits: what does not"`
	Ends    Ends       `json:"ends" description:"while it waits"`
	Checks  []Check    `json:"checks" description:"while it waits: whether it fits. Of the other side's only whether they are met"`
	Choices *Choices   `json:"choices" description:"of the receiver, once made"`
	Outcome *Outcome   `json:"outcome" description:"once it is completed: who and what stayed and ended"`
	Undo    *UndoState `json:"undo" description:"while it can be undone"`
	May     []string   `json:"may" description:"what the caller can do now: accept, decline, cancel, approve, undo"`
}

func (s *Service) row(ctx context.Context, t Transfer, as Side) (Row, error) {
	st := t.at(s.now())
	out := Row{ID: t.ID, State: st, Role: as, Profile: Subject{t.Profile, t.Name}, To: Party{Email: t.Address}, RequestedAt: web.Millis(t.RequestedAt),
		AcceptedAt: maybe(t.AcceptedAt), CompletedAt: maybe(t.CompletedAt), EndedAt: maybe(t.EndedAt)}
	if st.open() {
		out.ExpiresAt = maybe(t.ExpiresAt)
	}
	for a, to := range map[id.Account]*Party{t.Source: &out.From, t.Destination: &out.To} {
		if a == "" || to == &out.To && as == Source && t.AcceptedAt == 0 { // who declines stays unknown to the one who gives
			continue
		}
		acc, err := s.accounts.Get(ctx, a)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return out, err
		}
		to.Name = acc.Name
		if to == &out.From {
			to.Email = acc.Email
		}
	}
	return out, nil
}

func (s *Service) view(ctx context.Context, who auth.Caller, t Transfer, as Side) (View, error) {
	out := View{Review: s.cfg.Policy == Review, Message: t.Message, Moves: []Amount{}, Stays: []string{}, Ends: Ends{Tokens: []Token{}, People: []Person{}, Also: []string{}}, Checks: []Check{}}
	var err error
	if out.Row, err = s.row(ctx, t, as); err != nil {
		return out, err
	}
	if as != Destination || t.Destination != "" && t.AcceptedAt > 0 {
		out.Ticket = &t.Ticket
	}
	if t.Reason != "" {
		out.Reason = &t.Reason
	}
	if t.AcceptedAt > 0 && t.Choices.FormerOwner != "" {
		out.Choices = &t.Choices
	}
	if t.CompletedAt > 0 && t.Outcome.People != nil {
		out.Outcome = &t.Outcome
	}
	if s.undoable(t) == nil {
		out.Undo = &UndoState{Until: web.Millis(t.CompletedAt + undoFor.Milliseconds()), Source: maybe(t.UndoSource), Destination: maybe(t.UndoDestination)}
	}
	out.May = s.may(who, t, as)
	if !out.State.open() {
		return out, nil
	}
	err = s.forecast(ctx, &out, t, as, who)
	return out, err
}

// forecast fills in what would happen, as one side is to see it.
func (s *Service) forecast(ctx context.Context, out *View, t Transfer, as Side, who auth.Caller) error {
	p, err := s.profiles.Get(ctx, t.Profile)
	if err != nil {
		if fault.Is(err, fault.NotFound) {
			err = nil // it is being deleted: the state follows
		}
		return err
	}
	to := t.Destination
	if as == Destination {
		to = who.AccountID
	}
	if out.Moves, err = s.moves(ctx, t.Profile); err != nil {
		return err
	}
	if out.Stays, err = s.stays(ctx, p); err != nil {
		return err
	}
	if out.Ends.Also, err = s.alsoEnds(ctx, t.Profile); err != nil {
		return err
	}
	tokens, err := s.tokens.Endings(ctx, p, to)
	if err != nil {
		return err
	}
	for _, e := range tokens {
		out.Ends.Tokens = append(out.Ends.Tokens, Token{ID: e.ID, Name: e.Name, Tail: e.Tail, Permission: e.Permission, Reach: e.Reach,
			MadeBy: e.CreatedBy, MadeByName: e.CreatedByName, LastUse: e.LastUse, ExpiresAt: e.ExpiresAt})
	}
	people, err := s.teams.Affected(ctx, p, to)
	if err != nil {
		return err
	}
	for _, a := range people {
		x := Person{Account: a.Account, Name: a.Name, Email: a.Email, Role: a.Role, Staff: a.Staff, Owner: a.Owner, Until: a.Until, LastUse: a.LastUse}
		if as == Destination && !a.Owner {
			x.Email = inPart(a.Email)
		}
		out.Ends.People = append(out.Ends.People, x)
	}
	if to == "" { // nobody has answered: the same whether or not there is an account
		own, err := s.ownChecks(ctx, p)
		out.Checks = append(shown(own), waiting)
		return err
	}
	own, theirs, err := s.checks(ctx, p, to)
	switch as {
	case Source:
		theirs = hidden(theirs)
	case Destination:
		own = hidden(own)
	}
	out.Checks = append(shown(own), shown(theirs)...)
	return err
}

// inPart is as much of an address as a colleague needs to recognise it: "a…@harbour.example".
func inPart(email string) string {
	at := strings.LastIndexByte(email, '@')
	if at < 1 {
		return "…"
	}
	return string([]rune(email)[:1]) + "…" + email[at:]
}

// may is what somebody can do with a transfer now.
func (s *Service) may(who auth.Caller, t Transfer, as Side) []string {
	out := []string{}
	st, operator := t.at(s.now()), asOperator(who)
	switch {
	case as == Destination && st == Requested:
		out = append(out, "accept", "decline")
	case as == Destination && st == Accepted, as == Operator && st.open():
		out = append(out, "decline")
	case as == Source && st.open():
		out = append(out, "cancel")
	}
	if operator && st == Accepted {
		out = append(out, "approve")
	}
	if s.undoable(t) == nil && (operator || as == Source && t.UndoSource == 0 || as == Destination && t.UndoDestination == 0) {
		out = append(out, "undo")
	}
	return out
}

type listInput struct {
	Role  string   `query:"role" enum:"source,destination,all" description:"source: those the account gives; destination: those it receives or may; all: of everybody, for operators who have signed in; left out, both of its own"`
	State []string `query:"state" description:"only those in one of these states"`
	List  web.List
}

func (s *Service) list(ctx context.Context, who auth.Caller, in listInput) ([]Row, error) {
	in.List.Cap(maxAmount)
	acc, err := s.accounts.Get(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	address := "" // an address that is not confirmed is nobody's
	if acc.Active {
		address = acc.Email
	}
	const gives, receives = `source = ?`, `(destination = ? OR destination = '' AND address = ? AND source <> ?)`
	var w *sqldb.Where
	switch in.Role {
	case "":
		w = sqldb.NewWhere(`(`+gives+` OR `+receives+`)`, who.AccountID, who.AccountID, address, who.AccountID)
	case "source":
		w = sqldb.NewWhere(gives, who.AccountID)
	case "destination":
		w = sqldb.NewWhere(receives, who.AccountID, address, who.AccountID)
	case "all":
		if !asOperator(who) {
			return nil, auth.LacksOperator()
		}
		w = &sqldb.Where{}
	default:
		return nil, fault.Field("role", "must be source, destination or all")
	}
	if len(in.State) > 0 {
		if err := s.whereState(w, in.State); err != nil {
			return nil, err
		}
	}
	ts, err := s.page(ctx, w, in.List.Limit(), in.List.Offset())
	if err != nil {
		return nil, err
	}
	out := make([]Row, len(ts))
	for i, t := range ts {
		as, err := s.side(ctx, who, t)
		if err != nil {
			return nil, err
		}
		if out[i], err = s.row(ctx, t, as); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// whereState narrows a list to states as they are now: what is past its date has expired.
func (s *Service) whereState(w *sqldb.Where, wanted []string) error {
	var conds []string
	var args []any
	now := s.now()
	for _, v := range wanted {
		st := State(v)
		switch {
		case !slices.Contains(states, st):
			return fault.Field("state", "must be requested, accepted, completed, declined, cancelled, expired or undone")
		case st.open():
			conds, args = append(conds, `(state = ? AND expires_at > ?)`), append(args, v, now)
		case st == Expired:
			conds, args = append(conds, `(state = 'expired' OR state IN ('requested', 'accepted') AND expires_at <= ?)`), append(args, now)
		default:
			conds, args = append(conds, `state = ?`), append(args, v)
		}
	}
	w.And(`(`+strings.Join(conds, " OR ")+`)`, args...)
	return nil
}

type pathInput struct {
	ID id.Transfer `path:"id"`
}

func (s *Service) get(ctx context.Context, who auth.Caller, in pathInput) (View, error) {
	t, as, err := s.see(ctx, who, in.ID)
	if err != nil {
		return View{}, err
	}
	return s.view(ctx, who, t, as)
}

type acceptInput struct {
	ID id.Transfer `path:"id"`
	proofInput
	FormerOwner team.Fate                `json:"former_owner" enum:"developer,viewer,end" description:"what becomes of the former owner's access; end when left out"`
	Tokens      map[id.Token]token.Fate  `json:"tokens" description:"by the id of a token that would end: end, adopt (it goes on as the new owner's) or overlap (for 24 hours)"`
	People      map[id.Account]team.Fate `json:"people" description:"by the account of a person who would lose access: end, adopt (they stay) or overlap (for 24 hours)"`
}

func (s *Service) accept(ctx context.Context, who auth.Caller, in acceptInput) (View, error) {
	err := s.Accept(ctx, who, in.ID, Choices{FormerOwner: in.FormerOwner, Tokens: in.Tokens, People: in.People}, in.proof(who))
	return s.after(ctx, who, in.ID, err)
}

// after is a transfer as it stands after a change.
func (s *Service) after(ctx context.Context, who auth.Caller, tid id.Transfer, err error) (View, error) {
	if err != nil {
		return View{}, err
	}
	return s.get(ctx, who, pathInput{tid})
}

type reasonInput struct {
	ID     id.Transfer `path:"id"`
	Reason string      `json:"reason" description:"the others read it"`
}

func (s *Service) decline(ctx context.Context, who auth.Caller, in reasonInput) (View, error) {
	return s.after(ctx, who, in.ID, s.Decline(ctx, who, in.ID, in.Reason))
}

func (s *Service) cancelRoute(ctx context.Context, who auth.Caller, in pathInput) (View, error) {
	return s.after(ctx, who, in.ID, s.Cancel(ctx, who, in.ID))
}

func (s *Service) approve(ctx context.Context, who auth.Caller, in pathInput) (View, error) {
	return s.after(ctx, who, in.ID, s.Approve(ctx, who, in.ID))
}

type undoInput struct {
	ID       id.Transfer `path:"id"`
	Password string      `json:"password" description:"of a side"`
	PinCode  string      `json:"pin_code" description:"of the authenticator app, or a recovery code; needed when a second factor is on"`
	OTPType  string      `json:"otp_type" description:"authenticator, when given"`
	Operator bool        `json:"operator" description:"as operator, by an operator who is a side, too"`
	Reason   string      `json:"reason" description:"of an operator; the others read it"`
}

func (s *Service) undo(ctx context.Context, who auth.Caller, in undoInput) (View, error) {
	err := s.Undo(ctx, who, in.ID, UndoInput{Proof: account.Proof{Password: in.Password, Code: in.PinCode, Kind: in.OTPType, Addr: who.Addr}, Operator: in.Operator, Reason: in.Reason})
	return s.after(ctx, who, in.ID, err)
}
