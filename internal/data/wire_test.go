package data_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"paddock/internal/app/apptest"
)

// TestWire goes through HTTP: routes, statuses, sentences and who may call.
func TestWire(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		who, other := s.Account(t, "house"), s.Account(t, "house")
		dev, token := s.Device(t, who, "Tank")
		path := "/device/" + dev

		say := func(want string, a apptest.Answer) {
			t.Helper()
			if got := a.Want(t, 200).Text(t); got != want {
				t.Errorf("%s %s says %q, want %q", a.Method, a.Path, got, want)
			}
		}
		refuse := func(status int, words string, a apptest.Answer) {
			t.Helper()
			if a.Want(t, status); a.OK || !strings.Contains(a.Message, words) {
				t.Errorf("%s %s says %s, want %q", a.Method, a.Path, a.Body, words)
			}
		}
		rows := func(a apptest.Answer) (out []map[string]any) {
			t.Helper()
			a.Want(t, 200).Into(t, &out)
			return out
		}

		say("1 Data Added", s.Call(t, "POST", "/data", token, `[{"variable":"Temperature","value":27,"unit":"C"}]`))
		say("1 Data Added", s.Call(t, "POST", "/data/", token, `{"variable":"humidity","value":"wet"}`))
		say("2 Data Added", s.Call(t, "POST", path+"/data", who.Token, `[{"variable":"a","value":1},{"variable":"b","value":true}]`))
		plain, _ := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/data", strings.NewReader(`{"variable":"text"}`))
		plain.Header.Set("token", token)
		plain.Header.Set("Content-Type", "text/plain;charset=UTF-8")
		say("1 Data Added", s.Do(t, plain))

		for range 2 {
			q, _ := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/data", strings.NewReader(`[{"variable":"once"},{"variable":"once"}]`))
			q.Header.Set("token", token)
			q.Header.Set("Idempotency-Key", "k-1")
			say("2 Data Added", s.Do(t, q))
		}

		if got := rows(s.Call(t, "GET", "/data?variables[0]=temperature", token, nil)); len(got) != 1 || got[0]["value"] != 27.0 || got[0]["device"] != dev {
			t.Errorf("the device reads %v", got)
		}
		if got := rows(s.Call(t, "GET", path+"/data?qty=2", who.Token, nil)); len(got) != 2 {
			t.Errorf("the profile reads %v", got)
		}
		for _, p := range []string{path + "/data_amount", "/bucket/" + dev + "/data_amount", path + "/data?query=count"} {
			var n int
			if s.Call(t, "GET", p, who.Token, nil).Want(t, 200).Into(t, &n); n != 7 {
				t.Errorf("%s says %d, want 7", p, n)
			}
		}
		if got := rows(s.Call(t, "GET", "/bucket/"+dev+"/variable?amount=true&resolveOriginName=true", who.Token, nil)); len(got) != 6 || got[3]["variable"] != "once" || got[3]["amount"] != 2.0 || got[3]["origin"] != dev || got[3]["origin_name"] != "Tank" {
			t.Errorf("the variables are %v", got)
		}

		one := rows(s.Call(t, "GET", "/data?variable=a", token, nil))[0]["id"].(string)
		say("1 item(s) updated", s.Call(t, "PUT", "/data", token, `[{"id":"`+one+`","value":2}]`))
		say("1 item(s) updated", s.Call(t, "PUT", path+"/data", who.Token, `{"id":"`+one+`","value":3}`))
		if got := rows(s.Call(t, "GET", "/data?ids[0]="+one, token, nil)); len(got) != 1 || got[0]["value"] != 3.0 {
			t.Errorf("after editing: %v", got)
		}
		refuse(404, "000000000000000000000000", s.Call(t, "PUT", "/data", token, `[{"id":"000000000000000000000000","value":2}]`))

		say("6 Data Removed", s.Call(t, "DELETE", "/data?query=last_item", token, nil))
		say("1 Data Removed", s.Call(t, "DELETE", path+"/data?variables=once", who.Token, nil))
		say("0 Data Removed", s.Call(t, "DELETE", path+"/data", who.Token, nil))
		if a := s.Call(t, "GET", "/data", token, nil).Want(t, 200); string(a.Result) != "[]" {
			t.Errorf("an empty device answers %s", a.Body)
		}
		s.Send(t, token, 3).Want(t, 200)
		say("Data Successfully Removed", s.Call(t, "POST", path+"/empty", who.Token, nil))
		if got := s.Summary(t, who); got.Used["data_records"] != 0 || got.Used["input"] != 10 {
			t.Errorf("usage is %v", got.Used)
		}

		// What is wrong is said with a 4xx that names it.
		refuse(400, "[1].unit:", s.Call(t, "POST", "/data", token, `[{"variable":"a"},{"variable":"a","unit":5}]`))
		refuse(400, "body:", s.Call(t, "POST", "/data", token, nil))
		refuse(413, "", s.Call(t, "POST", "/data", token, `[{"variable":"a","value":"`+strings.Repeat("x", 201_000)+`"}]`))
		refuse(400, "qty:", s.Call(t, "GET", "/data?qty=x", token, nil))
		refuse(400, "start_date field is required", s.Call(t, "GET", "/data?query=avg", token, nil))
		refuse(400, "query:", s.Call(t, "DELETE", "/data?query=count", token, nil))
		refuse(404, "Device Not Found", s.Call(t, "GET", "/device/5f5f5f5f5f5f5f5f5f5f5f5f/data", who.Token, nil))
		refuse(404, "Device Not Found", s.Call(t, "GET", "/device/xyz/data_amount", who.Token, nil))

		// Who may call.
		for _, c := range []struct{ method, path, token string }{
			{"GET", path + "/data", token}, {"POST", path + "/data", token}, {"POST", path + "/empty", token}, {"GET", path + "/chunk", token},
			{"GET", "/data", who.Token}, {"POST", "/data", who.Token}, {"GET", "/data", ""}, {"POST", "/data", "nonsense"},
		} {
			refuse(401, "Authorization Denied", s.Call(t, c.method, c.path, c.token, nil))
		}
		for _, c := range []struct{ method, path string }{
			{"GET", "/data"}, {"POST", "/data"}, {"PUT", "/data"}, {"DELETE", "/data"}, {"GET", "/data_amount"}, {"POST", "/empty"}, {"GET", "/chunk"}, {"DELETE", "/chunk/1_2"},
		} {
			body := any(nil)
			if c.method == "POST" || c.method == "PUT" {
				body = `{"variable":"a","id":"` + one + `"}`
			}
			refuse(404, "Device Not Found", s.Call(t, c.method, path+c.path, other.Token, body))
		}

		// Chunks.
		var made struct {
			DeviceID string `json:"device_id"`
			Token    string
		}
		s.Call(t, "POST", "/device", who.Token, `{"name":"Log","type":"immutable","chunk_period":"day","chunk_retention":2}`).Want(t, 201).Into(t, &made)
		s.Send(t, made.Token, 4).Want(t, 200)
		chunks := rows(s.Call(t, "GET", "/device/"+made.DeviceID+"/chunk", who.Token, nil))
		day := time.Now().UTC().Truncate(24 * time.Hour)
		if len(chunks) != 1 || chunks[0]["amount"] != 4.0 || chunks[0]["from"] != day.Format("2006-01-02T15:04:05.000Z") || chunks[0]["to"] != day.Format("2006-01-02")+"T23:59:59.999Z" {
			t.Fatalf("chunks are %v", chunks)
		}
		chunk := chunks[0]["id"].(string)
		refuse(400, "Data in immutable devices cannot be deleted", s.Call(t, "DELETE", "/data", made.Token, nil))
		refuse(400, "You cannot edit data on immutable device", s.Call(t, "PUT", "/data", made.Token, `{"id":"`+one+`","value":2}`))
		refuse(400, "time: Time must be between ", s.Call(t, "POST", "/data", made.Token, `{"variable":"a","time":"2020-01-01"}`))
		say("Chunk "+chunk+" deleted", s.Call(t, "DELETE", "/device/"+made.DeviceID+"/chunk/"+chunk, who.Token, nil))
		refuse(404, "Chunk Not Found", s.Call(t, "DELETE", "/device/"+made.DeviceID+"/chunk/"+chunk, who.Token, nil))

		// A device that is switched off.
		s.Call(t, "PUT", path, who.Token, `{"active":false}`).Want(t, 200)
		refuse(403, "Device not found or inactive", s.Call(t, "POST", path+"/data", who.Token, `{"variable":"a"}`))
		if a := s.Call(t, "POST", "/data", token, `{"variable":"a"}`); a.Status < 400 || a.Status > 499 {
			t.Errorf("the token of a device that is off: %d %s", a.Status, a.Body)
		}
		found, _, err := s.App.Verify(t.Context())
		if err != nil || len(found) > 0 {
			t.Error(found, err)
		}
	})
}
