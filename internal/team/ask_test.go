package team

import (
	"strings"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/seal"
)

func TestAsk(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		stranger := auth.Caller{Kind: auth.Anonymous, Addr: "192.0.2.1"}
		secret := func(email string) string {
			t.Helper()
			w.invited(t, email)
			list, err := w.pending(t.Context(), w.home.ID, "")
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			link, err := w.Link(t.Context(), w.owner, list[0])
			if err != nil {
				t.Fatal(err)
			}
			return link[strings.LastIndexByte(link, '/')+1:]
		}
		asked := func() (n int) {
			t.Helper()
			for _, x := range w.told(t, w.owner.AccountID) {
				if strings.Contains(x.title, "new invitation") {
					n++
				}
			}
			return n
		}
		ask := func(s string, want int) {
			t.Helper()
			if err := w.Ask(t.Context(), stranger, s); err != nil {
				t.Error(err)
			}
			if got := asked(); got != want {
				t.Errorf("told %d times, want %d", got, want)
			}
		}
		first := secret("guest@new.test")
		if err := w.Ask(t.Context(), stranger, first); !fault.Is(err, fault.Conflict) {
			t.Error("one that waits:", err)
		}
		w.clock.Advance(inviteLife + time.Second)
		if err := w.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		ask(first, 1)
		ask(first, 1) // once an hour
		w.clock.Advance(2 * time.Hour)
		ask(first, 2)
		ask(seal.Secret(), 2) // the same for what never was

		bob := w.person(t, "Bob")
		second := secret(bob.Email)
		if _, err := w.Accept(t.Context(), w.as(bob), second, nil); err != nil {
			t.Fatal(err)
		}
		ask(second, 2) // is there already
	})
}
