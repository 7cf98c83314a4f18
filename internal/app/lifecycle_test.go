package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
)

// deletedRow is a row of GET /profile/deleted.
type deletedRow struct {
	ID        string             `json:"id"`
	Name      string             `json:"name"`
	DeletedAt time.Time          `json:"deleted_at"`
	DeletedBy string             `json:"deleted_by"`
	PurgedAt  time.Time          `json:"purged_at"`
	Holds     map[string]float64 `json:"holds"`
	Amounts   map[string]int64   `json:"amounts"`
}

func deletedOf(t *testing.T, s *apptest.Server, token string) (rows []deletedRow) {
	t.Helper()
	s.Call(t, "GET", "/profile/deleted", token, nil).Want(t, 200).Into(t, &rows)
	return rows
}

// recounted fails when `paddock verify` would find something.
func recounted(t *testing.T, s *apptest.Server) {
	t.Helper()
	findings, _, err := s.App.Verify(t.Context())
	if err != nil || len(findings) > 0 {
		t.Fatal(findings, err)
	}
}

func TestDeleteAndRestore(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		gone := s.Profile(t, a, "Gone")
		bob, carol := s.Account(t, "house"), s.Account(t, "house")
		member := s.Join(t, gone, bob, row{"role": "viewer"})
		s.Call(t, "POST", "/profile/"+gone.Profile+"/team", gone.Token, row{"email": carol.Email}).Want(t, 200)
		invitation := s.Secret(t, carol.Email, "team/accept")
		device, deviceToken := s.Device(t, gone, "D")
		s.Send(t, deviceToken, 3).Want(t, 200)
		remove := func(body row) {
			t.Helper()
			body["password"] = apptest.Password
			s.Call(t, "DELETE", "/profile/"+gone.Profile, a.Token, body).Want(t, 200)
			recounted(t, s)
		}
		dead := func() {
			t.Helper()
			s.Send(t, deviceToken, 1).Want(t, 401)
			for _, token := range []string{gone.Token, member.Token} {
				s.Call(t, "GET", "/device", token, nil).Want(t, 401)
			}
			s.Call(t, "GET", "/profile/"+gone.Profile, a.Token, nil).Want(t, 404)
			s.Call(t, "GET", "/profile/"+gone.Profile+"/summary", a.Token, nil).Want(t, 404)
			if slices.Contains(profileIDs(t, s, a.Token), gone.Profile) || slices.Contains(profileIDs(t, s, bob.Token), gone.Profile) {
				t.Error("a list still shows it")
			}
		}

		remove(row{})
		dead()
		rows := deletedOf(t, s, a.Token)
		if len(rows) != 1 || rows[0].ID != gone.Profile || rows[0].Name != "Gone" || rows[0].DeletedBy != a.Account || rows[0].PurgedAt.Sub(rows[0].DeletedAt) != 7*24*time.Hour ||
			rows[0].Holds["data_records"] != 3 || rows[0].Amounts["device"] != 1 {
			t.Fatalf("%+v", rows)
		}
		if rows := deletedOf(t, s, bob.Token); len(rows) != 0 {
			t.Fatalf("somebody else sees %+v", rows)
		}
		s.Call(t, "POST", "/profile/"+gone.Profile+"/restore", bob.Token, nil).Want(t, 404)
		told := func(title string) {
			t.Helper()
			for _, n := range noticesOf(t, s, bob.Token, "amount=20") {
				if strings.Contains(n.Title, title) {
					return
				}
			}
			t.Errorf("the member was not told: %s", title)
		}
		told("a profile was deleted")

		s.Call(t, "POST", "/profile/"+gone.Profile+"/restore", a.Token, nil).Want(t, 200)
		recounted(t, s)
		told("the profile was restored")
		s.Send(t, deviceToken, 2).Want(t, 200)
		for _, token := range []string{gone.Token, member.Token} {
			s.Call(t, "GET", "/device/"+device, token, nil).Want(t, 200)
		}
		if got := s.Summary(t, gone).Used; got["data_records"] != 5 || got["input"] != 5 {
			t.Errorf("it holds %v", got)
		}
		s.Call(t, "GET", "/profile/team/accept/"+invitation, "", nil).Want(t, 404, 409, 410, 400)
		s.Call(t, "POST", "/profile/"+gone.Profile+"/restore", a.Token, nil).Want(t, 409) // it lives
		if rows := deletedOf(t, s, a.Token); len(rows) != 0 {
			t.Fatalf("%+v", rows)
		}
		recounted(t, s)

		remove(row{"purge": true})
		dead()
		if rows := deletedOf(t, s, a.Token); len(rows) != 0 {
			t.Fatalf("%+v", rows)
		}
		s.Call(t, "POST", "/profile/"+gone.Profile+"/restore", a.Token, nil).Want(t, 404)
		if err := s.App.PurgeProfiles(t.Context()); err != nil {
			t.Fatal(err)
		}
		recounted(t, s)
		for _, table := range []string{"device", "member", "resting", "held", "token"} {
			if n, err := s.App.CountOf(t.Context(), table, gone.Profile); err != nil || n != 0 {
				t.Errorf("%d rows of %s are left, %v", n, table, err)
			}
		}
	})
}

// A profile whose grace is over is purged; so are, with the account, those that could still be restored.
func TestBehaviour11_GoneAfterGrace(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a, other := s.Account(t, "house"), s.Account(t, "house")
		gone, kept := s.Profile(t, a, "Gone"), s.Profile(t, other, "Kept")
		for _, w := range []apptest.Who{gone, kept} {
			_, token := s.Device(t, w, "D")
			s.Send(t, token, 2).Want(t, 200)
			s.Call(t, "DELETE", "/profile/"+w.Profile, w.Token, row{"password": apptest.Password}).Want(t, 200)
		}
		left := func(w apptest.Who) int64 {
			t.Helper()
			if err := s.App.PurgeProfiles(t.Context()); err != nil {
				t.Fatal(err)
			}
			n, err := s.App.CountOf(t.Context(), "device", w.Profile)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if left(gone) != 1 || left(kept) != 1 {
			t.Fatal("it was purged in its grace")
		}
		recounted(t, s)
		s.Call(t, "DELETE", "/account", other.Token, row{"password": apptest.Password}).Want(t, 200)
		if left(kept) != 0 {
			t.Fatal("the profile of a deleted account is still there")
		}
		recounted(t, s)
		s.Clock.Advance(7*24*time.Hour + time.Minute)
		if left(gone) != 0 {
			t.Fatal("it is still there after its grace")
		}
		s.Call(t, "POST", "/profile/"+gone.Profile+"/restore", a.Token, nil).Want(t, 404)
		recounted(t, s)
	}, apptest.AtTime(time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)))
}

// Without a grace a deleted profile cannot come back.
func TestNoGrace(t *testing.T) {
	var g app.Grace
	for text, ok := range map[string]bool{"0": true, "7d": true, "36h": true, "90d": true, "91d": false, "-1d": false, "30s": false, "soon": false, "": false} {
		if err := g.UnmarshalText([]byte(text)); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := g.UnmarshalText([]byte("0")); err != nil {
		t.Fatal(err)
	}
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "house")
		gone := s.Profile(t, a, "Gone")
		s.Call(t, "DELETE", "/profile/"+gone.Profile, a.Token, row{"password": apptest.Password}).Want(t, 200)
		if rows := deletedOf(t, s, a.Token); len(rows) != 0 {
			t.Fatalf("%+v", rows)
		}
		s.Call(t, "POST", "/profile/"+gone.Profile+"/restore", a.Token, nil).Want(t, 404)
	}, func(s *app.Settings, _ *app.Options) { s.ProfileGrace = g })
}

// What an account lacks for a profile is named, all of it.
func TestRestoreSaysWhatIsMissing(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		a := s.Account(t, "scale")
		gone := s.Profile(t, a, "Gone")
		s.Device(t, gone, "D")
		s.Call(t, "DELETE", "/profile/"+gone.Profile, a.Token, row{"password": apptest.Password}).Want(t, 200)
		for range 4 {
			s.Profile(t, a, "More")
		}
		x := s.Call(t, "POST", "/profile/"+gone.Profile+"/restore", a.Token, nil).Want(t, 402)
		if !strings.Contains(x.Message, "5 profiles") || !strings.Contains(string(x.Body), `"name":"profile"`) {
			t.Fatal(string(x.Body))
		}
		if rows := deletedOf(t, s, a.Token); len(rows) != 1 {
			t.Fatalf("%+v", rows)
		}
		recounted(t, s)
	})
}
