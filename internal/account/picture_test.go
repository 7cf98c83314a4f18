package account_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"paddock/internal/account"
	"paddock/internal/kit/picture"
)

func TestPicture(t *testing.T) {
	t.Parallel()
	each(t, setup{}, func(t *testing.T, r *room) {
		w := serve(t, r)
		r.person(t, "Root") // the first is operator and must stay
		ada := r.person(t, "Ada")
		w.tokens["ada"] = token(ada)
		var big bytes.Buffer
		must(t, png.Encode(&big, image.NewGray(image.Rect(0, 0, 600, 300))))
		shown := func() (string, bool) {
			u, ok := w.call(t, "GET", "/account", "ada", "").result.(map[string]any)["picture_url"].(string)
			return u, ok
		}
		get := func(path string) (int, []byte) {
			p, err := http.Get(w.url + path)
			must(t, err)
			defer p.Body.Close()
			text, err := io.ReadAll(p.Body)
			must(t, err)
			return p.StatusCode, text
		}
		put := func(body string) answer {
			return w.call(t, "PUT", "/account/picture", "ada", body, "Content-Type", "image/png")
		}

		var first string
		t.Run("what is uploaded is drawn anew, in its box, for everybody who knows the address", func(t *testing.T) {
			u := put(big.String()).want(t, 200, "").result.(map[string]any)["picture_url"].(string)
			if now, _ := shown(); now != u {
				t.Fatalf("the account shows %q, uploaded was %q", now, u)
			}
			code, text := get(u)
			cfg, err := png.DecodeConfig(bytes.NewReader(text))
			if code != 200 || err != nil || cfg.Width != 256 || cfg.Height != 128 {
				t.Errorf("%d %v %v", code, cfg, err)
			}
			if code, _ := get(strings.TrimRight(u, "0123456789abcdef") + strings.Repeat("0", 32)); code != 404 {
				t.Errorf("another name answers %d", code)
			}
			first = u
		})
		t.Run("a browser is told of it", func(t *testing.T) {
			a := w.call(t, "POST", "/session", nil, `{"email":"ada@example.com","password":"`+pw+`"}`, "Origin", w.url)
			info, err := json.Marshal(a.result)
			must(t, err)
			if !strings.Contains(string(info), first) {
				t.Errorf("%s lacks %s", info, first)
			}
		})
		t.Run("what is no picture is refused and the former one stays", func(t *testing.T) {
			put("<svg onload=alert(1)>").want(t, 415, "PNG, JPEG or WebP")
			put(strings.Repeat("x", picture.MaxBytes+1)).want(t, 413, "")
			if now, _ := shown(); now != first {
				t.Errorf("shows %q", now)
			}
		})
		t.Run("a new one has a new address and the old one is gone", func(t *testing.T) {
			put(big.String()).want(t, 200, "")
			now, _ := shown()
			if code, _ := get(first); code != 404 || now == first {
				t.Errorf("%d at the old address, %q now", code, now)
			}
			first = now
		})
		t.Run("an edit of the account keeps it", func(t *testing.T) {
			w.call(t, "PUT", "/account", "ada", `{"name":"Ada L."}`).want(t, 200, "")
			if now, _ := shown(); now != first {
				t.Errorf("shows %q", now)
			}
		})
		t.Run("it can be taken away", func(t *testing.T) {
			w.call(t, "DELETE", "/account/picture", "ada", "").want(t, 200, "Successfully Removed")
			if _, ok := shown(); ok {
				t.Error("still shown")
			}
			if code, _ := get(first); code != 404 {
				t.Errorf("answers %d", code)
			}
		})
		t.Run("it goes with the account", func(t *testing.T) {
			u := put(big.String()).want(t, 200, "").result.(map[string]any)["picture_url"].(string)
			_, err := r.Delete(t.Context(), token(ada), account.Proof{Password: pw})
			must(t, err)
			if code, _ := get(u); code != 404 {
				t.Errorf("answers %d", code)
			}
		})
	})
}
