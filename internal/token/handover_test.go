package token

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/sqldb/sqldbtest"
	"paddock/internal/notify"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/team"
)

// home is a house with teams, where a profile changes hands.
type home struct {
	*house
	teams  *team.Service
	notify *notify.Service
	owner  auth.Caller // in the profile
}

func eachHome(t *testing.T, f func(t *testing.T, h *home)) {
	t.Helper()
	sources := []sqldb.Source{mail.Migrations(), audit.Migrations(), account.Migrations(), profile.Migrations(), Migrations(), notify.Migrations(), team.Migrations()}
	sqldbtest.Each(t, sources, func(t *testing.T, db *sqldb.DB) {
		h := &home{house: &house{db: db, clk: clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))}}
		h.log = audit.New(db, h.clk)
		mailer, err := mail.New(db, mail.Config{Clock: h.clk})
		must(t, err)
		h.accounts = account.New(db, h.log, mailer, account.Config{HashMemory: 64, Signup: account.Open}, h.clk)
		files, err := blob.OpenFolder(t.TempDir())
		must(t, err)
		h.profiles = profile.New(db, h.accounts, plan.Builtin(), h.log, files, h.clk)
		h.notify = notify.New(db, h.accounts, h.profiles, h.log, mailer, sealer(t, keyA), notify.Config{Name: "Paddock", PublicURL: "https://paddock.test"}, h.clk)
		h.teams = team.New(db, h.accounts, h.profiles, h.notify, h.log, mailer, sealer(t, keyA), team.Config{PublicURL: "https://paddock.test"}, h.clk)
		h.Service = New(db, h.accounts, h.profiles, h.log, sealer(t, keyA), h.clk)
		h.teams.SetTokens(h.Service)
		h.SetTeams(h.teams)
		h.TellExpiry(h.notify)
		h.owner = h.person(t)
		h.profile(t, h.owner) // since the last one stays
		f(t, h)
	})
}

// joins makes somebody a member on terms.
func (h *home) joins(t *testing.T, in team.InviteInput) auth.Caller {
	t.Helper()
	who := h.person(t)
	a, err := h.accounts.Get(t.Context(), who.AccountID)
	must(t, err)
	in.Email = a.Email
	must(t, h.teams.Invite(t.Context(), h.owner, string(h.owner.ProfileID), in))
	var ref string
	must(t, h.db.QueryRow(t.Context(), `SELECT ref FROM notification WHERE account = $1`, string(who.AccountID)).Scan(&ref))
	must(t, h.teams.Answer(t.Context(), who, ref, true))
	who.ProfileID, who.Role = h.owner.ProfileID, in.Role
	return who
}

func (h *home) token(t *testing.T, who auth.Caller, name string, in MintInput) Minted {
	t.Helper()
	in.Profile, in.Account, in.Name = h.owner.ProfileID, who.AccountID, name
	m, err := h.Mint(t.Context(), who, in)
	must(t, err)
	return m
}

// pass changes the owner, the team and the tokens.
func (h *home) pass(t *testing.T, to id.Account, people map[id.Account]team.Fate, tokens map[id.Token]Fate) (tl team.Left, l Left, err error) {
	t.Helper()
	err = h.db.Tx(t.Context(), func(ctx context.Context) (err error) {
		p, err := h.profiles.HandOver(ctx, auth.SystemCaller(), h.owner.ProfileID, to)
		if err != nil {
			return err
		}
		if tl, err = h.teams.HandOver(ctx, auth.SystemCaller(), p, people); err != nil {
			return err
		}
		l, err = h.HandOver(ctx, auth.SystemCaller(), p, nil, tokens)
		return err
	})
	return tl, l, err
}

func (h *home) back(t *testing.T, tl team.Left, l Left) {
	t.Helper()
	text, err := json.Marshal(l)
	must(t, err)
	var kept Left
	must(t, json.Unmarshal(text, &kept))
	must(t, h.db.Tx(t.Context(), func(ctx context.Context) error {
		p, err := h.profiles.HandOver(ctx, auth.SystemCaller(), h.owner.ProfileID, h.owner.AccountID)
		if err != nil {
			return err
		}
		if err := h.teams.UndoHandOver(ctx, auth.SystemCaller(), p, tl); err != nil {
			return err
		}
		return h.UndoHandOver(ctx, auth.SystemCaller(), p, kept)
	}))
}

// works asks with a token and returns who that is; "" stands for a refusal.
func (h *home) works(t *testing.T, m Minted) auth.Caller {
	t.Helper()
	c, err := h.Authenticate(t.Context(), m.Token, "")
	if err != nil {
		if !fault.Is(err, fault.Unauthorized) {
			t.Fatal(err)
		}
		return auth.Caller{}
	}
	return c
}

func TestHandOver(t *testing.T) {
	eachHome(t, func(t *testing.T, h *home) {
		part := &auth.Within{Devices: &auth.Part{Tags: []auth.Tag{{Key: "site", Value: "Harbour"}}}}
		viewer := h.joins(t, team.InviteInput{Role: auth.Viewer, Within: part})
		stays := h.joins(t, team.InviteInput{Role: auth.Admin})
		to := h.joins(t, team.InviteInput{Role: auth.Developer})
		in10 := h.clk.Now().Add(10 * 24 * time.Hour)
		in2h := h.clk.Now().Add(2 * time.Hour)
		tokens := map[string]Minted{
			"owner ends":     h.token(t, h.owner, "owner ends", MintInput{Reach: auth.ReachAccount, Serial: "S1"}),
			"owner adopted":  h.token(t, h.owner, "owner adopted", MintInput{Reach: auth.ReachAccount, Expires: &in10}),
			"owner overlaps": h.token(t, h.owner, "owner overlaps", MintInput{Permission: auth.Write}),
			"owner short":    h.token(t, h.owner, "owner short", MintInput{Expires: &in2h}),
			"viewer adopted": h.token(t, viewer, "viewer adopted", MintInput{}),
			"viewer ends":    h.token(t, viewer, "viewer ends", MintInput{}),
			"stays":          h.token(t, stays, "stays", MintInput{}),
			"new owner":      h.token(t, to, "new owner", MintInput{Reach: auth.ReachAccount}),
			"expires first":  h.token(t, h.owner, "expires first", MintInput{Expires: &in2h}),
		}
		device := h.deviceToken(t, h.owner, id.New[id.Device](), DeviceInput{})
		for name, m := range tokens {
			if h.works(t, m).TokenID != m.ID {
				t.Fatalf("%s does not work", name)
			}
		}
		must(t, h.Warn(t.Context()))
		p, err := h.profiles.Get(t.Context(), h.owner.ProfileID)
		must(t, err)

		t.Run("the tokens that end are those of people who lose access, with their last use", func(t *testing.T) {
			list, err := h.Endings(t.Context(), p, to.AccountID)
			must(t, err)
			var names []string
			for _, e := range list {
				names = append(names, e.Name)
				if e.LastUse == nil || e.CreatedByName != "Ada" || e.Tail != tokens[e.Name].Token[34:] || (e.Reach == auth.ReachAccount) != (e.Name == "owner ends" || e.Name == "owner adopted") {
					t.Errorf("%+v", e)
				}
			}
			slices.Sort(names)
			if want := []string{"expires first", "owner adopted", "owner ends", "owner overlaps", "owner short", "stays", "viewer adopted", "viewer ends"}; !slices.Equal(names, want) {
				t.Errorf("%v, want %v", names, want)
			}
		})
		t.Run("a decision about a token that does not end is refused by name", func(t *testing.T) {
			other := h.person(t)
			for name, fates := range map[string]map[id.Token]Fate{
				"a stranger's":           {h.mint(t, other, MintInput{}).ID: Adopt},
				"the new owner's":        {tokens["new owner"].ID: End},
				"of somebody who stays":  {tokens["stays"].ID: Adopt},
				"a device's":             {device.ID: End},
				"with a word that is no": {tokens["viewer ends"].ID: "keep"},
			} {
				_, _, err := h.pass(t, to.AccountID, map[id.Account]team.Fate{stays.AccountID: team.Adopt}, fates)
				for tk := range fates {
					want(t, err, fault.Invalid, "tokens."+string(tk))
				}
				if h.works(t, tokens["viewer ends"]).TokenID == "" {
					t.Fatalf("%s: something has changed", name)
				}
			}
		})

		tl, left, err := h.pass(t, to.AccountID, map[id.Account]team.Fate{stays.AccountID: team.Adopt},
			map[id.Token]Fate{tokens["owner adopted"].ID: Adopt, tokens["owner overlaps"].ID: Overlap, tokens["owner short"].ID: Overlap, tokens["viewer adopted"].ID: Adopt, tokens["owner ends"].ID: End})
		must(t, err)
		t.Run("tokens of those who lost access are refused at the next request, others work on", func(t *testing.T) {
			for _, name := range []string{"owner ends", "viewer ends", "expires first"} {
				if h.works(t, tokens[name]).TokenID != "" {
					t.Errorf("%s works", name)
				}
				if tr, ok := h.Trace(t.Context(), tokens[name].Token); !ok || tr.Dead != "revoked" {
					t.Errorf("%s is traced as %+v", name, tr)
				}
			}
			if c := h.works(t, tokens["stays"]); c.AccountID != stays.AccountID || c.Role != auth.Admin {
				t.Errorf("the token of who stays: %+v", c)
			}
			if c := h.works(t, tokens["new owner"]); !c.IsOwner() || c.Role != auth.Owner {
				t.Errorf("the new owner's: %+v", c)
			}
			if c := h.works(t, device); c.OwnerID != to.AccountID {
				t.Errorf("the device's: %+v", c)
			}
		})
		t.Run("what is taken over is the new owner's, in this profile only, and does no more than it did", func(t *testing.T) {
			c := h.works(t, tokens["owner adopted"])
			if c.AccountID != to.AccountID || c.Reach != auth.ReachProfile || c.Permission != auth.Full || c.Role != auth.Developer || c.Within != nil {
				t.Errorf("the former owner's: %+v", c)
			}
			if err := auth.OfAccount.Check("GET", c); err == nil {
				t.Error("it reaches the account")
			}
			if err := auth.InProfile.By(auth.Admin).Check("POST", c); err == nil {
				t.Error("it could let people in")
			}
			c = h.works(t, tokens["viewer adopted"])
			if c.AccountID != to.AccountID || c.Role != auth.Viewer || !c.Within.Same(part) || c.May() != auth.Read {
				t.Errorf("the viewer's: %+v", c)
			}
			for name, until := range map[string]int64{"owner adopted": clock.Millis(in10), "owner overlaps": left.At + OverlapFor.Milliseconds(), "owner short": clock.Millis(in2h)} {
				if tk, err := h.Get(t.Context(), p.ID, auth.Profile, tokens[name].ID); err != nil || tk.ExpiresAt != until {
					t.Errorf("%s ends at %d (%v), want %d", name, tk.ExpiresAt, err, until)
				}
			}
		})
		t.Run("each is in the log of the profile, without secrets", func(t *testing.T) {
			events, err := h.log.List(t.Context(), p.ID, audit.Filter{Resource: "token"})
			must(t, err)
			for name, words := range map[string]string{"owner ends": "ended with the change of owner", "viewer ends": "ended with the change of owner", "owner adopted": "taken over", "owner overlaps": "goes on for a day"} {
				if !slices.ContainsFunc(events, func(e audit.Entry) bool {
					return e.ResourceID == string(tokens[name].ID) && strings.Contains(e.Message, words)
				}) {
					t.Errorf("no entry says %q of %s", words, name)
				}
			}
			for _, e := range events {
				for _, m := range tokens {
					if strings.Contains(string(e.Before)+string(e.After)+e.Message, Raw(m.Token)) {
						t.Error("an entry holds a secret")
					}
				}
			}
		})
		warned := func() (n int64) {
			t.Helper()
			must(t, h.db.QueryRow(t.Context(), `SELECT warned FROM token WHERE profile_id = $1 AND id = $2`, string(p.ID), string(tokens["owner adopted"].ID)).Scan(&n))
			return n
		}
		t.Run("the new owner has not been told yet that one expires", func(t *testing.T) {
			was := slices.IndexFunc(left.Given, func(g Given) bool { return g.ID == tokens["owner adopted"].ID })
			if n := warned(); n != 0 || left.Given[was].Warned != 14 {
				t.Errorf("noted as told at %d days, before at %d", n, left.Given[was].Warned)
			}
		})

		// Until the undo: one that was taken over is revoked, one of the new owner's is made, a serial number is taken.
		must(t, h.DeleteProfileToken(t.Context(), auth.SystemCaller(), p.ID, tokens["viewer adopted"].Token))
		taken := h.token(t, to, "serial", MintInput{Serial: "S1"})
		h.clk.Advance(3 * time.Hour)
		h.back(t, tl, left)
		t.Run("undone, tokens are their makers' again as they were", func(t *testing.T) {
			for _, name := range []string{"owner ends", "owner adopted", "owner overlaps"} {
				if c := h.works(t, tokens[name]); c.AccountID != h.owner.AccountID || c.Role != auth.Owner || (c.Reach == auth.ReachAccount) != (name != "owner overlaps") {
					t.Errorf("%s: %+v", name, c)
				}
			}
			if c := h.works(t, tokens["viewer ends"]); c.AccountID != viewer.AccountID || c.Role != auth.Viewer {
				t.Errorf("the viewer's: %+v", c)
			}
			if n := warned(); n != 14 {
				t.Errorf("noted as told at %d days", n)
			}
			if tk, err := h.Get(t.Context(), p.ID, auth.Profile, tokens["owner overlaps"].ID); err != nil || tk.ExpiresAt != 0 || tk.Ceiling != nil {
				t.Errorf("the one that overlapped: %+v %v", tk, err)
			}
			for _, name := range []string{"viewer adopted", "expires first", "owner short"} { // revoked since, and too late
				if h.works(t, tokens[name]).TokenID != "" {
					t.Errorf("%s works", name)
				}
			}
			if c := h.works(t, taken); c.Role != auth.Developer {
				t.Errorf("what the other side made: %+v", c)
			}
			if tk, err := h.Get(t.Context(), p.ID, auth.Profile, tokens["owner ends"].ID); err != nil || tk.Serial != "" {
				t.Errorf("its serial number is %q (%v), which another one has", tk.Serial, err)
			}
			if h.works(t, device).OwnerID != h.owner.AccountID {
				t.Error("the device's token does not work")
			}
		})
	})
}

// Whoever has no access after an undo has no living token either, also made in between.
func TestUndoHandOverEndsWhatStrangersMade(t *testing.T) {
	eachHome(t, func(t *testing.T, h *home) {
		to := h.person(t)
		tl, left, err := h.pass(t, to.AccountID, nil, nil)
		must(t, err)
		made := h.token(t, to, "made", MintInput{})
		if h.works(t, made).Role != auth.Owner {
			t.Fatal("the new owner's token does not work")
		}
		h.back(t, tl, left)
		if h.works(t, made).TokenID != "" {
			t.Error("it works on")
		}
		if tr, _ := h.Trace(t.Context(), made.Token); tr.Dead != "revoked" {
			t.Errorf("it waits to come back to life: %+v", tr)
		}
	})
}
