package team

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
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/profile"
	"paddock/internal/tag"
)

// second gives somebody another profile, since the last one stays.
func (w *world) second(t *testing.T, a id.Account) {
	t.Helper()
	if _, err := w.profiles.Create(t.Context(), auth.SystemCaller(), profile.CreateInput{Name: "Second", Account: a}); err != nil {
		t.Fatal(err)
	}
}

// pass gives the home to somebody with its team.
func (w *world) pass(t *testing.T, to account.Account, fates map[id.Account]Fate) (left Left, err error) {
	t.Helper()
	err = w.db.Tx(t.Context(), func(ctx context.Context) error {
		h, err := w.profiles.HandOver(ctx, w.as(to), w.home.ID, to.ID)
		if err != nil {
			return err
		}
		left, err = w.HandOver(ctx, w.as(to), h, fates)
		return err
	})
	return left, err
}

// back undoes pass, by what was kept as text.
func (w *world) back(t *testing.T, left Left) {
	t.Helper()
	text, err := json.Marshal(left)
	if err != nil {
		t.Fatal(err)
	}
	var kept Left
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	if err := w.db.Tx(t.Context(), func(ctx context.Context) error {
		h, err := w.profiles.HandOver(ctx, auth.SystemCaller(), w.home.ID, w.owner.AccountID)
		if err != nil {
			return err
		}
		return w.UndoHandOver(ctx, auth.SystemCaller(), h, kept)
	}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) joins(t *testing.T, name string, role auth.Role, within *auth.Within, until int64) account.Account {
	t.Helper()
	a := w.person(t, name)
	if err := w.putMember(t.Context(), Member{Profile: w.home.ID, Account: a.ID, Role: role, Within: within, InvitedBy: w.owner.AccountID, ExpiresAt: until, CreatedAt: w.now()}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Second)
	return a
}

func (w *world) hires(t *testing.T, name string, of id.Account, role auth.Role, tags ...tag.Tag) account.Account {
	t.Helper()
	a := w.person(t, name)
	if err := w.putStaff(t.Context(), Staff{Owner: of, Account: a.ID, Role: role, Tags: tags, CreatedAt: w.now()}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Second)
	return a
}

// may is the role somebody has in the home, "" for none.
func (w *world) may(t *testing.T, a account.Account) auth.Role {
	t.Helper()
	g, ok, err := w.profiles.Access(t.Context(), a.ID, w.home.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return ""
	}
	return g.Role
}

func (w *world) wants(t *testing.T, when string, want map[string]auth.Role, of map[string]account.Account) {
	t.Helper()
	for name, role := range want {
		if got := w.may(t, of[name]); got != role {
			t.Errorf("%s: %s has the role %q, want %q", when, name, got, role)
		}
	}
}

func TestHandOver(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ada, err := w.accounts.Get(t.Context(), w.owner.AccountID)
		if err != nil {
			t.Fatal(err)
		}
		part := &auth.Within{Devices: &auth.Part{Tags: []auth.Tag{{Key: "site", Value: "Harbour"}}}}
		soon := w.now() + 6*time.Hour.Milliseconds()
		all := map[string]account.Account{
			"ada":       ada,
			"new":       w.joins(t, "New", auth.Developer, nil, 0),
			"plain":     w.joins(t, "Plain", auth.Developer, nil, 0),
			"part":      w.joins(t, "Part", auth.Viewer, part, 0),
			"day":       w.joins(t, "Day", auth.Admin, nil, 0),
			"soon":      w.joins(t, "Soon", auth.Viewer, nil, soon),
			"staff":     w.hires(t, "Staff", ada.ID, auth.Admin),
			"staffkept": w.hires(t, "Staffkept", ada.ID, auth.Developer),
		}
		to := all["new"]
		w.second(t, ada.ID)
		w.second(t, to.ID)
		all["theirs"] = w.hires(t, "Theirs", to.ID, auth.Viewer)
		all["both"] = w.hires(t, "Both", to.ID, auth.Viewer)
		if err := w.putMember(t.Context(), Member{Profile: w.home.ID, Account: all["both"].ID, Role: auth.Admin, CreatedAt: w.now()}); err != nil {
			t.Fatal(err)
		}
		all["elsewhere"] = w.hires(t, "Elsewhere", to.ID, auth.Viewer, tag.Tag{Key: "site", Value: "Other"})
		w.invited(t, "asked@example.test")
		asked, err := w.pending(t.Context(), w.home.ID, "")
		if err != nil || len(asked) != 1 {
			t.Fatal(asked, err)
		}
		before := map[string]auth.Role{"ada": auth.Owner, "new": auth.Developer, "plain": auth.Developer, "part": auth.Viewer, "day": auth.Admin, "soon": auth.Viewer,
			"staff": auth.Admin, "staffkept": auth.Developer, "theirs": "", "both": auth.Admin, "elsewhere": ""}
		w.wants(t, "before", before, all)

		t.Run("those affected are the former owner, members and staff, but nobody who keeps access", func(t *testing.T) {
			p, err := w.profiles.Get(t.Context(), w.home.ID)
			if err != nil {
				t.Fatal(err)
			}
			list, err := w.Affected(t.Context(), p, to.ID)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, a := range list {
				names = append(names, a.Name)
				if a.Owner != (a.Name == "Ada") || a.Staff != strings.HasPrefix(a.Name, "Staff") || (a.Until != nil) != (a.Name == "Soon") {
					t.Errorf("%+v", a)
				}
			}
			if want := []string{"Ada", "Plain", "Part", "Day", "Soon", "Staff", "Staffkept"}; !slices.Equal(names, want) {
				t.Errorf("%v, want %v", names, want)
			}
		})

		t.Run("a decision about somebody who does not lose access is refused by name, and nothing has changed", func(t *testing.T) {
			for name, fates := range map[string]map[id.Account]Fate{
				"a stranger":               {w.person(t, "Eve").ID: Adopt},
				"the new owner":            {to.ID: Adopt},
				"staff of the new owner":   {all["theirs"].ID: End},
				"the former owner adopted": {ada.ID: Adopt},
				"a member as developer":    {all["plain"].ID: AsDeveloper},
				"a word that is none":      {all["plain"].ID: "keep"},
			} {
				_, err := w.pass(t, to, fates)
				for a := range fates {
					if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "people."+string(a)) {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
			w.wants(t, "after refusals", before, all)
		})

		left, err := w.pass(t, to, map[id.Account]Fate{ada.ID: AsViewer, all["part"].ID: Adopt, all["day"].ID: Overlap, all["soon"].ID: Overlap, all["staffkept"].ID: Adopt, all["plain"].ID: End})
		if err != nil {
			t.Fatal(err)
		}
		t.Run("everybody has what was decided", func(t *testing.T) {
			w.wants(t, "after", map[string]auth.Role{"ada": auth.Viewer, "new": auth.Owner, "plain": "", "part": auth.Viewer, "day": auth.Admin, "soon": auth.Viewer,
				"staff": "", "staffkept": auth.Developer, "theirs": auth.Viewer, "both": auth.Viewer, "elsewhere": ""}, all)
			g, _, err := w.profiles.Access(t.Context(), all["part"].ID, w.home.ID)
			if err != nil || !g.Within.Same(part) {
				t.Errorf("the part is %+v (%v)", g.Within, err)
			}
			if _, ok, err := w.member(t.Context(), w.home.ID, to.ID); ok || err != nil {
				t.Errorf("the new owner is a member too (%v)", err)
			}
		})
		t.Run("invitations have ended", func(t *testing.T) {
			i, _, err := w.invitation(t.Context(), asked[0].ID)
			if err != nil || i.State != Cancelled {
				t.Errorf("%s %v", i.State, err)
			}
		})
		t.Run("each is in the log, and was told", func(t *testing.T) {
			events, err := w.audit.List(t.Context(), w.home.ID, audit.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			for name, message := range map[string]string{"plain": "lost access", "staff": "lost access", "part": "stays as viewer", "day": "stays as admin for a day", "ada": "stays as viewer"} {
				if !slices.ContainsFunc(events, func(e audit.Entry) bool {
					return e.ResourceID == string(all[name].ID) && strings.Contains(e.Message, message) && e.Who == to.ID
				}) {
					t.Errorf("no entry says %q of %s", message, name)
				}
			}
			if told := w.told(t, all["plain"].ID); len(told) != 1 || !strings.Contains(told[0].title, "lost access") {
				t.Errorf("told %+v", told)
			}
			if told := w.told(t, all["part"].ID); len(told) != 0 {
				t.Errorf("who stays was told %+v", told)
			}
		})
		t.Run("a day later the overlap is over, at its own end if that is sooner", func(t *testing.T) {
			for name, until := range map[string]int64{"soon": soon, "day": left.At + OverlapFor.Milliseconds()} {
				m, ok, err := w.member(t.Context(), w.home.ID, all[name].ID)
				if err != nil || !ok || m.ExpiresAt != until {
					t.Errorf("%s until %d (%v), want %d", name, m.ExpiresAt, err, until)
				}
			}
		})

		// What happens until the undo: somebody joins, somebody who had lost access comes back otherwise, somebody adopted is removed.
		all["joined"] = w.joins(t, "Joined", auth.Viewer, nil, 0)
		if err := w.putMember(t.Context(), Member{Profile: w.home.ID, Account: all["plain"].ID, Role: auth.Viewer, InvitedBy: to.ID, CreatedAt: w.now()}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.deleteMember(t.Context(), w.home.ID, all["part"].ID); err != nil {
			t.Fatal(err)
		}
		if err := w.Invite(t.Context(), w.as(to), string(w.home.ID), InviteInput{Email: "meanwhile@example.test"}); err != nil {
			t.Fatal(err)
		}
		w.clock.Set(clock.FromMillis(left.At + OverlapFor.Milliseconds() - 1))
		w.wants(t, "just before the end", map[string]auth.Role{"day": auth.Admin, "soon": ""}, all)
		w.back(t, left)
		t.Run("undone, everything is as before but for what people decided since", func(t *testing.T) {
			w.wants(t, "undone", map[string]auth.Role{"ada": auth.Owner, "new": auth.Developer, "plain": auth.Viewer, "part": "", "day": auth.Admin, "soon": "",
				"staff": auth.Admin, "staffkept": auth.Developer, "theirs": "", "both": auth.Admin, "joined": auth.Viewer}, all)
			m, ok, err := w.member(t.Context(), w.home.ID, all["day"].ID)
			if err != nil || !ok || m.ExpiresAt != 0 {
				t.Errorf("the admin has a membership until %d (%v)", m.ExpiresAt, err)
			}
			for _, name := range []string{"ada", "staffkept"} {
				if _, ok, err := w.member(t.Context(), w.home.ID, all[name].ID); ok || err != nil {
					t.Errorf("%s is still a member (%v)", name, err)
				}
			}
			list, err := w.pending(t.Context(), w.home.ID, "")
			if err != nil || len(list) != 1 || list[0].ID != asked[0].ID {
				t.Fatalf("%+v wait (%v)", list, err)
			}
			if _, err := w.Link(t.Context(), w.owner, list[0]); err != nil {
				t.Errorf("its link: %v", err)
			}
		})
	})
}

func TestHandOverTakesSeats(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a, b := w.joins(t, "One", auth.Developer, nil, 0), w.joins(t, "Two", auth.Developer, nil, 0)
		to := w.person(t, "Small")
		w.second(t, w.owner.AccountID)
		w.second(t, to.ID)
		if _, err := w.accounts.SetPlan(t.Context(), auth.SystemCaller(), to.Email, "starter"); err != nil { // one seat
			t.Fatal(err)
		}
		_, err := w.pass(t, to, map[id.Account]Fate{a.ID: Adopt, b.ID: Adopt})
		if !fault.Is(err, fault.LimitReached) || !strings.Contains(err.Error(), "people."+string(b.ID)) || fault.Of(err).Detail == nil {
			t.Fatalf("two in one seat: %v", err)
		}
		if w.may(t, a) != auth.Developer || w.may(t, b) != auth.Developer {
			t.Error("something has changed")
		}
		left, err := w.pass(t, to, map[id.Account]Fate{a.ID: Adopt})
		if err != nil {
			t.Fatal(err)
		}
		if w.may(t, a) != auth.Developer || w.may(t, b) != "" {
			t.Error("the one seat was not given")
		}
		// Nobody needs a seat for coming back, whatever the plan has become.
		if _, err := w.accounts.SetPlan(t.Context(), auth.SystemCaller(), "ada@example.test", "starter"); err != nil {
			t.Fatal(err)
		}
		w.back(t, left)
		if w.may(t, a) != auth.Developer || w.may(t, b) != auth.Developer {
			t.Error("somebody did not come back")
		}
	})
}

// A staff role that gives more than a membership is taken over for as long as it would have lasted.
func TestHandOverKeepsNoRoleLonger(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		bob, to := w.joins(t, "Bob", auth.Viewer, nil, 0), w.person(t, "To")
		w.second(t, w.owner.AccountID)
		end := w.now() + time.Hour.Milliseconds()
		if err := w.putStaff(t.Context(), Staff{Owner: w.owner.AccountID, Account: bob.ID, Role: auth.Admin, ExpiresAt: end, CreatedAt: w.now()}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.pass(t, to, map[id.Account]Fate{bob.ID: Adopt}); err != nil {
			t.Fatal(err)
		}
		if m, ok, err := w.member(t.Context(), w.home.ID, bob.ID); err != nil || !ok || m.Role != auth.Admin || m.ExpiresAt != end {
			t.Errorf("%+v %v", m, err)
		}
	})
}
