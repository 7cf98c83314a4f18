package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
)

// maxAmount is how many rows a page has at most.
const maxAmount = 1000

// ofPerson is the rule of what belongs to a person: no profile needs to be named.
var ofPerson = auth.Rule{Kinds: []auth.Kind{auth.Session, auth.Profile}}

// Routes are the routes of this room.
func (s *Service) Routes() []web.Route {
	return []web.Route{
		web.Handle("GET /notification", "List the caller's notifications, the latest first. A token of reach profile sees those of its profile only.", ofPerson, s.listRoute),
		web.Handle("GET /notification/unread", "Count the caller's unread notifications, and those that were never read and are gone.", ofPerson, s.unreadRoute),
		web.Handle("POST /notification", "Put a notification into the caller's own list.", ofPerson, s.createRoute, web.Status(201)),
		web.Handle("PUT /notification/read", "Say that notifications were read, or take that back.", ofPerson, s.readRoute),
		web.Handle("PUT /notification/markallread", "Say that all notifications were read.", ofPerson, s.allReadRoute),
		web.Handle("PUT /notification/{id}/{button}", "Press a button of a notification.", ofPerson, s.pressRoute),
		web.Handle("DELETE /notification/{id}", "Delete a notification.", ofPerson, s.deleteRoute),
		web.Handle("POST /notification/push/register", "Refused: this server pushes to no phones.", ofPerson, s.registerRoute),
		web.Handle("POST /notification/push/unregister", "A phone is not registered here.", ofPerson, s.unregisterRoute),

		web.Handle("GET /account/notify", "What the caller is told of all profiles, by mail and notification, and the account's webhook.", auth.OfAccount, s.accountRoute),
		web.Handle("PUT /account/notify", "Choose that; a new webhook's secret is in the answer, and nowhere else.", auth.OfAccount, s.setAccountRoute),
		web.Handle("POST /account/notify/test", "Tell the caller something by each channel and say what happened.", auth.OfAccount, s.tryAccountRoute),
		web.Handle("GET /account/notify/deliveries", "What was told of the account itself, to whom and how it went. Kept for 30 days.", auth.OfAccount, s.accountDeliveriesRoute),
		web.Handle("GET /profile/{id}/notify", "What the caller is told of a profile, and its webhook.", profile.OfPath, s.profileRoute),
		web.Handle("PUT /profile/{id}/notify", "Choose that; null follows the choice for all profiles.", profile.OfPath, s.setProfileRoute),
		web.Handle("POST /profile/{id}/notify/test", "Tell the caller something by each channel and say what happened.", profile.OfPath, s.tryProfileRoute),
		web.Handle("GET /profile/{id}/notify/deliveries", "What was told of a profile, to whom and how it went; who is below admin sees what oneself was told. Kept for 30 days.", profile.OfPath, s.profileDeliveriesRoute),

		web.Handle("GET /outbox", "Mails that have not been delivered; for operators.", auth.SessionOnly, s.outboxRoute),
		web.Handle("GET /outbox/{id}", "One of them, with the link in it; leaves a line in the audit log.", auth.SessionOnly, s.mailRoute),
		web.Handle("POST /outbox/{id}/retry", "Send it now.", auth.SessionOnly, s.retryRoute),
		web.Handle("DELETE /outbox/{id}", "Discard it.", auth.SessionOnly, s.discardRoute),
	}
}

func unfiltered(l web.List) error {
	if keys := l.Filter.Keys(); len(keys) > 0 {
		return fault.Field(l.Filter.Child(keys[0]).Path(), "is not a known filter")
	}
	return nil
}

// Row is a notification on the wire.
type Row struct {
	ID          id.Notification `json:"id"`
	Type        Type            `json:"type" enum:"application,sharing,system,run"`
	Profile     *id.Profile     `json:"profile" description:"what it is about; null for the account"`
	Title       string          `json:"title"`
	Message     string          `json:"message"`
	Read        bool            `json:"read"`
	Icon        json.RawMessage `json:"icon,omitempty" description:"{image_url or svg_url, fit, svg_color, bg_color}, as it was created"`
	Buttons     []Button        `json:"buttons"`
	Enabled     bool            `json:"buttons_enabled"`
	Autodisable bool            `json:"buttons_autodisable"`
	CreatedAt   web.Time        `json:"created_at"`
}

// Row is the notification on the wire.
func (n Notification) Row() Row {
	r := Row{ID: n.ID, Type: n.Type, Title: n.Title, Message: n.Message, Read: n.ReadAt > 0, Icon: n.Icon, Buttons: n.Buttons, Enabled: n.Enabled,
		Autodisable: n.Autodisable, CreatedAt: web.Millis(n.CreatedAt)}
	if n.Profile != "" {
		r.Profile = &n.Profile
	}
	return r
}

type listInput struct {
	List   web.List
	Type   Type   `query:"type" enum:"application,sharing,system,run"`
	Search string `query:"search" description:"in title or message, in any case"`
}

func (s *Service) listRoute(ctx context.Context, who auth.Caller, in listInput) ([]Row, error) {
	f := noticeFilter{types: in.Type, search: in.Search}
	q := in.List.Filter
	for _, k := range q.Keys() {
		var err error
		switch k {
		case "read":
			f.read, err = q.Bool("read")
		case "type":
			var text string
			text, err = q.Text("type")
			f.types = Type(text)
		case "profile":
			var text string
			text, err = q.Text("profile")
			f.profile = id.Profile(text)
		default:
			err = fault.Field(q.Child(k).Path(), "is not a known filter; there are read, type and profile")
		}
		if err != nil {
			return nil, err
		}
	}
	if f.types != "" && !f.types.valid() {
		return nil, fault.Field("type", "must be application, sharing, system or run")
	}
	if f.profile != "" && !id.Valid(string(f.profile)) {
		return nil, fault.Field("filter[profile]", "must be an id: 24 lower-case hex characters")
	}
	if utf8.RuneCountInString(f.search) > maxTitle {
		return nil, fault.Field("search", "must have at most %d characters", maxTitle)
	}
	order, err := in.List.Order(map[string]string{"created_at": "created_at", "title": "title", "read": "read_at"}, "created_at DESC")
	if err != nil {
		return nil, err
	}
	in.List.Cap(maxAmount)
	ns, err := s.listNotices(ctx, scopeOf(who), f, order, in.List.Limit(), in.List.Offset())
	if err != nil {
		return nil, err
	}
	out := make([]Row, len(ns))
	for i, n := range ns {
		out[i] = n.Row()
	}
	return out, nil
}

// Unread counts.
type Unread struct {
	Unread int64     `json:"unread"`
	Lost   int64     `json:"lost" description:"never read and gone: ignored for two weeks, or pushed out of a full list; markallread forgets this"`
	Since  *web.Time `json:"lost_since"`
}

func (s *Service) unreadRoute(ctx context.Context, who auth.Caller, _ struct{}) (Unread, error) {
	n, lost, since, err := s.unread(ctx, scopeOf(who))
	return Unread{n, lost, maybeTime(since)}, err
}

func maybeTime(ms int64) *web.Time {
	if ms == 0 {
		return nil
	}
	t := web.Millis(ms)
	return &t
}

type createInput struct {
	Title       string   `json:"title" required:"true"`
	Message     string   `json:"message" required:"true"`
	Read        bool     `json:"read"`
	Icon        *icon    `json:"icon"`
	Buttons     []Button `json:"buttons" description:"at most 10, each {id, label, color?, triggers: [{url, method: \"REDIRECT\"}]}"`
	Enabled     *bool    `json:"buttons_enabled" description:"true unless said otherwise"`
	Autodisable bool     `json:"buttons_autodisable" description:"the first press ends all of them"`
}

func (in createInput) Validate() error {
	if err := check.Line("title", in.Title, 1, maxTitle); err != nil {
		return err
	}
	if in.Message == "" {
		return fault.Field("message", "is required")
	}
	if err := check.Prose("message", in.Message, maxMessage); err != nil {
		return err
	}
	return checkButtons(in.Buttons)
}

func (s *Service) createRoute(ctx context.Context, who auth.Caller, in createInput) (map[string]id.Notification, error) {
	if who.AccountID == "" {
		return nil, auth.Denied()
	}
	n := Notification{Account: who.AccountID, Profile: who.ProfileID, Type: Application, Title: in.Title, Message: in.Message, Buttons: in.Buttons,
		Enabled: in.Enabled == nil || *in.Enabled, Autodisable: in.Autodisable}
	if in.Read {
		n.ReadAt = s.now()
	}
	for i := range n.Buttons {
		if n.Buttons[i].Triggers == nil {
			n.Buttons[i].Triggers = []Trigger{}
		}
	}
	if in.Icon != nil {
		var err error
		if n.Icon, err = in.Icon.encode(); err != nil {
			return nil, err
		}
	}
	n, err := s.Notify(ctx, n)
	if err != nil {
		return nil, err
	}
	return map[string]id.Notification{"id": n.ID}, nil
}

func (s *Service) readRoute(ctx context.Context, who auth.Caller, in struct {
	IDs  []id.Notification `json:"notification_ids" description:"at most 1000"`
	Read *bool             `json:"read" description:"false takes it back"`
}) (string, error) {
	if in.Read == nil {
		return "", fault.Field("read", "is required: true or false")
	}
	if len(in.IDs) == 0 || len(in.IDs) > maxAmount {
		return "", fault.Field("notification_ids", "must be a list of 1 to %d ids", maxAmount)
	}
	for i, n := range in.IDs {
		if !id.Valid(string(n)) {
			return "", fault.Field(fmt.Sprintf("notification_ids[%d]", i), "must be an id: 24 lower-case hex characters")
		}
	}
	_, err := s.setRead(ctx, scopeOf(who), in.IDs, *in.Read)
	return "Successfully Updated", err
}

func (s *Service) allReadRoute(ctx context.Context, who auth.Caller, _ struct{}) (string, error) {
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		sc := scopeOf(who)
		if _, err := s.setRead(ctx, sc, nil, true); err != nil || sc.profile != "" {
			return err
		}
		return s.forgetLost(ctx, sc.account)
	})
	return "All TagoIO Notification Run Successfully Updated", err
}

func (s *Service) pressRoute(ctx context.Context, who auth.Caller, in struct {
	ID     id.Notification `path:"id"`
	Button string          `path:"button"`
}) (string, error) {
	return "Successfully Updated", s.Press(ctx, who, in.ID, in.Button)
}

func (s *Service) deleteRoute(ctx context.Context, who auth.Caller, in struct {
	ID id.Notification `path:"id"`
}) (string, error) {
	return "Successfully Removed", s.remove(ctx, scopeOf(who), in.ID)
}

func (s *Service) registerRoute(context.Context, auth.Caller, struct{}) (string, error) {
	return "", fault.New(fault.Conflict, "This server pushes to no phones: nothing was registered. Listen to the channel notification of GET /events, or set a webhook")
}

func (s *Service) unregisterRoute(context.Context, auth.Caller, struct{}) (string, error) {
	return "No phone is registered here", nil
}

// HookRow is a webhook on the wire; its secret never is.
type HookRow struct {
	URL       *string       `json:"url" description:"null for those who may not change it"`
	Origin    string        `json:"origin" example:"https://example.com"`
	Kinds     map[Kind]bool `json:"kinds"`
	From      string        `json:"from" enum:"account,profile" description:"whose it is"`
	CreatedAt web.Time      `json:"created_at" description:"of its address and secret"`
}

func (h hook) row(from string, whole bool) *HookRow {
	if h.url == "" {
		return nil
	}
	r := HookRow{Origin: origin(h.url), Kinds: map[Kind]bool{}, From: from, CreatedAt: web.Millis(h.created)}
	for _, k := range Kinds {
		v, said := h.kinds[k]
		r.Kinds[k] = v || !said
	}
	if whole {
		r.URL = &h.url
	}
	return &r
}

// AccountSettings are what a person is told of all profiles.
type AccountSettings struct {
	Mail       map[Kind]bool `json:"mail"`
	Notice     map[Kind]bool `json:"notice"`
	Webhook    *HookRow      `json:"webhook"`
	MailServer bool          `json:"mail_server" description:"false: mails wait in the outbox of whoever runs the server"`
}

func (s *Service) accountRoute(ctx context.Context, who auth.Caller, _ struct{}) (AccountSettings, error) {
	all, _, err := s.personalOf(ctx, who.AccountID, "")
	if err != nil {
		return AccountSettings{}, err
	}
	h, _, err := s.findHook(ctx, ofAccount(who.AccountID))
	return AccountSettings{filled(Mail, all, personal{}), filled(Notice, all, personal{}), h.row("account", true), s.mail.Configured()}, err
}

type settingsInput struct {
	Mail    map[Kind]*bool     `json:"mail" description:"by kind: limit, silent, recovered, token, team, system"`
	Notice  map[Kind]*bool     `json:"notice"`
	Webhook web.Opt[HookInput] `json:"webhook" description:"null removes it"`
}

// Secret is the answer to a change of settings.
type Secret struct {
	Secret *string `json:"webhook_secret" description:"of a new address, or made anew; shown only here"`
}

func (s *Service) setAccountRoute(ctx context.Context, who auth.Caller, in settingsInput) (Secret, error) {
	return s.set(ctx, who, "", in)
}

// set changes the settings of a person for a profile, or for all with "", and the webhook. Whoever sets that reads what is
// posted, so it takes more than writing.
func (s *Service) set(ctx context.Context, who auth.Caller, p id.Profile, in settingsInput) (out Secret, err error) {
	if in.Webhook.Set && who.Permission != auth.Full {
		return out, auth.LacksPermission(who.Permission, auth.Full)
	}
	subject := ofAccount(who.AccountID)
	if p != "" {
		subject = ofProfile(p)
	}
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		if err := s.choose(ctx, who, p, in.Mail, in.Notice); err != nil || !in.Webhook.Set {
			return err
		}
		secret, err := s.setHook(ctx, who, subject, p, in.Webhook.Ptr())
		if secret != "" {
			out.Secret = &secret
		}
		return err
	})
	return out, err
}

func (s *Service) tryAccountRoute(ctx context.Context, who auth.Caller, _ struct{}) ([]Trial, error) {
	return s.Try(ctx, who, "")
}

// ProfileSettings are what a person is told of a profile.
type ProfileSettings struct {
	Mail       map[Kind]bool  `json:"mail" description:"what counts"`
	Notice     map[Kind]bool  `json:"notice"`
	Own        OwnSettings    `json:"own" description:"what was said for this profile; null follows the choice for all"`
	Webhook    *HookRow       `json:"webhook" description:"what counts: the profile's, else its owner's"`
	WebhookOff bool           `json:"webhook_off" description:"the profile wants none although its owner may have one"`
	MailServer bool           `json:"mail_server" description:"false: mails wait in the outbox of whoever runs the server"`
	Recipients []RecipientRow `json:"recipients" description:"who is told"`
}

// OwnSettings are those of one profile.
type OwnSettings struct {
	Mail   map[Kind]*bool `json:"mail"`
	Notice map[Kind]*bool `json:"notice"`
}

// RecipientRow is somebody who is told.
type RecipientRow struct {
	ID   id.Account `json:"id"`
	Name string     `json:"name"`
}

func said(c Choices) map[Kind]*bool {
	out := map[Kind]*bool{}
	for _, k := range Kinds {
		if v, ok := c[k]; ok {
			out[k] = &v
		} else {
			out[k] = nil
		}
	}
	return out
}

type profilePath struct {
	ID string `path:"id"`
}

// ofSomebody refuses a token that a new owner of the profile took over: what a person is told, and where, is not for whoever
// made the token.
func ofSomebody(who auth.Caller) error {
	if who.Adopted {
		return auth.LacksOwner(who.Role)
	}
	return nil
}

func (s *Service) profileRoute(ctx context.Context, who auth.Caller, in profilePath) (ProfileSettings, error) {
	p, who, err := s.profiles.Resolve(ctx, who, in.ID, auth.Viewer)
	if err == nil {
		err = ofSomebody(who)
	}
	if err != nil {
		return ProfileSettings{}, err
	}
	all, own, err := s.personalOf(ctx, who.AccountID, p.ID)
	if err != nil {
		return ProfileSettings{}, err
	}
	out := ProfileSettings{Mail: filled(Mail, all, own), Notice: filled(Notice, all, own), Own: OwnSettings{said(own.Mail), said(own.Notice)},
		MailServer: s.mail.Configured(), Recipients: []RecipientRow{}}
	h, _, err := s.hookFor(ctx, p.ID, p.Account)
	if err != nil {
		return out, err
	}
	from, admin := "account", who.Role.AtLeast(auth.Admin)
	if h.subject == ofProfile(p.ID) {
		from, out.WebhookOff = "profile", h.url == ""
	}
	// The address of all the owner's profiles is neither for others nor for a token of one.
	whole := who.IsOwner() && (who.Kind == auth.Session || who.Reach == auth.ReachAccount)
	out.Webhook = h.row(from, whole || admin && from == "profile")
	to, err := s.audience(ctx, p.ID)
	if err != nil {
		return out, err
	}
	for _, a := range to {
		acc, err := s.accounts.Get(ctx, a)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return out, err
		}
		out.Recipients = append(out.Recipients, RecipientRow{a, acc.Name})
	}
	return out, nil
}

func (s *Service) setProfileRoute(ctx context.Context, who auth.Caller, in struct {
	ID string `path:"id"`
	settingsInput
}) (Secret, error) {
	least := auth.Viewer // what one is told oneself
	if in.Webhook.Set {
		least = auth.Admin // where a profile's events go
	}
	p, who, err := s.profiles.Resolve(ctx, who, in.ID, least)
	if err == nil {
		err = ofSomebody(who)
	}
	if err != nil {
		return Secret{}, err
	}
	return s.set(ctx, who, p.ID, in.settingsInput)
}

func (s *Service) tryProfileRoute(ctx context.Context, who auth.Caller, in profilePath) ([]Trial, error) {
	p, who, err := s.profiles.Resolve(ctx, who, in.ID, auth.Developer)
	if err == nil {
		err = ofSomebody(who)
	}
	if err != nil {
		return nil, err
	}
	return s.Try(ctx, who, p.ID)
}

// DeliveryRow is a delivery on the wire.
type DeliveryRow struct {
	ID        id.Delivery `json:"id"`
	Event     id.Event    `json:"event" description:"the same in everything that tells it; the id in a webhook's body"`
	Kind      Kind        `json:"kind" enum:"limit,silent,recovered,token,team,system,test"`
	Title     string      `json:"title"`
	Channel   Channel     `json:"channel" enum:"mail,notice,webhook"`
	Account   id.Account  `json:"account" description:"to whom; of a webhook, whose"`
	Target    *string     `json:"target" description:"a mail address, or the origin of a webhook"`
	Status    Status      `json:"status" enum:"waiting,delivered,failed,held"`
	Attempts  int64       `json:"attempts"`
	Reason    *string     `json:"reason" description:"what the last attempt met, or why it was not made"`
	NextAt    *web.Time   `json:"next_at" description:"of a webhook that waits: the next attempt"`
	CreatedAt web.Time    `json:"created_at"`
	DoneAt    *web.Time   `json:"done_at"`
}

func (d delivery) row() DeliveryRow {
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	r := DeliveryRow{ID: d.id, Event: d.event, Kind: d.kind, Title: d.title, Channel: d.channel, Account: d.account, Target: text(d.target), Status: d.status,
		Attempts: d.attempts, Reason: text(d.reason), CreatedAt: web.Millis(d.at), DoneAt: maybeTime(d.doneAt)}
	if d.status == Waiting {
		r.NextAt = maybeTime(d.nextAt)
	}
	return r
}

type deliveriesInput struct {
	List    web.List
	Channel Channel `query:"channel" enum:"mail,notice,webhook"`
	Status  Status  `query:"status" enum:"waiting,delivered,failed,held"`
	Kind    Kind    `query:"kind" enum:"limit,silent,recovered,token,team,system,test"`
}

func (in deliveriesInput) filter() (deliveryFilter, error) {
	f := deliveryFilter{channel: in.Channel, status: in.Status, kind: in.Kind}
	switch {
	case f.channel != "" && !slices.Contains([]Channel{Mail, Notice, Webhook}, f.channel):
		return f, fault.Field("channel", "must be mail, notice or webhook")
	case f.status != "" && !slices.Contains([]Status{Waiting, Delivered, Failed, Held}, f.status):
		return f, fault.Field("status", "must be waiting, delivered, failed or held")
	case f.kind != "" && f.kind != trialKind && !slices.Contains(Kinds, f.kind):
		return f, fault.Field("kind", "must be one of %s, test", kindNames())
	}
	return f, unfiltered(in.List)
}

func (s *Service) deliveries(ctx context.Context, p id.Profile, account id.Account, in deliveriesInput) ([]DeliveryRow, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	f.account = account
	in.List.Cap(maxAmount)
	ds, err := s.listDeliveries(ctx, p, f, in.List.Limit(), in.List.Offset())
	if err != nil {
		return nil, err
	}
	out := make([]DeliveryRow, len(ds))
	for i, d := range ds {
		out[i] = d.row()
	}
	return out, nil
}

func (s *Service) accountDeliveriesRoute(ctx context.Context, who auth.Caller, in deliveriesInput) ([]DeliveryRow, error) {
	return s.deliveries(ctx, "", who.AccountID, in)
}

func (s *Service) profileDeliveriesRoute(ctx context.Context, who auth.Caller, in struct {
	ID string `path:"id"`
	deliveriesInput
}) ([]DeliveryRow, error) {
	p, who, err := s.profiles.Resolve(ctx, who, in.ID, auth.Viewer)
	if err == nil {
		err = ofSomebody(who)
	}
	if err != nil {
		return nil, err
	}
	account := who.AccountID
	if who.Role.AtLeast(auth.Admin) {
		account = ""
	}
	return s.deliveries(ctx, p.ID, account, in.deliveriesInput)
}
