package team

import (
	"strings"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/notify"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/tag"
)

// notice is a line in a person's list.
type notice struct {
	title, ref string
	typ        notify.Type
	enabled    bool
}

// told lists the notifications of a person, the latest last.
func (w *world) told(t *testing.T, a id.Account) []notice {
	t.Helper()
	out, err := sqldb.All(t.Context(), w.db, func(r sqldb.Scanner) (n notice, err error) {
		return n, r.Scan(&n.title, &n.ref, &n.typ, &n.enabled)
	}, `SELECT title, ref, type, buttons_enabled FROM notification WHERE account = $1 ORDER BY created_at, id`, string(a))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type world struct {
	*Service
	clock  *clock.Manual
	mailer *mail.Mailer
	owner  auth.Caller
	home   profile.Profile
}

func each(t *testing.T, f func(t *testing.T, w *world)) {
	sources := []sqldb.Source{mail.Migrations(), audit.Migrations(), account.Migrations(), profile.Migrations(), notify.Migrations(), Migrations()}
	sqldbtest.Each(t, sources, func(t *testing.T, db *sqldb.DB) {
		clk := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
		mailer, err := mail.New(db, mail.Config{Clock: clk})
		if err != nil {
			t.Fatal(err)
		}
		sealer, err := seal.Parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
		if err != nil {
			t.Fatal(err)
		}
		log := audit.New(db, clk)
		accounts := account.New(db, log, mailer, account.Config{HashMemory: 64, Signup: account.Open}, clk)
		profiles := profile.New(db, accounts, plan.Builtin(), log, nil, clk)
		notices := notify.New(db, accounts, profiles, log, mailer, sealer, notify.Config{Name: "Paddock", PublicURL: "https://paddock.test"}, clk)
		w := &world{Service: New(db, accounts, profiles, notices, log, mailer, sealer, Config{PublicURL: "https://paddock.test"}, clk), clock: clk, mailer: mailer}
		ada := w.person(t, "Ada")
		if w.home, err = profiles.Create(t.Context(), auth.SystemCaller(), profile.CreateInput{Name: "Barn", Account: ada.ID}); err != nil {
			t.Fatal(err)
		}
		w.owner = auth.Caller{Kind: auth.Session, AccountID: ada.ID, Permission: auth.Full, Reach: auth.ReachAccount}
		f(t, w)
	})
}

func (w *world) person(t *testing.T, name string) account.Account {
	t.Helper()
	a, err := w.accounts.Create(t.Context(), auth.SystemCaller(), account.CreateInput{Name: name, Email: strings.ToLower(name) + "@example.test", Password: "correct horse battery"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (w *world) as(a account.Account) auth.Caller {
	return auth.Caller{Kind: auth.Session, AccountID: a.ID, Permission: auth.Full, Reach: auth.ReachAccount}
}

func (w *world) invited(t *testing.T, email string) {
	t.Helper()
	if err := w.Invite(t.Context(), w.owner, string(w.home.ID), InviteInput{Email: email}); err != nil {
		t.Fatal(err)
	}
}

func TestNotices(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		bob := w.person(t, "Bob")
		w.invited(t, bob.Email)
		told := w.told(t, bob.ID)
		if len(told) != 1 || told[0].typ != notify.Sharing || !told[0].enabled || !strings.HasPrefix(told[0].ref, "invitation/") {
			t.Fatalf("told %+v", told)
		}
		first := told[0].ref
		t.Run("inviting again ends the buttons of the first notice", func(t *testing.T) {
			w.invited(t, "BOB@example.test")
			w.clock.Advance(time.Second)
			w.invited(t, bob.Email)
			if told = w.told(t, bob.ID); len(told) != 3 || told[0].enabled || told[1].enabled || !told[2].enabled {
				t.Errorf("told %+v", told)
			}
			if err := w.Answer(t.Context(), w.as(bob), first, true); !fault.Is(err, fault.Conflict) {
				t.Errorf("the replaced one answered %v", err)
			}
		})
		second := told[2].ref
		t.Run("nobody answers for somebody else", func(t *testing.T) {
			for _, who := range []auth.Caller{w.owner, w.as(w.person(t, "Eve"))} {
				if err := w.Answer(t.Context(), who, second, true); !fault.Is(err, fault.NotFound) {
					t.Errorf("answered %v", err)
				}
			}
			if err := w.Answer(t.Context(), w.as(bob), "invitation/", true); !fault.Is(err, fault.NotFound) {
				t.Errorf("no invitation answered %v", err)
			}
		})
		t.Run("the buttons accept, the owner is told, and they end", func(t *testing.T) {
			if err := w.Answer(t.Context(), w.as(bob), second, true); err != nil {
				t.Fatal(err)
			}
			if told := w.told(t, w.owner.AccountID); len(told) != 1 || !strings.Contains(told[0].title, "accepted") || told[0].typ != notify.System {
				t.Errorf("the owner was told %+v", told)
			}
			if told := w.told(t, bob.ID); told[2].enabled {
				t.Errorf("the buttons stay: %+v", told[2])
			}
			g, ok, err := w.profiles.Access(t.Context(), bob.ID, w.home.ID)
			if err != nil || !ok || g.Role != auth.Developer || g.Owner != w.owner.AccountID {
				t.Errorf("bob has %+v %v %v", g, ok, err)
			}
			if err := w.Answer(t.Context(), w.as(bob), second, false); !fault.Is(err, fault.Conflict) {
				t.Errorf("a second answer: %v", err)
			}
		})
		t.Run("a person who is in already is told nothing and takes no second row", func(t *testing.T) {
			before := len(w.told(t, bob.ID))
			w.invited(t, bob.Email)
			if len(w.told(t, bob.ID)) != before {
				t.Error("a member was invited")
			}
		})
	})
}

func TestExpire(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.invited(t, "late@example.test")
		w.clock.Advance(inviteLife)
		for range 2 { // a job may run again
			if err := w.Expire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if told := w.told(t, w.owner.AccountID); len(told) != 1 || !strings.Contains(told[0].title, "expired") {
			t.Errorf("told %+v", told)
		}
		due, err := w.due(t.Context(), w.now(), 10)
		if err != nil || len(due) != 0 {
			t.Errorf("still due: %v %v", due, err)
		}
		w.clock.Advance(keepEnded + time.Second)
		if err := w.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := w.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM invitation`).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d rows are kept for ever (%v)", left, err)
		}
	})
}

func TestReseal(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.invited(t, "x@example.test")
		var err error
		if w.sealer, err = seal.Parse("ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=,AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="); err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{1, 0} {
			if n, err := w.Reseal(t.Context()); err != nil || n != want {
				t.Errorf("time %d: %d %v", i, n, err)
			}
		}
		list, err := w.pending(t.Context(), w.home.ID, "")
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		link, err := w.Link(t.Context(), w.owner, list[0])
		if err != nil {
			t.Fatal(err)
		}
		secret := link[strings.LastIndexByte(link, '/')+1:]
		if i, mailed, ok, err := w.bySecret(t.Context(), seal.Hash(secret)); err != nil || !ok || mailed || i.ID != list[0].ID {
			t.Errorf("the link leads to %v %v %v", i.ID, mailed, err)
		}
	})
}

func TestSecretsAreNotStored(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.invited(t, "x@example.test")
		mails, err := w.mailer.Outbox(t.Context())
		if err != nil || len(mails) != 1 {
			t.Fatal(mails, err)
		}
		_, rest, _ := strings.Cut(mails[0].Text, "/console/team/accept/")
		secret := strings.Fields(rest)[0]
		var row string
		err = w.db.QueryRow(t.Context(), `SELECT hash || copy_hash || sealed FROM invitation`).Scan(&row)
		if err != nil || strings.Contains(row, secret) {
			t.Errorf("the row holds the secret (%v)", err)
		}
		events, err := w.audit.List(t.Context(), w.home.ID, audit.Filter{})
		if err != nil || len(events) == 0 {
			t.Fatal(events, err)
		}
		for _, e := range events {
			if strings.Contains(string(e.Before)+string(e.After)+e.Message, secret) {
				t.Error("an audit event holds the secret")
			}
		}
	})
}

func TestBest(t *testing.T) {
	part := &auth.Within{Devices: &auth.Part{}}
	grant := func(r auth.Role, w *auth.Within) *auth.Grant { return &auth.Grant{Role: r, Within: w} }
	for _, tc := range []struct {
		name         string
		direct, wide *auth.Grant
		role         auth.Role
		within       bool
	}{
		{"neither gives nothing", nil, nil, "", false},
		{"a membership alone counts", grant(auth.Viewer, part), nil, auth.Viewer, true},
		{"staff alone counts", nil, grant(auth.Developer, nil), auth.Developer, false},
		{"the higher role counts, with what restricts it", grant(auth.Developer, part), grant(auth.Viewer, nil), auth.Developer, true},
		{"the higher role of staff counts", grant(auth.Viewer, part), grant(auth.Admin, nil), auth.Admin, false},
		{"of two equal ones the wider counts", grant(auth.Viewer, part), grant(auth.Viewer, nil), auth.Viewer, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, ok := best(tc.direct, tc.wide)
			if ok != (tc.role != "") || g.Role != tc.role || (g.Within != nil) != tc.within {
				t.Errorf("%+v %v", g, ok)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Ada":                           "Ada",
		"Acme Inc.":                     "Acme Inc.",
		"Dr. No":                        "Dr. No",
		"http://evil.example/x":         "http: //evil .example/x",
		"evil.example":                  "evil .example",
		"a@b.example":                   "a @ b .example",
		"gro\u202emoc\u2066.evil\u200b": "gromoc .evil",
		"line\nbreak":                   "linebreak",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestTerms(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	many := make([]string, maxIDs+1)
	for i := range many {
		many[i] = string(id.New[id.Device]())
	}
	for name, tc := range map[string]struct {
		role   auth.Role
		within *auth.Within
		field  string
	}{
		"an owner is not made":              {auth.Owner, nil, "role"},
		"a role that is none":               {"boss", nil, "role"},
		"an admin sees all":                 {auth.Admin, &auth.Within{Devices: &auth.Part{}}, "within"},
		"an id is an id":                    {auth.Viewer, &auth.Within{Dashboards: &auth.Part{IDs: []string{"x"}}}, "within.dashboards.ids[0]"},
		"a key is needed":                   {auth.Viewer, &auth.Within{Devices: &auth.Part{Tags: []auth.Tag{{Value: "v"}}}}, "within.devices.tags[0].key"},
		"ids are bounded":                   {auth.Viewer, &auth.Within{Devices: &auth.Part{IDs: many}}, "within.devices.ids"},
		"an empty part is none of them: ok": {auth.Viewer, &auth.Within{Devices: &auth.Part{}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkTerms(tc.role, tc.within, nil, now)
			if tc.field == "" && err != nil || tc.field != "" && (err == nil || fault.Of(err).Field != tc.field) {
				t.Error(err)
			}
		})
	}
}

func TestStaffReach(t *testing.T) {
	p := profile.Profile{Account: "a", Tags: []tag.Tag{{Key: "region", Value: "north"}, {Key: "tier", Value: "1"}}}
	for name, tc := range map[string]struct {
		staff Staff
		want  bool
	}{
		"without tags, all of the account": {Staff{Owner: "a"}, true},
		"not of another account":           {Staff{Owner: "b"}, false},
		"with one of the tags":             {Staff{Owner: "a", Tags: []tag.Tag{{Key: "x", Value: "y"}, {Key: "tier", Value: "1"}}}, true},
		"not by the key alone":             {Staff{Owner: "a", Tags: []tag.Tag{{Key: "tier", Value: "2"}}}, false},
	} {
		if got := tc.staff.Reaches(p); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
