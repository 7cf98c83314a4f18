package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

// Type is where a notification comes from. The words follow TagoIO's.
type Type string

const (
	Application Type = "application" // a script of the person's own
	Sharing     Type = "sharing"     // somebody shares a profile
	System      Type = "system"      // Paddock: alerts, tokens, teams
	Run         Type = "run"         // the application's users
)

func (t Type) valid() bool { return t == Application || t == Sharing || t == System || t == Run }

const (
	keepPer     = 1000                // notifications of an account
	ignoredFor  = 14 * 24 * time.Hour // unread ones go after this
	readFor     = 90 * 24 * time.Hour // read ones
	dropSlice   = 500
	maxTitle    = 200
	maxMessage  = 2000
	maxButtons  = 10
	maxTriggers = 5
	maxLink     = 2000
	maxIcon     = 5000 // bytes of JSON
)

// Notification is a line in a person's list.
type Notification struct {
	ID          id.Notification
	Account     id.Account // whose
	Profile     id.Profile // what it is about; "" for the account only
	Type        Type
	Title       string
	Message     string
	Icon        json.RawMessage // as the client sent it; nil for none
	Buttons     []Button
	Enabled     bool // the buttons can be pressed
	Autodisable bool // and once one was, no more
	Ref         string
	ReadAt      int64 // UTC milliseconds, 0 while unread
	CreatedAt   int64
}

// Button is one of a notification. Its shape on the wire is TagoIO's.
type Button struct {
	ID       string    `json:"id"`
	Label    string    `json:"label"`
	Color    string    `json:"color,omitempty"`
	Triggers []Trigger `json:"triggers"`
}

// Trigger is what a button does: it leads to a page (url with the method REDIRECT), or answers an invitation.
type Trigger struct {
	URL          string `json:"url,omitempty"`
	Method       string `json:"method,omitempty"`
	ShareProfile string `json:"share_profile,omitempty" enum:"accept,refuse"`
	Analysis     string `json:"analysis_id,omitempty"`
}

// Link is a button that leads to a page.
func Link(id, label, url string) Button {
	return Button{ID: id, Label: label, Triggers: []Trigger{{URL: url, Method: "REDIRECT"}}}
}

// Share are the two buttons of an invitation.
func Share() []Button {
	return []Button{
		{ID: "accept", Label: "Accept", Triggers: []Trigger{{ShareProfile: "accept"}}},
		{ID: "refuse", Label: "Decline", Triggers: []Trigger{{ShareProfile: "refuse"}}},
	}
}

var errNotFound = fault.New(fault.NotFound, "Notification Not Found")

// Notify puts a notification into a person's list, in the transaction of ctx or one of its own. ID and CreatedAt are
// filled in; title and message are made one line and some, cut where they are too long. Of an Application a full list
// of unread ones refuses more; what Paddock tells takes the place of the oldest.
func (s *Service) Notify(ctx context.Context, n Notification) (Notification, error) {
	n.Title, n.Message = line(n.Title, maxTitle), prose(n.Message, maxMessage)
	n.ID, n.CreatedAt = id.New[id.Notification](), s.now()
	if n.Buttons == nil {
		n.Buttons = []Button{}
	}
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		if err := s.makeRoom(ctx, n); err != nil {
			return err
		}
		if err := s.insert(ctx, n); err != nil {
			return fmt.Errorf("insert a notification: %w", err)
		}
		sqldb.AfterCommit(ctx, func() {
			for _, f := range s.onNotice {
				f(n)
			}
		})
		return nil
	})
	return n, err
}

// makeRoom lets the oldest read ones go when the list is full, then, for what Paddock tells, the oldest unread.
func (s *Service) makeRoom(ctx context.Context, n Notification) error {
	have, err := s.count(ctx, n.Account)
	if err != nil || have < keepPer {
		return err
	}
	excess := have - keepPer + 1
	gone, err := s.db.Exec(ctx, `DELETE FROM notification WHERE account = $1 AND id IN (
		SELECT id FROM notification WHERE account = $2 AND read_at > 0 ORDER BY created_at, id LIMIT $3)`, n.Account, n.Account, excess)
	if err != nil || gone == excess {
		return err
	}
	if n.Type == Application {
		return fault.New(fault.LimitReached, "You have exceeded the maximum limit of unread notifications (%d). Read or delete some first", keepPer).With(fault.Limit{
			Limit: "notification", Scope: "account", Used: keepPer, Allowed: keepPer, Hint: "Read or delete notifications first."})
	}
	lost, err := s.db.Exec(ctx, `DELETE FROM notification WHERE account = $1 AND id IN (
		SELECT id FROM notification WHERE account = $2 ORDER BY created_at, id LIMIT $3)`, n.Account, n.Account, excess-gone)
	if err != nil {
		return err
	}
	return s.countLost(ctx, n.Account, lost)
}

// Settle ends the buttons of what is about ref: what they ask was decided elsewhere.
func (s *Service) Settle(ctx context.Context, a id.Account, ref string) error {
	_, err := s.db.Exec(ctx, `UPDATE notification SET buttons_enabled = $1 WHERE account = $2 AND ref = $3 AND ref <> ''`, false, a, ref)
	return err
}

// Press does what a button stands for. It returns not_found for a notification or button that is not there, conflict
// when the buttons were used or settled before, and what the handler of the type refuses.
func (s *Service) Press(ctx context.Context, who auth.Caller, nid id.Notification, button string) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		n, err := s.find(ctx, scopeOf(who), nid)
		if err != nil {
			return err
		}
		var b *Button
		for i := range n.Buttons {
			if n.Buttons[i].ID == button {
				b = &n.Buttons[i]
			}
		}
		if b == nil {
			return fault.New(fault.NotFound, "Button Not Found")
		}
		// Only who may act for the account may bind it to somebody's profile.
		if n.Type == Sharing {
			if err := auth.OfAccount.Check("PUT", who); err != nil {
				return err
			}
		}
		ends := n.Autodisable || n.Type == Sharing
		changed, err := s.db.Exec(ctx, `UPDATE notification SET buttons_enabled = $1, read_at = CASE WHEN read_at = 0 THEN $2 ELSE read_at END
			WHERE account = $3 AND id = $4 AND buttons_enabled = $5`, !ends, s.now(), n.Account, n.ID, true)
		if err != nil {
			return err
		}
		if changed == 0 {
			return fault.New(fault.Conflict, "The buttons of this notification cannot be pressed any more")
		}
		word, _, _ := strings.Cut(n.Ref, "/")
		if f := s.byRef[word]; f != nil {
			return f(ctx, who, n, *b)
		}
		if f := s.buttons[n.Type]; f != nil {
			return f(ctx, who, n, *b)
		}
		return nil
	})
}

var (
	buttonID = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,50}$`)
	colour   = regexp.MustCompile(`^#[0-9A-Fa-f]{3,8}$`)
)

// checkButtons bounds what a script sends.
func checkButtons(bs []Button) error {
	if len(bs) > maxButtons {
		return fault.Field("buttons", "must be at most %d", maxButtons)
	}
	seen := map[string]bool{}
	for i, b := range bs {
		at := fmt.Sprintf("buttons[%d]", i)
		if !buttonID.MatchString(b.ID) {
			return fault.Field(at+".id", "must be 1 to 50 letters, digits, dots, dashes and underscores")
		}
		if seen[b.ID] {
			return fault.Field(at+".id", "is there twice")
		}
		seen[b.ID] = true
		if err := check.Line(at+".label", b.Label, 1, 50); err != nil {
			return err
		}
		if b.Color != "" && !colour.MatchString(b.Color) {
			return fault.Field(at+".color", "must be a colour such as #1b6e53")
		}
		if len(b.Triggers) > maxTriggers {
			return fault.Field(at+".triggers", "must be at most %d", maxTriggers)
		}
		for j, t := range b.Triggers {
			at := fmt.Sprintf("%s.triggers[%d]", at, j)
			switch {
			case t.ShareProfile != "":
				return fault.Field(at+".share_profile", "only Paddock itself asks to share a profile")
			case t.Analysis != "":
				return fault.Field(at+".analysis_id", "analyses are not available yet")
			case t.Method != "REDIRECT":
				return fault.Field(at+".method", "must be REDIRECT: a button can lead to a page")
			}
			if err := checkLink(at+".url", t.URL); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLink accepts an address that a browser may be led to.
func checkLink(field, s string) error {
	if len(s) > maxLink {
		return fault.Field(field, "must have at most %d characters", maxLink)
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || check.Line(field, s, 1, maxLink) != nil {
		return fault.Field(field, "must be an http or https address")
	}
	return nil
}

// icon is a picture beside a notification, in TagoIO's two forms.
type icon struct {
	ImageURL string `json:"image_url,omitempty"`
	SVGURL   string `json:"svg_url,omitempty"`
	Fit      string `json:"fit,omitempty" enum:"fill,contain,cover"`
	SVGColor string `json:"svg_color,omitempty"`
	Back     string `json:"bg_color,omitempty"`
}

func (i icon) encode() (json.RawMessage, error) {
	if (i.ImageURL == "") == (i.SVGURL == "") {
		return nil, fault.Field("icon", "must have one of image_url and svg_url")
	}
	for field, u := range map[string]string{"icon.image_url": i.ImageURL, "icon.svg_url": i.SVGURL} {
		if u != "" {
			if err := checkLink(field, u); err != nil {
				return nil, err
			}
		}
	}
	switch i.Fit {
	case "", "fill", "contain", "cover":
	default:
		return nil, fault.Field("icon.fit", "must be fill, contain or cover")
	}
	for field, c := range map[string]string{"icon.svg_color": i.SVGColor, "icon.bg_color": i.Back} {
		if c != "" && !colour.MatchString(c) {
			return nil, fault.Field(field, "must be a colour such as #1b6e53")
		}
	}
	return json.Marshal(i)
}

// scope is which notifications a caller reaches: those of its account, and of one profile only unless it acts for the
// account as a whole.
type scope struct {
	account id.Account
	profile id.Profile // "" for all
}

func scopeOf(who auth.Caller) scope {
	sc := scope{account: who.AccountID}
	if who.Adopted { // what the new owner is told is not for whoever made the token
		sc.account = ""
	}
	if who.Kind == auth.Profile && who.Reach != auth.ReachAccount {
		sc.profile = who.ProfileID
	}
	return sc
}

// where begins a condition with what the scope reaches.
func (sc scope) where() *sqldb.Where {
	w := sqldb.NewWhere("account = ?", sc.account)
	if sc.profile != "" {
		w.And("profile = ?", sc.profile)
	}
	return w
}
