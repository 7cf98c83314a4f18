package app_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"paddock/internal/app"
	"paddock/internal/app/apptest"
)

// teamRow is a row of GET /profile/:id/team.
type teamRow struct {
	ID, Name, Email string
	Active, Pending bool
	Staff, Direct   bool
	Role            string
	CreatedAt       string  `json:"created_at"`
	ExpiresAt       *string `json:"expires_at"`
	Within          map[string]any
	Tags            []map[string]string
	Profiles        []struct{ ID, Name string }
}

func team(t *testing.T, s *apptest.Server, who apptest.Who) []teamRow {
	t.Helper()
	var rows []teamRow
	s.Call(t, "GET", "/profile/"+who.Profile+"/team", who.Token, nil).Want(t, 200).Into(t, &rows)
	return rows
}

// invite asks somebody into who's profile and returns the secret of the letter.
func invite(t *testing.T, s *apptest.Server, who apptest.Who, email string, terms row) string {
	t.Helper()
	in := row{"email": email}
	for k, v := range terms {
		in[k] = v
	}
	if got := s.Call(t, "POST", "/profile/"+who.Profile+"/team", who.Token, in).Want(t, 200).Text(t); got != "User invited" {
		t.Fatalf("answered %q", got)
	}
	return s.Secret(t, email, "team/accept")
}

// visitor is a signed-in browser, in a profile or in none.
type visitor struct {
	s       *apptest.Server
	cookie  *http.Cookie
	profile string
}

func signIn(t *testing.T, s *apptest.Server, email, password, profile string) visitor {
	t.Helper()
	b := visitor{s: s, profile: profile}
	q, _ := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/session", strings.NewReader(fmt.Sprintf(`{"email":%q,"password":%q}`, email, password)))
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Origin", s.URL)
	c := s.Do(t, q).Want(t, 200).Header.Get("Set-Cookie")
	cookies, err := http.ParseSetCookie(c)
	if err != nil {
		t.Fatal(err)
	}
	b.cookie = cookies
	return b
}

func (b visitor) call(t *testing.T, method, path, body string) apptest.Answer {
	t.Helper()
	q, _ := http.NewRequestWithContext(t.Context(), method, b.s.URL+path, strings.NewReader(body))
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Origin", b.s.URL)
	q.AddCookie(b.cookie)
	if b.profile != "" {
		q.Header.Set("Profile-Id", b.profile)
	}
	return b.s.Do(t, q)
}

type profileRow struct {
	ID, Account, Profile, Name, Role string
	FromShare                        bool `json:"from_share"`
}

func profileRows(t *testing.T, s *apptest.Server, token string) map[string]profileRow {
	t.Helper()
	var rows []profileRow
	s.Call(t, "GET", "/profile", token, nil).Want(t, 200).Into(t, &rows)
	out := map[string]profileRow{}
	for _, r := range rows {
		out[r.ID] = r
	}
	return out
}

func TestBehaviour05_SharedProfilesAreMarked(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "house"), s.Account(t, "house")
		inside := s.Join(t, owner, bob, row{"role": "viewer"})
		rows := profileRows(t, s, bob.Token)
		shared := rows[owner.Profile]
		if len(rows) != 2 || rows[bob.Profile].FromShare || !shared.FromShare || shared.Account != owner.Account || shared.Profile != owner.Profile || shared.Role != "viewer" {
			t.Errorf("bob's profiles are %+v", rows)
		}
		// The token that bob has in there is of the owner's profile; its list is bob's all the same.
		if rows := profileRows(t, s, inside.Token); len(rows) != 2 || !rows[owner.Profile].FromShare {
			t.Errorf("seen from within: %+v", rows)
		}
		if rows := profileRows(t, s, owner.Token); len(rows) != 1 || rows[owner.Profile].FromShare {
			t.Errorf("the owner's: %+v", rows)
		}
		var login struct{ Profiles []profileRow }
		s.Call(t, "POST", "/account/login", "", row{"email": bob.Email, "password": apptest.Password}).Want(t, 200).Into(t, &login)
		if len(login.Profiles) != 2 || login.Profiles[0].FromShare || !login.Profiles[1].FromShare || login.Profiles[1].Account != owner.Account {
			t.Errorf("login lists %+v", login.Profiles)
		}
	})
}

func TestBehaviour14_SwitchIntoASharedProfile(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "house"), s.Account(t, "house")
		s.Call(t, "PUT", "/profile/switch/"+owner.Profile, bob.Token, nil).Want(t, 404)
		s.Join(t, owner, bob, nil)
		device, _ := s.Device(t, owner, "D")
		mine, _ := s.Device(t, bob, "M")
		s.Call(t, "PUT", "/profile/switch/"+owner.Profile, bob.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/device/"+device, bob.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/device/"+mine, bob.Token, nil).Want(t, 404)
		// In somebody else's profile the token speaks for no account, not even its maker's.
		s.Call(t, "GET", "/account", bob.Token, nil).Want(t, 401)
		s.Call(t, "PUT", "/account", bob.Token, row{"name": "X"}).Want(t, 401)
	})
}

func TestBehaviour16_MembersActUnderTheOwnersPlan(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "free"), s.Account(t, "house")
		inside := s.Join(t, owner, bob, nil)
		for i := range 5 {
			s.Device(t, inside, fmt.Sprint(i))
		}
		s.Call(t, "POST", "/device", inside.Token, row{"name": "6", "type": "mutable"}).Want(t, 402)
		// And the other way round: a small plan does not follow its account into the profile of a large one.
		rich, poor := s.Account(t, "house"), s.Account(t, "free")
		inside = s.Join(t, rich, poor, nil)
		for i := range 6 {
			s.Device(t, inside, fmt.Sprint(i))
		}
	}, apptest.WithCatalogue(strings.Replace(builtinCatalogue(t), "team:                  {house: unlimited, free: 0", "team:                  {house: unlimited, free: 5", 1)))
}

func TestBehaviour17_OwnerAndAdminsInvite(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner := s.Account(t, "house")
		path := "/profile/" + owner.Profile + "/team"
		for _, tc := range []struct {
			role   string
			status int
		}{{"viewer", 403}, {"developer", 403}, {"admin", 200}} {
			w := s.Join(t, owner, s.Account(t, "house"), row{"role": tc.role})
			before := len(s.Mails(t))
			a := s.Call(t, "POST", path, w.Token, row{"email": tc.role + "@new.test"}).Want(t, tc.status)
			if tc.status == 403 && !strings.Contains(a.Message, "admin") {
				t.Errorf("a %s is told %q", tc.role, a.Message)
			}
			if got := len(s.Mails(t)) - before; (got > 0) != (tc.status == 200) {
				t.Errorf("a %s's invitation sent %d letters", tc.role, got)
			}
		}
		s.Call(t, "POST", path, s.Account(t, "house").Token, row{"email": "x@new.test"}).Want(t, 404)
		// What lets people in takes a token that may do everything.
		for _, permission := range []string{"read", "write", "deny"} {
			narrow := profileToken(t, s, owner, row{"name": "n", "permission": permission})
			s.Call(t, "POST", path, narrow, row{"email": "x@new.test"}).Want(t, 401)
		}
		for _, bad := range []row{{}, {"email": ""}, {"email": "nobody"}, {"email": "a@b.test\r\nBcc: c@d.test"}, {"email": owner.Email}, {"email": "Ada <a@b.test>"},
			{"email": "x@new.test", "role": "owner"}, {"email": "x@new.test", "role": "king"}, {"email": "x@new.test", "expires": "1999-01-01"},
			{"email": "x@new.test", "role": "admin", "within": row{"devices": row{"ids": []string{}}}}, {"email": "x@new.test", "within": row{"devices": row{"ids": []string{"x"}}}}} {
			s.Call(t, "POST", path, owner.Token, bad).Want(t, 400)
		}
	})
}

// postOffice is a real mail server that keeps what it gets.
type postOffice struct {
	addr  string
	mu    sync.Mutex
	mails []string
}

type mailSession struct{ o *postOffice }

func (mailSession) Reset()                               {}
func (mailSession) Logout() error                        { return nil }
func (mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (m mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	m.o.mu.Lock()
	defer m.o.mu.Unlock()
	m.o.mails = append(m.o.mails, string(b))
	return err
}

func openPostOffice(t *testing.T) *postOffice {
	t.Helper()
	o := &postOffice{}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return mailSession{o}, nil }))
	server.Domain, server.AllowInsecureAuth = "post.test", true
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.addr = l.Addr().String()
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return o
}

// letter waits for a delivered letter to a person that holds all of the words.
func (o *postOffice) letter(t *testing.T, to string, words ...string) string {
	t.Helper()
	until := time.Now().Add(time.Minute)
	for time.Now().Before(until) {
		o.mu.Lock()
		for i := len(o.mails) - 1; i >= 0; i-- {
			text := strings.ReplaceAll(o.mails[i], "=\r\n", "")
			found := strings.Contains(text, "To: <"+to+">")
			for _, w := range words {
				found = found && strings.Contains(text, w)
			}
			if found {
				o.mu.Unlock()
				return text
			}
		}
		o.mu.Unlock()
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("no letter to %s with %q", to, words)
	return ""
}

func (o *postOffice) use(s *app.Settings, _ *app.Options) {
	s.SMTPURL, s.MailFrom = "smtp://"+o.addr, "paddock@post.test"
}

func acceptLink(t *testing.T, letter string) string {
	t.Helper()
	_, rest, ok := strings.Cut(letter, "/console/team/accept/")
	if !ok || len(rest) < 43 {
		t.Fatalf("no link in %s", letter)
	}
	return rest[:43]
}

func TestBehaviour18_InvitationByMail(t *testing.T) {
	o := openPostOffice(t)
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "house"), s.Account(t, "house")
		s.Call(t, "PUT", "/profile/"+owner.Profile, owner.Token, row{"name": "Barn"}).Want(t, 200)
		s.Call(t, "POST", "/profile/"+owner.Profile+"/team", owner.Token, row{"email": bob.Email}).Want(t, 200)
		letter := o.letter(t, bob.Email, "invites you to the profile", "Barn", owner.Email)
		// Nothing in it acts by being fetched: its only link is a page of the console.
		if strings.Contains(letter, "/profile/team/") || strings.Contains(letter, "decline/") {
			t.Error("the letter holds a link that acts")
		}
		ns := noticesOf(t, s, bob.Token, "type=sharing")
		if len(ns) != 1 || ns[0].Profile != nil || !strings.Contains(ns[0].Title, "invites you to the profile “Barn”") || ns[0].Read || !ns[0].Enabled || len(ns[0].Buttons) != 2 {
			t.Errorf("bob is notified of %+v", ns)
		}
		secret := acceptLink(t, letter)
		for range 2 { // what scanners do
			s.Call(t, "GET", "/console/team/accept/"+secret, "", nil)
			s.Call(t, "GET", "/team/invitation/"+secret, "", nil).Want(t, 200)
		}
		if rows := team(t, s, owner); len(rows) != 1 || !rows[0].Pending || rows[0].Active || rows[0].Name != "" || rows[0].Email != bob.Email || rows[0].ID == bob.Account {
			t.Errorf("the team is %+v", rows)
		}
		s.Call(t, "POST", "/team/invitation/"+secret+"/accept", "", row{}).Want(t, 200)
		if rows := team(t, s, owner); len(rows) != 1 || rows[0].Pending || !rows[0].Active || rows[0].ID != bob.Account || rows[0].Role != "developer" {
			t.Errorf("after accepting %+v", rows)
		}
		// The buttons of the notification ended with the invitation.
		if ns = noticesOf(t, s, bob.Token, "type=sharing"); len(ns) != 1 || ns[0].Enabled {
			t.Errorf("after accepting by the link: %+v", ns)
		}
		s.Call(t, "PUT", "/notification/"+ns[0].ID+"/refuse", bob.Token, nil).Want(t, 409)
		// The link that is copied proves nothing here, where mail does: it neither speaks for bob nor tells who has an account.
		carol := s.Account(t, "house")
		for _, email := range []string{carol.Email, "nobody@new.test"} {
			s.Call(t, "POST", "/profile/"+owner.Profile+"/team", owner.Token, row{"email": email}).Want(t, 200)
			rows := team(t, s, owner)
			var l struct{ Link, Email string }
			s.Call(t, "GET", "/profile/"+owner.Profile+"/team/"+rows[len(rows)-1].ID+"/link", owner.Token, nil).Want(t, 200).Into(t, &l)
			copied := acceptLink(t, l.Link)
			var seen struct{ State, Next, Email string }
			s.Call(t, "GET", "/team/invitation/"+copied, "", nil).Want(t, 200).Into(t, &seen)
			if l.Email != email || seen.Next != "letter" || seen.Email != email {
				t.Errorf("%s: %+v %+v", email, l, seen)
			}
			s.Call(t, "GET", "/profile/team/accept/"+copied, "", nil).Want(t, 403)
			s.Call(t, "POST", "/team/invitation/"+copied+"/accept", "", row{"name": "Eve", "password": apptest.Password}).Want(t, 403)
			if email == carol.Email {
				signIn(t, s, carol.Email, apptest.Password, "").call(t, "POST", "/team/invitation/"+copied+"/accept", "{}").Want(t, 200)
			}
		}
	}, o.use)
}

func TestBehaviour18_InvitationByNotification(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob, carol := s.Account(t, "house"), s.Account(t, "house"), s.Account(t, "house")
		type notice struct {
			ID, Title string
			Enabled   bool `json:"buttons_enabled"`
			Buttons   []struct {
				ID       string
				Triggers []struct {
					Share string `json:"share_profile"`
				}
			}
		}
		list := func(who apptest.Who) (rows []notice) {
			s.Call(t, "GET", "/notification", who.Token, nil).Want(t, 200).Into(t, &rows)
			return rows
		}
		for _, w := range []apptest.Who{bob, carol} {
			invite(t, s, owner, w.Email, nil)
			rows := list(w)
			if len(rows) != 1 || !rows[0].Enabled || len(rows[0].Buttons) != 2 || rows[0].Buttons[0].Triggers[0].Share != "accept" || rows[0].Buttons[1].Triggers[0].Share != "refuse" {
				t.Fatalf("the notification is %+v", rows)
			}
		}
		bobs, carols := list(bob)[0], list(carol)[0]
		s.Call(t, "PUT", "/notification/"+bobs.ID+"/"+bobs.Buttons[0].ID, bob.Token, nil).Want(t, 200)
		s.Call(t, "PUT", "/notification/"+carols.ID+"/"+carols.Buttons[1].ID, carol.Token, nil).Want(t, 200)
		s.Call(t, "PUT", "/notification/"+bobs.ID+"/"+bobs.Buttons[0].ID, bob.Token, nil).Want(t, 409)
		if list(bob)[0].Enabled {
			t.Error("the buttons work after they were pressed")
		}
		if rows := team(t, s, owner); len(rows) != 1 || rows[0].ID != bob.Account {
			t.Errorf("the team is %+v", rows)
		}
		titles := fmt.Sprint(list(owner))
		if !strings.Contains(titles, "accepted") || !strings.Contains(titles, "declined") {
			t.Errorf("the owner is told %s", titles)
		}
		// Accepting by the link ends the buttons too.
		secret := invite(t, s, owner, carol.Email, nil)
		s.Call(t, "GET", "/profile/team/accept/"+secret, "", nil).Want(t, 200)
		for _, n := range list(carol) {
			if n.Enabled && len(n.Buttons) > 0 {
				t.Errorf("buttons of %q still work", n.Title)
			}
		}
	})
}

func TestBehaviour18_OnlyWhoIsInvitedAnswers(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob, carol := s.Account(t, "house"), s.Account(t, "house"), s.Account(t, "house")
		elsewhere := s.Join(t, carol, bob, nil) // bob's token in a profile of carol's
		invite(t, s, owner, bob.Email, row{"role": "viewer"})
		ns := noticesOf(t, s, bob.Token, "type=sharing")
		ns = slices.DeleteFunc(ns, func(n noticeRow) bool { return !n.Enabled }) // that of carol's is over
		if len(ns) != 1 || len(ns[0].Buttons) != 2 || ns[0].Buttons[0].ID != "accept" || ns[0].Buttons[1].ID != "refuse" {
			t.Fatalf("bob is notified of %+v", ns)
		}
		accept := "/notification/" + ns[0].ID + "/accept"
		// Only what speaks for bob's account answers for bob.
		narrow := profileToken(t, s, bob, row{"name": "narrow", "permission": "full", "reach": "profile"})
		s.Call(t, "PUT", accept, narrow, nil).Want(t, 404)
		s.Call(t, "PUT", accept, carol.Token, nil).Want(t, 404)
		s.Call(t, "PUT", accept, owner.Token, nil).Want(t, 404)
		if a := s.Call(t, "PUT", accept, elsewhere.Token, nil).Want(t, 401); lack(t, a).Needs == "" {
			t.Errorf("refused without what is missing: %s", a.Body)
		}
		if got := profileRows(t, s, bob.Token); len(got) != 2 {
			t.Errorf("bob sees %+v", got)
		}
		signIn(t, s, bob.Email, apptest.Password, "").call(t, "PUT", accept, "").Want(t, 200)
		if got := profileRows(t, s, bob.Token)[owner.Profile]; got.Role != "viewer" {
			t.Errorf("bob is there as %+v", got)
		}
		s.Call(t, "PUT", accept, bob.Token, nil).Want(t, 409)
		// Declining, with a token.
		invite(t, s, owner, carol.Email, nil)
		ns = noticesOf(t, s, carol.Token, "type=sharing")
		s.Call(t, "PUT", "/notification/"+ns[0].ID+"/refuse", carol.Token, nil).Want(t, 200)
		if rows := team(t, s, owner); len(rows) != 1 || rows[0].ID != bob.Account {
			t.Errorf("the team is %+v", rows)
		}
		// An invitation that is withdrawn takes its buttons along.
		invite(t, s, owner, carol.Email, nil)
		for _, r := range team(t, s, owner) {
			if r.Pending {
				s.Call(t, "DELETE", "/profile/"+owner.Profile+"/team/"+r.ID, owner.Token, nil).Want(t, 200)
			}
		}
		for _, n := range noticesOf(t, s, carol.Token, "type=sharing") {
			s.Call(t, "PUT", "/notification/"+n.ID+"/accept", carol.Token, nil).Want(t, 409)
		}
	})
}

func TestBehaviour19_TheLinkNeedsNoSession(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob, carol := s.Account(t, "house"), s.Account(t, "house"), s.Account(t, "house")
		first := invite(t, s, owner, bob.Email, nil)
		if got := s.Call(t, "GET", "/profile/team/accept/"+first, "", nil).Want(t, 200).Text(t); got != "Invitation accepted" {
			t.Errorf("answered %q", got)
		}
		second := invite(t, s, owner, carol.Email, nil)
		s.Call(t, "GET", "/profile/team/decline/"+second, "", nil).Want(t, 200)
		if rows := team(t, s, owner); len(rows) != 1 || rows[0].ID != bob.Account {
			t.Errorf("the team is %+v", rows)
		}
		// Used links say so and do nothing, to a person and to the client.
		for _, secret := range []string{first, second} {
			s.Call(t, "GET", "/profile/team/accept/"+secret, "", nil).Want(t, 409)
			s.Call(t, "GET", "/profile/team/decline/"+secret, "", nil).Want(t, 409)
			var seen map[string]any
			s.Call(t, "GET", "/team/invitation/"+secret, "", nil).Want(t, 200).Into(t, &seen)
			if seen["next"] != "none" || len(seen) != 2 {
				t.Errorf("of a used link %v is told", seen)
			}
		}
		if _, there := profileRows(t, s, carol.Token)[owner.Profile]; there {
			t.Error("who declined is in")
		}
	})
}

func TestBehaviour19_GuestsSignUpByTheLink(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner := s.Account(t, "house")
		secret := invite(t, s, owner, "Gus@New.test", row{"role": "viewer"})
		var seen struct{ State, Next, Email, Inviter, Profile, Role string }
		s.Call(t, "GET", "/team/invitation/"+secret, "", nil).Want(t, 200).Into(t, &seen)
		if seen.State != "pending" || seen.Next != "sign_up" || seen.Email != "Gus@New.test" || seen.Inviter == "" || seen.Profile == "" || seen.Role != "viewer" {
			t.Errorf("the page is told %+v", seen)
		}
		accept := "/team/invitation/" + secret + "/accept"
		s.Call(t, "GET", "/profile/team/accept/"+secret, "", nil).Want(t, 409)
		s.Call(t, "POST", accept, "", row{}).Want(t, 409)
		s.Call(t, "POST", accept, "", row{"name": "Gus", "password": "short"}).Want(t, 400)
		s.Call(t, "POST", accept, "", row{"password": apptest.Password}).Want(t, 400)
		var made struct {
			Account, Email, Profile string
			Guest                   bool
		}
		s.Call(t, "POST", accept, "", row{"name": "Gus", "password": apptest.Password}).Want(t, 200).Into(t, &made)
		if !made.Guest || made.Profile != owner.Profile || made.Email != "gus@new.test" {
			t.Errorf("made %+v", made)
		}
		// A guest owns nothing and can do all that an account can.
		gus := signIn(t, s, "gus@new.test", apptest.Password, "")
		var rows []profileRow
		gus.call(t, "GET", "/profile", "").Want(t, 200).Into(t, &rows)
		if len(rows) != 1 || !rows[0].FromShare {
			t.Errorf("gus's profiles are %+v", rows)
		}
		for _, path := range []string{"/account", "/session", "/account/allocation", "/statistics", "/account/staff"} {
			gus.call(t, "GET", path, "").Want(t, 200)
		}
		gus.call(t, "POST", "/account/staff", `{"email":"x@new.test"}`).Want(t, 409)
		gus.profile = owner.Profile
		gus.call(t, "GET", "/device", "").Want(t, 200)
		gus.call(t, "GET", "/limits", "").Want(t, 200)
		gus.call(t, "POST", "/device", `{"name":"x","type":"mutable"}`).Want(t, 403)
		gus.call(t, "PUT", "/account", `{"name":"Gustav"}`).Want(t, 200)
		var login struct{ Profiles []profileRow }
		s.Call(t, "POST", "/account/login", "", row{"email": "gus@new.test", "password": apptest.Password}).Want(t, 200).Into(t, &login)
		if len(login.Profiles) != 1 || !login.Profiles[0].FromShare {
			t.Errorf("login lists %+v", login.Profiles)
		}
		verified(t, s)
		// Owning one is a later click.
		var own struct{ ID string }
		gus.call(t, "POST", "/profile", `{"name":"Mine"}`).Want(t, 200, 201).Into(t, &own)
		gus.profile = own.ID
		gus.call(t, "POST", "/device", `{"name":"x","type":"mutable"}`).Want(t, 200, 201)
		gus.call(t, "DELETE", "/profile/"+own.ID, `{"password":"`+apptest.Password+`"}`).Want(t, 409)
		// And the account of another guest can go.
		other := invite(t, s, owner, "hal@new.test", nil)
		s.Call(t, "POST", "/team/invitation/"+other+"/accept", "", row{"name": "Hal", "password": apptest.Password}).Want(t, 200)
		signIn(t, s, "hal@new.test", apptest.Password, "").call(t, "DELETE", "/account", `{"password":"`+apptest.Password+`"}`).Want(t, 200)
		for _, r := range team(t, s, owner) {
			if r.Name == "Hal" {
				t.Error("a deleted account is still in the team")
			}
		}
		verified(t, s)
	})
	t.Run("where sign-up is closed nobody becomes a guest", func(t *testing.T) {
		apptest.Each(t, func(t *testing.T, s *apptest.Server) {
			owner := s.Account(t, "house")
			secret := invite(t, s, owner, "gus@new.test", nil)
			var seen struct{ Next string }
			s.Call(t, "GET", "/team/invitation/"+secret, "", nil).Want(t, 200).Into(t, &seen)
			if seen.Next != "closed" {
				t.Errorf("the page is told %+v", seen)
			}
			s.Call(t, "POST", "/team/invitation/"+secret+"/accept", "", row{"name": "Gus", "password": apptest.Password}).Want(t, 403)
		}, func(s *app.Settings, _ *app.Options) { s.Signup = "closed" })
	})
}

func TestBehaviour20_SevenDays(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "house"), s.Account(t, "house")
		old := invite(t, s, owner, bob.Email, nil)
		s.Clock.Advance(3 * 24 * time.Hour)
		again := invite(t, s, owner, bob.Email, nil)
		if again == old || len(team(t, s, owner)) != 1 {
			t.Fatalf("the second invitation of a person is %d rows", len(team(t, s, owner)))
		}
		s.Call(t, "GET", "/profile/team/accept/"+old, "", nil).Want(t, 409)
		s.Clock.Advance(5 * 24 * time.Hour) // the first would have ended, the second has two days left
		if rows := team(t, s, owner); len(rows) != 1 || !rows[0].Pending {
			t.Errorf("the team is %+v", rows)
		}
		s.Clock.Advance(2*24*time.Hour + time.Second)
		if a := s.Call(t, "GET", "/profile/team/accept/"+again, "", nil).Want(t, 409); !strings.Contains(a.Message, "expired") {
			t.Errorf("said %q", a.Message)
		}
		if rows := team(t, s, owner); len(rows) != 0 {
			t.Errorf("the team is %+v", rows)
		}
		third := invite(t, s, owner, bob.Email, nil)
		s.Call(t, "GET", "/profile/team/accept/"+third, "", nil).Want(t, 200)
	}, apptest.AtTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)))
}

func TestBehaviour21_TheOwnerIsTold(t *testing.T) {
	o := openPostOffice(t)
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob, carol := s.Account(t, "house"), s.Account(t, "house"), s.Account(t, "house")
		for _, w := range []apptest.Who{bob, carol} {
			s.Call(t, "POST", "/profile/"+owner.Profile+"/team", owner.Token, row{"email": w.Email}).Want(t, 200)
		}
		s.Call(t, "GET", "/profile/team/accept/"+acceptLink(t, o.letter(t, bob.Email, "invites you")), "", nil).Want(t, 200)
		o.letter(t, owner.Email, "invitation accepted", bob.Email)
		s.Call(t, "GET", "/profile/team/decline/"+acceptLink(t, o.letter(t, carol.Email, "invites you")), "", nil).Want(t, 200)
		o.letter(t, owner.Email, "invitation declined", carol.Email)
		told := func(token, words string) (n noticeRow) {
			t.Helper()
			ns := slices.DeleteFunc(noticesOf(t, s, token, "type=system"), func(n noticeRow) bool { return !strings.Contains(n.Title+" "+n.Message, words) })
			if len(ns) != 1 {
				t.Fatalf("%d notifications with %q", len(ns), words)
			}
			return ns[0]
		}
		n := told(owner.Token, "accepted the invitation")
		if *n.Profile != owner.Profile || !strings.Contains(n.Message, bob.Email) || len(n.Buttons) != 1 || !strings.HasSuffix(n.Buttons[0].Triggers[0].URL, "/console/p/"+owner.Profile+"/team") {
			t.Errorf("the owner is told %+v", n)
		}
		s.Call(t, "PUT", "/notification/"+n.ID+"/"+n.Buttons[0].ID, owner.Token, nil).Want(t, 200)
		if n := told(owner.Token, "accepted the invitation"); !n.Read {
			t.Errorf("pressed, the notification is %+v", n)
		}
		told(owner.Token, "declined the invitation")
		// The same by the buttons, and the admin who invited is told as well.
		dan := s.Account(t, "house")
		s.Call(t, "PUT", "/profile/"+owner.Profile+"/team/"+bob.Account, owner.Token, row{"role": "admin"}).Want(t, 200)
		inside := s.TokenOf(t, bob, owner.Profile)
		for answer, words := range map[string]string{"refuse": dan.Email + " declined the invitation", "accept": dan.Email + ") accepted the invitation"} {
			s.Call(t, "POST", "/profile/"+owner.Profile+"/team", inside.Token, row{"email": dan.Email}).Want(t, 200)
			for _, n := range noticesOf(t, s, dan.Token, "type=sharing") {
				if n.Enabled {
					s.Call(t, "PUT", "/notification/"+n.ID+"/"+answer, dan.Token, nil).Want(t, 200)
				}
			}
			told(owner.Token, words)
			told(bob.Token, words)
			if answer == "accept" {
				s.Call(t, "DELETE", "/profile/"+owner.Profile+"/team/"+dan.Account, owner.Token, nil).Want(t, 200)
			}
		}
	}, o.use)
}

func TestBehaviour22_NotSharedBeforeAcceptance(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "house"), s.Account(t, "house")
		device, _ := s.Device(t, owner, "D")
		secret := invite(t, s, owner, bob.Email, nil)
		if rows := profileRows(t, s, bob.Token); len(rows) != 1 {
			t.Errorf("before accepting bob sees %+v", rows)
		}
		s.Call(t, "GET", "/profile/"+owner.Profile, bob.Token, nil).Want(t, 404)
		s.Call(t, "POST", "/account/profile/token", "", row{"profile_id": owner.Profile, "email": bob.Email, "password": apptest.Password, "name": "t"}).Want(t, 404)
		s.Call(t, "GET", "/profile/team/accept/"+secret, "", nil).Want(t, 200)
		if rows := profileRows(t, s, bob.Token); len(rows) != 2 || !rows[owner.Profile].FromShare {
			t.Errorf("after accepting bob sees %+v", rows)
		}
		s.Call(t, "GET", "/device/"+device, s.TokenOf(t, bob, owner.Profile).Token, nil).Want(t, 200)
	})
}

func TestBehaviour23_SeatsByPlan(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		for plan, seats := range map[string]int{"free": 0, "starter": 1, "scale": 5} {
			owner := s.Account(t, plan)
			path := "/profile/" + owner.Profile + "/team"
			for i := range seats {
				invite(t, s, owner, fmt.Sprintf("%s%d@new.test", plan, i), nil)
			}
			a := s.Call(t, "POST", path, owner.Token, row{"email": plan + "x@new.test"}).Want(t, 402)
			if !strings.HasPrefix(a.Message, "You have exceeded the maximum limit of team members") {
				t.Errorf("said %q", a.Message)
			}
			if got := len(team(t, s, owner)); got != seats {
				t.Errorf("%s: %d rows", plan, got)
			}
			if seats == 0 {
				continue
			}
			// Inviting again takes no other seat; withdrawing frees it.
			invite(t, s, owner, plan+"0@new.test", nil)
			rows := team(t, s, owner)
			if got := s.Call(t, "DELETE", path+"/"+rows[0].ID, owner.Token, nil).Want(t, 200).Text(t); got != "Account Successfully Removed" {
				t.Errorf("answered %q", got)
			}
			invite(t, s, owner, plan+"x@new.test", nil)
		}
	})
}

func TestBehaviour23_TheLastSeatIsTakenOnce(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner := s.Account(t, "scale")
		path := "/profile/" + owner.Profile + "/team"
		var wg sync.WaitGroup
		var done atomic.Int64
		for i := range 12 {
			wg.Go(func() {
				if a := s.Call(t, "POST", path, owner.Token, row{"email": fmt.Sprintf("p%d@new.test", i)}); a.Status == 200 {
					done.Add(1)
				} else if a.Status != 402 {
					t.Errorf("%d %s", a.Status, a.Body)
				}
			})
		}
		// Staff take seats of the same profile, by another route.
		for i := range 4 {
			wg.Go(func() {
				if a := s.Call(t, "POST", "/account/staff", owner.Token, row{"email": fmt.Sprintf("s%d@new.test", i)}); a.Status == 200 {
					done.Add(1)
				} else if a.Status != 402 {
					t.Errorf("%d %s", a.Status, a.Body)
				}
			})
		}
		wg.Wait()
		if done.Load() != 5 {
			t.Errorf("%d got one of five seats", done.Load())
		}
	})
}

func TestBehaviour19_AcceptedOnce(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "house"), s.Account(t, "house")
		for _, guest := range []bool{false, true} {
			email, body := bob.Email, row{}
			if guest {
				email, body = "gus@new.test", row{"name": "Gus", "password": apptest.Password}
			}
			secret := invite(t, s, owner, email, nil)
			var wg sync.WaitGroup
			var done atomic.Int64
			for i := range 6 {
				wg.Go(func() {
					verb := "accept"
					if i == 5 {
						verb = "decline"
					}
					switch a := s.Call(t, "POST", "/team/invitation/"+secret+"/"+verb, "", body); a.Status {
					case 200:
						done.Add(1)
					case 409:
					default:
						t.Errorf("%s: %d %s", verb, a.Status, a.Body)
					}
				})
			}
			wg.Wait()
			if done.Load() != 1 {
				t.Errorf("guest %v: %d of six got it", guest, done.Load())
			}
		}
	})
}

func TestBehaviour24_AMemberUsesEverything(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "house"), s.Account(t, "house")
		inside := s.Join(t, owner, bob, nil)
		device, token := s.Device(t, inside, "D")
		s.Send(t, token, 3).Want(t, 200, 201)
		s.Call(t, "GET", "/device/"+device+"/data?qty=3", inside.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/device/"+device, owner.Token, nil).Want(t, 200)
		s.Call(t, "POST", "/dashboard", inside.Token, row{"label": "L", "type": "dashboard"}).Want(t, 200, 201)
		s.Call(t, "GET", "/profile/"+owner.Profile+"/statistics", inside.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/profile/"+owner.Profile+"/summary", inside.Token, nil).Want(t, 200)
		s.Call(t, "GET", "/limits", inside.Token, nil).Want(t, 200)
		s.Call(t, "DELETE", "/device/"+device, inside.Token, nil).Want(t, 200)
		b := signIn(t, s, bob.Email, apptest.Password, owner.Profile)
		b.call(t, "POST", "/device", `{"name":"by browser","type":"mutable"}`).Want(t, 200, 201)
	})
}

func TestBehaviour25_WhatAMemberMayNot(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "house"), s.Account(t, "house")
		s.Profile(t, owner, "Second")
		for _, role := range []string{"developer", "admin"} {
			inside := s.Join(t, owner, bob, row{"role": role})
			b := signIn(t, s, bob.Email, apptest.Password, owner.Profile)
			for _, c := range []struct {
				method, path string
				body         any
			}{
				{"GET", "/account/allocation", nil}, {"POST", "/account/allocation", []row{{"profile": owner.Profile, "input": 1}}},
				{"GET", "/account", nil}, {"GET", "/account/staff", nil}, {"POST", "/account/staff", row{"email": "x@new.test"}},
				{"GET", "/statistics", nil}, {"POST", "/profile", row{"name": "x"}}, {"GET", "/account/auditlog", nil},
				{"POST", "/profile/" + owner.Profile + "/services", row{"input": 1}},
				{"DELETE", "/profile/" + owner.Profile, row{"password": apptest.Password}},
			} {
				a := s.Call(t, c.method, c.path, inside.Token, c.body).Want(t, 401, 403)
				if !strings.HasPrefix(a.Message, "Authorization Denied") {
					t.Errorf("%s %s said %q", c.method, c.path, a.Message)
				}
			}
			b.call(t, "POST", "/profile/"+owner.Profile+"/services", `{"input":1}`).Want(t, 403)
			b.call(t, "DELETE", "/profile/"+owner.Profile, `{"password":"`+apptest.Password+`"}`).Want(t, 403)
			// The audit log is the owner's and admins'; a developer reads the own actions.
			l := auditLog(t, s, owner.Profile, inside.Token, "")
			others := slices.ContainsFunc(l.Events, func(e logEvent) bool { return e.Who != bob.Account })
			if others != (role == "admin") {
				t.Errorf("a %s reads actions of others: %v", role, others)
			}
			// The browser's /account routes are about bob's own account, never the owner's.
			if got := b.call(t, "GET", "/account/allocation", "").Want(t, 200); strings.Contains(string(got.Body), owner.Profile) {
				t.Error("a member sees the owner's allocation")
			}
			s.Call(t, "DELETE", "/profile/"+owner.Profile+"/team/"+bob.Account, owner.Token, nil).Want(t, 200)
		}
	})
}

func TestBehaviour26_RemovalActsAtOnce(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "house"), s.Account(t, "house")
		inside := s.Join(t, owner, bob, nil)
		made := profileToken(t, s, inside, row{"name": "bob's script", "permission": "full"})
		b := signIn(t, s, bob.Email, apptest.Password, owner.Profile)
		for range 2 { // twice: from the cache too
			b.call(t, "GET", "/device", "").Want(t, 200)
			s.Call(t, "GET", "/device", made, nil).Want(t, 200)
		}
		path := "/profile/" + owner.Profile + "/team/" + bob.Account
		var ends struct {
			Tokens   []struct{ Name, Tail string }
			Sessions []struct{ Agent string }
			Profiles []struct{ ID string }
		}
		s.Call(t, "GET", path+"/ends", owner.Token, nil).Want(t, 200).Into(t, &ends)
		if len(ends.Tokens) != 2 || len(ends.Sessions) != 1 || len(ends.Profiles) != 1 || ends.Tokens[1].Name != "bob's script" || ends.Tokens[1].Tail != made[len(made)-4:] {
			t.Errorf("what ends: %+v", ends)
		}
		if got := s.Call(t, "DELETE", path, owner.Token, nil).Want(t, 200).Text(t); got != "Account Successfully Removed" {
			t.Errorf("answered %q", got)
		}
		b.call(t, "GET", "/device", "").Want(t, 404)
		s.Call(t, "GET", "/device", made, nil).Want(t, 401)
		s.Call(t, "GET", "/device", inside.Token, nil).Want(t, 401)
		s.Call(t, "DELETE", path, owner.Token, nil).Want(t, 404)
		if _, there := profileRows(t, s, bob.Token)[owner.Profile]; there {
			t.Error("the profile is still listed")
		}
		// Coming back does not bring old tokens back.
		again := s.Join(t, owner, bob, nil)
		s.Call(t, "GET", "/device", made, nil).Want(t, 401)
		s.Call(t, "GET", "/device", again.Token, nil).Want(t, 200)
	})
}

func TestBehaviour26_ExpiryIsJudgedAtUse(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "starter"), s.Account(t, "house")
		inside := s.Join(t, owner, bob, row{"expires": "2 days"})
		s.Call(t, "GET", "/device", inside.Token, nil).Want(t, 200)
		s.Clock.Advance(48*time.Hour + time.Second)
		s.Call(t, "GET", "/device", inside.Token, nil).Want(t, 401)
		rows := team(t, s, owner)
		if len(rows) != 1 || rows[0].Active || rows[0].Pending {
			t.Errorf("the team is %+v", rows)
		}
		if got := profileRows(t, s, bob.Token); len(got) != 1 {
			t.Errorf("bob sees %+v", got)
		}
		// The seat is free again; whoever takes it keeps bob out.
		invite(t, s, owner, "carol@new.test", nil)
		path := "/profile/" + owner.Profile + "/team/"
		s.Call(t, "PUT", path+bob.Account, owner.Token, row{"expires": nil}).Want(t, 402)
		for _, r := range team(t, s, owner) {
			if r.Pending {
				s.Call(t, "DELETE", path+r.ID, owner.Token, nil).Want(t, 200)
			}
		}
		s.Call(t, "PUT", path+bob.Account, owner.Token, row{"expires": nil}).Want(t, 200)
		s.Call(t, "GET", "/device", inside.Token, nil).Want(t, 200)
	}, apptest.AtTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)))
}

func TestBehaviour27_LeavingTakesThePassword(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "house"), s.Account(t, "house")
		inside := s.Join(t, owner, bob, nil)
		path := "/profile/" + owner.Profile + "/leave"
		b := signIn(t, s, bob.Email, apptest.Password, owner.Profile)
		b.call(t, "POST", path, `{}`).Want(t, 400)
		b.call(t, "POST", path, `{"password":"wrong"}`).Want(t, 401)
		b.call(t, "GET", "/device", "").Want(t, 200)
		b.call(t, "GET", "/profile/"+owner.Profile+"/team/current/ends", "").Want(t, 200)
		b.call(t, "POST", path, `{"password":"`+apptest.Password+`"}`).Want(t, 200)
		b.call(t, "GET", "/device", "").Want(t, 404)
		s.Call(t, "GET", "/device", inside.Token, nil).Want(t, 401)
		if rows := team(t, s, owner); len(rows) != 0 {
			t.Errorf("the team is %+v", rows)
		}
		s.Call(t, "POST", path, owner.Token, row{"password": apptest.Password}).Want(t, 409)
		s.Call(t, "POST", path, bob.Token, row{"password": apptest.Password}).Want(t, 404)
		told := false
		for _, m := range s.Mails(t) {
			told = told || m.To == owner.Email && strings.Contains(m.Subject, "left")
		}
		if !told {
			t.Error("the owner was not told")
		}
	})
}

func TestBehaviour42_TokenInASharedProfile(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "house"), s.Account(t, "house")
		in := row{"profile_id": owner.Profile, "email": bob.Email, "password": apptest.Password, "name": "t"}
		s.Call(t, "POST", "/account/profile/token", "", in).Want(t, 404)
		s.Join(t, owner, bob, nil)
		var made struct {
			Token, Profile string
			CreatedBy      string `json:"created_by"`
		}
		s.Call(t, "POST", "/account/profile/token", "", in).Want(t, 200, 201).Into(t, &made)
		if made.Profile != owner.Profile || made.CreatedBy != bob.Account {
			t.Errorf("made %+v", made)
		}
		s.Call(t, "POST", "/device", made.Token, row{"name": "d", "type": "mutable"}).Want(t, 200, 201)
		in["password"] = "wrong"
		s.Call(t, "POST", "/account/profile/token", "", in).Want(t, 401)
	})
}

func TestTeamRoles(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner := s.Account(t, "house")
		ann, dev, eye := s.Account(t, "house"), s.Account(t, "house"), s.Account(t, "house")
		admin := s.Join(t, owner, ann, row{"role": "admin"})
		developer := s.Join(t, owner, dev, nil)
		viewer := s.Join(t, owner, eye, row{"role": "viewer"})
		second := s.Join(t, owner, s.Account(t, "house"), row{"role": "admin"})
		invite(t, s, owner, "waits@new.test", nil)
		path := "/profile/" + owner.Profile + "/team/"

		t.Run("admins see invitations, developers the team, viewers themselves", func(t *testing.T) {
			for _, c := range []struct {
				w    apptest.Who
				rows int
			}{{owner, 5}, {admin, 5}, {developer, 4}, {viewer, 1}} {
				if got := team(t, s, c.w); len(got) != c.rows {
					t.Errorf("%d rows, want %d", len(got), c.rows)
				}
			}
		})
		t.Run("nobody changes or removes the owner", func(t *testing.T) {
			for _, w := range []apptest.Who{admin, owner} {
				s.Call(t, "PUT", path+owner.Account, w.Token, row{"role": "viewer"}).Want(t, 403)
				s.Call(t, "DELETE", path+owner.Account, w.Token, nil).Want(t, 403)
			}
		})
		t.Run("an admin changes other admins, and raises nobody above", func(t *testing.T) {
			s.Call(t, "PUT", path+second.Account, admin.Token, row{"role": "owner"}).Want(t, 400)
			s.Call(t, "PUT", path+second.Account, admin.Token, row{"role": "viewer"}).Want(t, 200)
			s.Call(t, "POST", "/device", second.Token, row{"name": "x", "type": "mutable"}).Want(t, 403)
			s.Call(t, "DELETE", path+second.Account, admin.Token, nil).Want(t, 200)
			s.Call(t, "DELETE", path+admin.Account, admin.Token, nil).Want(t, 409)
		})
		t.Run("developers and viewers change nobody", func(t *testing.T) {
			for _, w := range []apptest.Who{developer, viewer} {
				s.Call(t, "PUT", path+eye.Account, w.Token, row{"role": "admin"}).Want(t, 403)
				s.Call(t, "DELETE", path+dev.Account, w.Token, nil).Want(t, 403)
				s.Call(t, "GET", path+ann.Account+"/ends", w.Token, nil).Want(t, 403)
				s.Call(t, "GET", path+"current/ends", w.Token, nil).Want(t, 200)
			}
		})
		t.Run("a change holds for the next request", func(t *testing.T) {
			s.Call(t, "POST", "/device", viewer.Token, row{"name": "x", "type": "mutable"}).Want(t, 403)
			s.Call(t, "PUT", path+eye.Account, owner.Token, row{"role": "developer"}).Want(t, 200)
			s.Call(t, "POST", "/device", viewer.Token, row{"name": "x", "type": "mutable"}).Want(t, 200, 201)
			s.Call(t, "PUT", path+eye.Account, owner.Token, row{"role": "viewer", "within": row{"devices": row{"tags": []row{{"key": "site", "value": "a"}}}}}).Want(t, 200)
			for _, r := range team(t, s, owner) {
				if r.ID == eye.Account && (r.Role != "viewer" || r.Within["devices"] == nil) {
					t.Errorf("row %+v", r)
				}
			}
			s.Call(t, "PUT", path+eye.Account, owner.Token, row{"role": "admin"}).Want(t, 400)
			s.Call(t, "PUT", path+eye.Account, owner.Token, row{"role": "admin", "within": nil}).Want(t, 200)
		})
	})
}

func TestStaff(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "house"), s.Account(t, "house")
		north, south := s.Profile(t, owner, "North"), s.Profile(t, owner, "South")
		tag := func(w apptest.Who, tags ...row) apptest.Answer {
			return s.Call(t, "PUT", "/profile/"+w.Profile, owner.Token, row{"tags": append([]row{}, tags...)})
		}
		tag(north, row{"key": "region", "value": "north"}).Want(t, 200)
		s.Call(t, "PUT", "/profile/"+north.Profile, owner.Token, row{"tags": []row{{"key": "", "value": "x"}}}).Want(t, 400)
		var info struct{ Info struct{ Tags []row } }
		s.Call(t, "GET", "/profile/"+north.Profile, owner.Token, nil).Want(t, 200).Into(t, &info)
		if len(info.Info.Tags) != 1 || info.Info.Tags[0]["value"] != "north" {
			t.Errorf("tags %v", info.Info.Tags)
		}

		if got := s.Call(t, "POST", "/account/staff", owner.Token, row{"email": bob.Email, "tags": []row{{"key": "region", "value": "north"}}}).Want(t, 200).Text(t); got != "User invited" {
			t.Errorf("answered %q", got)
		}
		s.Call(t, "GET", "/profile/team/accept/"+s.Secret(t, bob.Email, "team/accept"), "", nil).Want(t, 200)
		reach := func() string {
			out := ""
			for _, w := range []apptest.Who{owner, north, south} {
				if r, ok := profileRows(t, s, bob.Token)[w.Profile]; ok {
					out += r.Role[:1]
				} else {
					out += "-"
				}
			}
			return out
		}
		if got := reach(); got != "-d-" {
			t.Errorf("with the tag bob reaches %s", got)
		}
		in := s.TokenOf(t, bob, north.Profile)
		s.Call(t, "GET", "/device", in.Token, nil).Want(t, 200)
		// A tag that moves takes the access along at once.
		tag(south, row{"key": "region", "value": "north"}).Want(t, 200)
		tag(north).Want(t, 200)
		if got := reach(); got != "--d" {
			t.Errorf("after the tag moved bob reaches %s", got)
		}
		s.Call(t, "GET", "/device", in.Token, nil).Want(t, 401)
		s.Call(t, "PUT", "/account/staff/"+bob.Account, owner.Token, row{"tags": []row{}, "role": "viewer"}).Want(t, 200)
		if got := reach(); got != "vvv" {
			t.Errorf("without tags bob reaches %s", got)
		}
		fourth := s.Profile(t, owner, "Fourth")
		if _, ok := profileRows(t, s, bob.Token)[fourth.Profile]; !ok {
			t.Error("staff of all profiles do not reach a new one")
		}
		// Beside a membership of one profile the higher role counts there.
		s.Join(t, north, bob, nil)
		if got := reach(); got != "vdv" {
			t.Errorf("with a membership beside bob reaches %s", got)
		}
		var list []teamRow
		s.Call(t, "GET", "/account/staff", owner.Token, nil).Want(t, 200).Into(t, &list)
		if len(list) != 1 || list[0].ID != bob.Account || len(list[0].Profiles) != 4 || list[0].Role != "viewer" {
			t.Errorf("staff are %+v", list)
		}
		if rows := team(t, s, south); len(rows) != 1 || !rows[0].Staff || rows[0].Direct {
			t.Errorf("the team of South is %+v", rows)
		}
		s.Call(t, "DELETE", "/profile/"+south.Profile+"/team/"+bob.Account, owner.Token, nil).Want(t, 409)

		token := s.TokenOf(t, bob, south.Profile)
		b := signIn(t, s, bob.Email, apptest.Password, south.Profile)
		b.call(t, "GET", "/device", "").Want(t, 200)
		type ended struct {
			Profiles []struct{ ID string }
			Tokens   []struct{ Profile string }
			Sessions []struct{ Agent string }
		}
		var will, did ended
		s.Call(t, "GET", "/account/staff/"+bob.Account+"/ends", owner.Token, nil).Want(t, 200).Into(t, &will)
		s.Call(t, "DELETE", "/account/staff/"+bob.Account, owner.Token, nil).Want(t, 200).Into(t, &did)
		if len(did.Profiles) != 4 || len(did.Tokens) != 3 || len(did.Sessions) != 1 || len(will.Tokens) != len(did.Tokens) {
			t.Errorf("said it would end %+v, ended %+v", will, did)
		}
		if got := reach(); got != "---" {
			t.Errorf("removed, bob reaches %s", got)
		}
		b.call(t, "GET", "/device", "").Want(t, 404)
		s.Call(t, "GET", "/device", token.Token, nil).Want(t, 401)
		s.Call(t, "DELETE", "/account/staff/"+bob.Account, owner.Token, nil).Want(t, 404)
	})
}

func TestStaffTakeSeats(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner := s.Account(t, "starter") // two profiles, a seat in each
		second := s.Profile(t, owner, "Second")
		tags := row{"tags": []row{{"key": "a", "value": "b"}}}
		s.Call(t, "PUT", "/profile/"+second.Profile, owner.Token, tags).Want(t, 200)
		s.Call(t, "POST", "/account/staff", owner.Token, row{"email": "s@new.test", "tags": tags["tags"]}).Want(t, 200)
		invite(t, s, owner, "m@new.test", nil)
		s.Call(t, "POST", "/profile/"+second.Profile+"/team", second.Token, row{"email": "m@new.test"}).Want(t, 402)
		// The same person in a team as well takes no other seat.
		invite(t, s, second, "s@new.test", nil)
		// A tag must not bring more people in than there are seats, and what has no part in that may change.
		s.Call(t, "PUT", "/profile/"+owner.Profile, owner.Token, tags).Want(t, 402)
		s.Call(t, "PUT", "/profile/"+owner.Profile, owner.Token, row{"tags": []row{{"key": "x", "value": "y"}}}).Want(t, 200)
		s.Call(t, "POST", "/account/staff", owner.Token, row{"email": "t@new.test"}).Want(t, 402)
	})
}

func TestInvitationAttacks(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		owner, bob := s.Account(t, "house"), s.Account(t, "house")
		path := "/profile/" + owner.Profile + "/team"

		t.Run("the answer does not tell who has an account", func(t *testing.T) {
			known := s.Call(t, "POST", path, owner.Token, row{"email": bob.Email}).Want(t, 200)
			unknown := s.Call(t, "POST", path, owner.Token, row{"email": "nobody@new.test"}).Want(t, 200)
			again := s.Call(t, "POST", path, owner.Token, row{"email": bob.Email}).Want(t, 200)
			if !bytes.Equal(known.Body, unknown.Body) || !bytes.Equal(known.Body, again.Body) {
				t.Errorf("%s, %s and %s", known.Body, unknown.Body, again.Body)
			}
			rows := team(t, s, owner)
			if len(rows) != 2 {
				t.Fatalf("%d rows", len(rows))
			}
			a, b := rows[0], rows[1]
			a.ID, a.Email, a.CreatedAt, a.ExpiresAt = b.ID, b.Email, b.CreatedAt, b.ExpiresAt
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("rows differ: %+v %+v", rows[0], rows[1])
			}
		})
		t.Run("names cannot forge a letter", func(t *testing.T) {
			s.Call(t, "PUT", "/profile/"+owner.Profile, owner.Token, row{"name": "<b>{{.URL}}</b> http://evil.example/x www.evil.example \u202e"}).Want(t, 200)
			s.Call(t, "PUT", "/account", owner.Token, row{"name": `Ada evil.example <script>`}).Want(t, 200)
			invite(t, s, owner, "careful@new.test", nil)
			for _, m := range s.Mails(t) {
				if m.To != "careful@new.test" {
					continue
				}
				if strings.Contains(m.Text, "http://evil") || strings.Contains(m.Text, "evil.example") || strings.Contains(m.Subject, "evil.example") || strings.ContainsRune(m.Text, '\u202e') {
					t.Errorf("the letter is %q: %s", m.Subject, m.Text)
				}
				if strings.Count(m.Text, "://") != 1 {
					t.Errorf("the letter has more than its own link: %s", m.Text)
				}
			}
		})
		t.Run("an invitation of another profile is not found by its id", func(t *testing.T) {
			stranger := s.Account(t, "house")
			row := team(t, s, owner)[0]
			for _, tail := range []string{"", "/link", "/ends"} {
				method := "GET"
				if tail == "" {
					method = "DELETE"
				}
				s.Call(t, method, "/profile/"+stranger.Profile+"/team/"+row.ID+tail, stranger.Token, nil).Want(t, 404)
				s.Call(t, method, path+"/"+row.ID+tail, stranger.Token, nil).Want(t, 404)
			}
			s.Call(t, "GET", "/account/staff/"+row.ID+"/link", stranger.Token, nil).Want(t, 404)
		})
		t.Run("the link to copy takes an admin and a full token, and without mail a sign-in", func(t *testing.T) {
			secret := invite(t, s, owner, bob.Email, nil)
			rows := team(t, s, owner)
			at := path + "/" + rows[len(rows)-1].ID + "/link"
			s.Call(t, "GET", at, profileToken(t, s, owner, row{"name": "r", "permission": "read"}), nil).Want(t, 401)
			dev := s.Join(t, owner, s.Account(t, "house"), nil)
			s.Call(t, "GET", at, dev.Token, nil).Want(t, 403)
			var l struct{ Link string }
			s.Call(t, "GET", at, owner.Token, nil).Want(t, 200).Into(t, &l)
			copied := acceptLink(t, l.Link)
			if copied == secret {
				t.Fatal("the copied link is the mail's, which speaks for the mailbox")
			}
			s.Call(t, "GET", "/profile/team/accept/"+copied, "", nil).Want(t, 403)
			s.Call(t, "POST", "/team/invitation/"+copied+"/accept", "", row{}).Want(t, 403)
			signIn(t, s, owner.Email, apptest.Password, "").call(t, "POST", "/team/invitation/"+copied+"/accept", "{}").Want(t, 403)
			signIn(t, s, bob.Email, apptest.Password, "").call(t, "POST", "/team/invitation/"+copied+"/accept", "{}").Want(t, 200)
		})
		t.Run("guessing is slowed down", func(t *testing.T) {
			secret := invite(t, s, owner, "late@new.test", nil)
			last := apptest.Answer{}
			for i := range 25 {
				last = s.Call(t, "GET", fmt.Sprintf("/profile/team/accept/%043d", i), "", nil).Want(t, 404, 429)
			}
			if last.Status != 429 || last.Header.Get("Retry-After") == "" {
				t.Errorf("the 25th guess answered %d", last.Status)
			}
			// Whoever guesses on finds nothing, not even what exists.
			s.Call(t, "GET", "/team/invitation/"+secret, "", nil).Want(t, 429)
		})
	})
}
