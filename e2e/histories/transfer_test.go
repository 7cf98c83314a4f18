package histories

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"paddock/e2e/server"
)

// TestTransferThroughKills ends the server at each place on the way of a hand-over and of its undoing, and starts it again: there is
// exactly one owner, the transfer and its ticket say where it stands, and whoever repeats the request finishes it or is told.
func TestTransferThroughKills(t *testing.T) {
	t.Parallel()
	binary := faultBinary(t)
	for _, engine := range []string{"sqlite", "postgres"} {
		if only := os.Getenv("HISTORY_ENGINE"); only != "" && only != engine {
			continue
		}
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w, err := newWorldWith(engine, binary, "")
			if err != nil {
				t.Fatal(err)
			}
			defer w.end()
			h := &handing{kills: &kills{t: t, world: w}, visited: map[string]bool{}}
			h.begin()
			h.asks()
			h.accepts()
			h.undoes()
			h.cancels()
			h.reviews()
			for _, place := range transferPlaces(t) {
				if !h.visited[place] {
					t.Errorf("nobody ended the server at %q", place)
				}
			}
		})
	}
}

// transferPlaces are those in the source of a hand-over.
func transferPlaces(t *testing.T) (places []string) {
	t.Helper()
	call := regexp.MustCompile(`crash\.At\("([^"]+)"\)`)
	files, err := filepath.Glob("../../internal/transfer/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source: ", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(text), -1) {
			places = append(places, m[1])
		}
	}
	return places
}

// Places on the way that belong to other rooms: what a change of owner divides.
var handoverPlaces = []string{"profile has changed hands, nothing divided yet", "profile left its former owner's book, not yet in the new one", "one hook of a handover done"}

// handing is a profile that goes back and forth between two accounts while the server ends again and again.
type handing struct {
	*kills
	from, to server.Account
	profile  string
	visited  map[string]bool
}

func (h *handing) begin() {
	var err error
	h.operator, err = h.home.CreateAccount("Operator", "house")
	h.must(err)
	h.from, err = h.home.CreateAccount("Ada", "house")
	h.must(err)
	h.to, err = h.home.CreateAccount("Bob", "house")
	h.must(err)
	var made struct{ ID string }
	h.must(h.post(h.from, "POST", "/profile", map[string]any{"name": "Harbour"}, &made))
	h.profile = made.ID
	var minted, device struct{ Token string }
	h.must(h.server.Call("POST", "/account/profile/token", "", map[string]any{"profile_id": h.profile, "email": h.from.Email, "password": h.from.Password, "name": "t"}, &minted))
	h.must(h.server.Call("POST", "/device", minted.Token, map[string]any{"name": "Meter"}, &device))
	h.device = device.Token
	h.send(3)
}

// at is kills.at that remembers the place. An hour goes by first, so that nobody asks too often.
func (h *handing) at(place string, pass int, do func() error) {
	h.t.Helper()
	h.page.set(h.page.now().Add(61 * time.Minute))
	h.visited[place] = true
	h.kills.at(place, pass, do)
	h.one(place)
	h.send(1)
}

// one checks that there is one owner, who is the one that the latest transfer says, and that its ticket agrees.
func (h *handing) one(when string) {
	h.t.Helper()
	var owner string
	h.must(h.eyes.QueryRow(`SELECT account FROM profile WHERE id = '` + h.profile + `' AND deleted_at IS NULL`).Scan(&owner))
	listed := map[string]bool{}
	for _, a := range []server.Account{h.from, h.to} {
		var rows []struct {
			ID        string
			FromShare bool `json:"from_share"`
		}
		h.must(h.post(a, "GET", "/profile", nil, &rows))
		for _, r := range rows {
			if r.ID == h.profile && !r.FromShare {
				listed[a.Account] = true
			}
		}
	}
	if len(listed) != 1 || !listed[owner] {
		h.t.Fatalf("%s: the profile is %s's, and in the lists of %v", when, owner, listed)
	}
	state, ticket := h.state()
	want := h.from.Account
	if state == "completed" {
		want = h.to.Account
	}
	if owner != want {
		h.t.Errorf("%s: the transfer is %q and the profile %s's", when, state, owner)
	}
	if open := state == "requested" || state == "accepted"; state != "" && (ticket == "closed") == open {
		h.t.Errorf("%s: the transfer is %q and its ticket %q", when, state, ticket)
	}
}

// latest is the id of the latest transfer; "" without one.
func (h *handing) latest() string {
	h.t.Helper()
	var rows []struct{ ID string }
	h.must(h.post(h.from, "GET", "/transfer?amount=1", nil, &rows))
	if len(rows) == 0 {
		return ""
	}
	return rows[0].ID
}

func (h *handing) state() (state, ticket string) {
	h.t.Helper()
	id := h.latest()
	if id == "" {
		return "", ""
	}
	var v struct{ State, Ticket string }
	h.must(h.post(h.from, "GET", "/transfer/"+id, nil, &v))
	var tick struct{ State string }
	h.must(h.post(h.from, "GET", "/ticket/"+v.Ticket, nil, &tick))
	return v.State, tick.State
}

func (h *handing) ask() error {
	return h.post(h.from, "POST", "/profile/"+h.profile+"/transfer", map[string]any{"email": h.to.Email, "password": h.from.Password, "message": "Yours"}, nil)
}

// asked sees to it that a transfer waits.
func (h *handing) asked() {
	h.t.Helper()
	if state, _ := h.state(); state == "requested" || state == "accepted" {
		return
	}
	h.page.set(h.page.now().Add(61 * time.Minute))
	h.must(h.ask())
}

func (h *handing) act(a server.Account, verb string) func() error {
	id := h.latest()
	return func() error {
		return h.post(a, "POST", "/transfer/"+id+"/"+verb, map[string]any{"password": a.Password}, nil)
	}
}

func (h *handing) wantState(want ...string) {
	h.t.Helper()
	if state, _ := h.state(); !slices.Contains(want, state) {
		h.t.Errorf("the transfer is %q, not %q", state, want)
	}
}

func (h *handing) asks() {
	for _, place := range []string{"transfer ticket opened", "transfer asked for"} {
		h.at(place, 1, h.ask)
		h.wantState("") // nothing of it is there
	}
	h.must(h.ask())
	h.wantState("requested")
	var refused *server.Refused
	if err := h.ask(); !errors.As(err, &refused) || refused.Status != 409 {
		h.t.Errorf("asking again: %v", err)
	}
}

// takeBack is an operator's undo.
func (h *handing) takeBack() error {
	return h.asOperator("POST", "/transfer/"+h.latest()+"/undo", map[string]any{"reason": "test"})
}

func (h *handing) accepts() {
	places := []string{"transfer joined by the receiver", "transfer checked", "transfer changed the owner", "transfer changed the team", "transfer changed the tokens", "transfer completed", "transfer told"}
	for _, place := range append(places, handoverPlaces...) {
		h.asked()
		accept := h.act(h.to, "accept")
		h.at(place, 1, accept)
		h.wantState("requested")
	}
	// The commit: before it nothing has happened, after it everything, though nobody was answered. On SQLite other writes pass
	// there too, so the server may end a little early.
	commit := "round"
	if h.engine == "postgres" {
		commit = "transaction"
	}
	h.asked()
	h.at(commit+" before commit", 1, h.act(h.to, "accept"))
	h.wantState("requested")
	for state := ""; state != "completed"; state, _ = h.state() {
		h.asked()
		h.at(commit+" after commit", 1, h.act(h.to, "accept"))
	}
	h.must(h.act(h.to, "accept")())
	h.must(h.takeBack())
	h.asked()
	h.must(h.act(h.to, "accept")())
	h.must(h.act(h.to, "accept")()) // and again: told where it stands
	h.wantState("completed")
}

func (h *handing) undoes() {
	for _, place := range []string{"transfer undo checked", "transfer undo changed the owner", "transfer undo changed the team", "transfer undo changed the tokens", "transfer undone", "transfer undo told"} {
		h.at(place, 1, h.takeBack)
		h.wantState("completed")
	}
	id := h.latest()
	agree := func(a server.Account) func() error {
		return func() error {
			return h.post(a, "POST", "/transfer/"+id+"/undo", map[string]any{"password": a.Password}, nil)
		}
	}
	h.at("transfer undo asked for", 1, agree(h.from))
	h.must(agree(h.from)())
	h.must(agree(h.from)())
	h.wantState("completed")
	h.must(agree(h.to)())
	h.must(agree(h.to)())
	h.wantState("undone")
	h.one("undone")
}

func (h *handing) cancels() {
	h.asked()
	cancel := h.act(h.from, "cancel")
	h.at("transfer ended without a change", 1, cancel)
	h.wantState("requested")
	h.must(cancel())
	h.must(cancel())
	h.wantState("cancelled")
}

func (h *handing) reviews() {
	h.home.Env = append(h.home.Env, "PADDOCK_TRANSFER=review")
	h.server.Kill()
	h.must(h.restart())
	h.asked()
	accept := h.act(h.to, "accept")
	h.at("transfer accepted", 1, accept)
	h.wantState("requested")
	h.must(accept())
	h.must(accept())
	h.wantState("accepted")
	id := h.latest()
	approve := func() error { return h.asOperator("POST", "/transfer/"+id+"/approve", map[string]any{}) }
	h.at("transfer changed the owner", 1, approve)
	h.wantState("accepted")
	h.must(approve())
	h.must(approve())
	h.wantState("completed")
	h.one("approved")
	if n := h.count(`SELECT COUNT(*) FROM profile_owned WHERE profile = '%s' AND until_at = 0`, h.profile); n != 1 {
		h.t.Errorf("the history of owners has %d who still are", n)
	}
	if n := h.count(`SELECT SUM(data_records_used) FROM counter WHERE profile_id = '%s'`, h.profile); n != h.sent {
		h.t.Errorf("%d points are counted, %d were sent", n, h.sent)
	}
}
