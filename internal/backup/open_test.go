package backup

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"paddock/internal/data"
	"paddock/internal/kit/fault"
)

// part is an entry of an archive that a test makes.
type part struct {
	name    string
	text    string
	records int64 // -1: its lines
	sum     string
	bytes   int64 // -1: its length
	method  uint16
}

const (
	profileID = "66f000000000000000000001"
	deviceA   = "66f00000000000000000000a"
	deviceB   = "66f00000000000000000000b"
	board     = "66f0000000000000000000da"
	widget    = "66f0000000000000000000dd"
)

func point(device string, no int64, variable, value string) string {
	return fmt.Sprintf(`{"id":"%016x%08x","device":"%s","variable":"%s","value":%s,"time":"2026-01-01T00:00:00.000Z"}`+"\n", no, 1, device, variable, value)
}

// parts are those of a sound archive.
func parts() []part {
	const at = `"created_at":"2026-01-01T00:00:00.000Z","updated_at":"2026-01-01T00:00:00.000Z"`
	device := func(id, name string) string {
		return `{"id":"` + id + `","name":"` + name + `","type":"mutable","active":true,"visible":true,"tags":[],"params":[],` + at + "}\n"
	}
	list := []part{
		{name: headerEntry, text: `{"format":"paddock-profile","version":1,"release":"dev","created_at":"2026-01-01T00:00:00.000Z","profile":{"id":"` + profileID + `","name":"One"},"data":true,"tokens":true}` + "\n"},
		{name: settingsEntry, text: `{"id":"` + profileID + `","name":"One","tags":[],"created_at":"2026-01-01T00:00:00.000Z"}` + "\n"},
		{name: allocationEntry, text: `{"service":"input","allocated":null,"used":3,"policy":"pool"}` + "\n"},
		{name: teamEntry, text: ""},
		{name: webhookEntry, text: ""},
		{name: devicesEntry, text: device(deviceA, "a") + device(deviceB, "b")},
		{name: tokensEntry, text: `{"device":"` + deviceA + `","token":"c0ffee00-0000-4000-8000-000000000000","name":"Default","permission":"full","serie_number":"s1","created_at":"2026-01-01T00:00:00.000Z"}` + "\n"},
		{name: dashboardsEntry, text: `{"id":"` + board + `","label":"d","type":"dashboard","visible":true,"arrangement":[],"look":{},"tags":[],` + at + "}\n"},
		{name: widgetsEntry, text: `{"dashboard":"` + board + `","id":"` + widget + `","body":{"label":"w","type":"dial","display":{}},` + at + "}\n"},
		{name: rulesEntry, text: `{"id":"66f0000000000000000000ee","device":"` + deviceA + `","interval":600,"set_at":"2026-01-01T00:00:00.000Z","created_at":"2026-01-01T00:00:00.000Z"}` + "\n"},
		{name: pointsEntry(1), text: point(deviceA, 5, "t", "1") + point(deviceA, 6, "t", `"x"`) + point(deviceB, 7, "t", "true")},
	}
	for i := range list {
		list[i].records, list[i].bytes, list[i].method = -1, -1, zip.Deflate
	}
	return list
}

// pack makes an archive of parts, with a manifest that fits them unless they say otherwise.
func pack(t testing.TB, list []part, manifest bool) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	var m Manifest
	add := func(name, text string, method uint16) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range list {
		sum := sha256.Sum256([]byte(p.text))
		e := Entry{Name: p.name, Records: int64(strings.Count(p.text, "\n")), Bytes: int64(len(p.text)), SHA256: hex.EncodeToString(sum[:])}
		if p.records >= 0 {
			e.Records = p.records
		}
		if p.bytes >= 0 {
			e.Bytes = p.bytes
		}
		if p.sum != "" {
			e.SHA256 = p.sum
		}
		m.Entries = append(m.Entries, e)
		add(p.name, p.text, p.method)
	}
	if manifest {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		add(manifestEntry, string(b)+"\n", zip.Deflate)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(b []byte, passphrase string) (*Archive, error) {
	return OpenArchive(bytes.NewReader(b), int64(len(b)), passphrase)
}

func TestOpenArchive(t *testing.T) {
	a, err := open(pack(t, parts(), true), "")
	if err != nil {
		t.Fatal(err)
	}
	if want := (Counts{Devices: 2, Tokens: 1, Dashboards: 1, Widgets: 1, Rules: 1, Points: 3}); a.Counts != want {
		t.Errorf("counts %+v, want %+v", a.Counts, want)
	}
}

// TestHostileArchives gives every kind of archive that must be refused, and wants the reason.
func TestHostileArchives(t *testing.T) {
	at := func(list []part, name string) *part {
		i := slices.IndexFunc(list, func(p part) bool { return p.name == name })
		return &list[i]
	}
	edit := func(name string, f func(p *part)) func([]part) []part {
		return func(list []part) []part {
			f(at(list, name))
			return list
		}
	}
	text := func(name string, f func(string) string) func([]part) []part {
		return edit(name, func(p *part) { p.text = f(p.text) })
	}
	swap := func(name, old, now string) func([]part) []part {
		return text(name, func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("%s has no %q", name, old)
			}
			return strings.Replace(s, old, now, 1)
		})
	}
	more := func(name, content string) func([]part) []part {
		return func(list []part) []part {
			return append(list, part{name: name, text: content, records: -1, bytes: -1, method: zip.Deflate})
		}
	}
	for _, c := range []struct {
		name string
		do   func([]part) []part
		want string
	}{
		{"a path that leads out", more("../../etc/passwd", "x\n"), "no archive has"},
		{"an absolute path", more("/etc/passwd", "x\n"), "no archive has"},
		{"a path in disguise", more(`points\..\x.jsonl`, "x\n"), "no archive has"},
		{"a name twice", more(devicesEntry, "x\n"), "twice"},
		{"an entry that nobody knows", more("virus.exe", "x\n"), "no archive has"},
		{"a gap in the files of points", more(pointsEntry(3), ""), pointsEntry(2) + " is missing"},
		{"an entry too few", func(l []part) []part { return slices.Delete(l, 5, 6) }, devicesEntry + " is missing"},
		{"another order", func(l []part) []part { l[4], l[5] = l[5], l[4]; return l }, "stands elsewhere"},
		{"another format", swap(headerEntry, "paddock-profile", "something-else"), "does not say"},
		{"a later version", swap(headerEntry, `"version":1`, `"version":2`), "version 2"},
		{"a header with more in it", swap(headerEntry, `"data"`, `"extra":1,"data"`), "extra"},
		{"points that the header denies", swap(headerEntry, `"data":true`, `"data":false`), "points"},
		{"a wrong hash", edit(devicesEntry, func(p *part) { p.sum = strings.Repeat("0", 64) }), "SHA-256"},
		{"too many records promised", edit(devicesEntry, func(p *part) { p.records = 3 }), "2 records"},
		{"too few bytes promised", edit(devicesEntry, func(p *part) { p.bytes = 10 }), "bytes"},
		{"negative counts", edit(devicesEntry, func(p *part) { p.bytes = -5; p.records = 0; p.sum = "x"; p.text = "" }), ""},
		{"a line that is no JSON", text(devicesEntry, func(s string) string { return s + "{\n" }), "line 3"},
		{"a line without end", text(devicesEntry, func(s string) string { return strings.TrimSuffix(s, "\n") }), "no end"},
		{"a member that nobody knows", swap(devicesEntry, `"active"`, `"root":true,"active"`), "root"},
		{"a member twice", swap(devicesEntry, `"active"`, `"name":"x","active"`), "duplicate"},
		{"a line that is too long", text(devicesEntry, func(s string) string { return s + `{"id":"` + strings.Repeat("x", maxLine) + "\"}\n" }), "longer"},
		{"nesting without end", swap(widgetsEntry, `"display":{}`, `"display":{"x":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)+`}`), "nested"},
		{"nesting in metadata", swap(pointsEntry(1), `"value":1`, `"value":1,"metadata":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)), "nested"},
		{"a device that could not be made", swap(devicesEntry, `"name":"a"`, `"name":""`), "name"},
		{"a device twice", text(devicesEntry, func(s string) string { return s + strings.SplitAfter(s, "\n")[1] }), "does not come after"},
		{"a device of a type that is none", swap(devicesEntry, `"mutable"`, `"hybrid"`), "type"},
		{"an id that is none", swap(devicesEntry, deviceA, "../../../../etc/passwd00"), "id"},
		{"a token of a device that is not in it", swap(tokensEntry, deviceA, "66f0000000000000000000ff"), "none of the archive"},
		{"a token that could be guessed", swap(tokensEntry, "c0ffee00-0000-4000-8000-000000000000", "1234"), "UUID"},
		{"a token twice", text(tokensEntry, func(s string) string { return s + s }), "twice"},
		{"a widget of a dashboard that is not in it", swap(widgetsEntry, board, "66f0000000000000000000ff"), "none of the archive"},
		{"a widget that could not be made", swap(widgetsEntry, `"type":"dial"`, `"type":3`), "type"},
		{"a dashboard that could not be made", swap(dashboardsEntry, `"look":{}`, `"look":{"tabs":3}`), "tabs"},
		{"a rule about a device that is not in it", swap(rulesEntry, deviceA, "66f0000000000000000000ff"), "none of the archive"},
		{"a rule that never rests", swap(rulesEntry, "600", "1"), "interval"},
		{"a point of a device that is not in it", swap(pointsEntry(1), deviceB, "66f0000000000000000000ff"), "none of the archive"},
		{"devices out of order", text(pointsEntry(1), func(s string) string { return s + point(deviceA, 8, "t", "1") }), "does not come after"},
		{"a point without an id", swap(pointsEntry(1), fmt.Sprintf("%016x%08x", 5, 1), "x"), "id"},
		{"a point without a time", swap(pointsEntry(1), `,"time":"2026-01-01T00:00:00.000Z"`, ""), "time"},
		{"a point with more in it", swap(pointsEntry(1), `"value":1`, `"value":1,"profile_no":7`), "profile_no"},
		{"a value that is none", swap(pointsEntry(1), `"value":1`, `"value":[1]`), "value"},
		{"a name that no variable has", swap(pointsEntry(1), `"variable":"t"`, `"variable":"a b"`), "variable"},
		{"more points than a device holds", text(pointsEntry(1), func(string) string {
			var b strings.Builder
			for i := range 50_001 {
				b.WriteString(point(deviceA, int64(i+1), "t", "1"))
			}
			return b.String()
		}), "more than the 50000"},
		{"a policy that is none", swap(allocationEntry, "pool", "free"), "policy"},
		{"a service that is none", swap(allocationEntry, `"input"`, `"gold"`), "service"},
		{"two profiles", text(settingsEntry, func(s string) string { return s + s }), "at most 1"},
		{"another profile than the header's", swap(settingsEntry, profileID, deviceA), "another profile"},
		{"a bomb", more(pointsEntry(2), strings.Repeat("\n", 120<<20)), ""},
		{"a file of points that is too large", more(pointsEntry(2), strings.Repeat("\n", maxPoints+1)), "at most"},
		{"bombs that are each small enough", func(l []part) []part {
			for n := 2; n < 6; n++ {
				l = append(l, part{name: pointsEntry(n), text: strings.Repeat(" ", 90<<20), records: -1, bytes: -1, method: zip.Deflate})
			}
			return l
		}, "unpacked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := open(pack(t, c.do(parts()), true), "")
			if err == nil {
				t.Fatal("it was taken")
			}
			if f := fault.Of(err); f.Code != fault.Invalid || !strings.Contains(f.Message, c.want) {
				t.Errorf("refused with %v: %v, want a reason with %q", f.Code, err, c.want)
			}
		})
	}
	t.Run("no manifest", func(t *testing.T) {
		if _, err := open(pack(t, parts(), false), ""); err == nil {
			t.Error("it was taken")
		}
	})
	t.Run("nothing", func(t *testing.T) {
		for _, b := range [][]byte{nil, []byte("PK"), bytes.Repeat([]byte{0}, 1000)} {
			if _, err := open(b, ""); !fault.Is(err, fault.Invalid) {
				t.Errorf("%d bytes: %v", len(b), err)
			}
		}
	})
	t.Run("a directory that promises a hundred million entries", func(t *testing.T) {
		b := pack(t, parts(), true)
		// The records of 64-bit sizes, between the directory and its end.
		end := bytes.Clone(b[len(b)-22:])
		var e [56]byte
		binary.LittleEndian.PutUint32(e[:], 0x06064b50)
		binary.LittleEndian.PutUint64(e[4:], 44)
		binary.LittleEndian.PutUint64(e[24:], 100_000_000)
		binary.LittleEndian.PutUint64(e[32:], 100_000_000)
		binary.LittleEndian.PutUint64(e[40:], 1<<40)
		var l [20]byte
		binary.LittleEndian.PutUint32(l[:], 0x07064b50)
		binary.LittleEndian.PutUint64(l[8:], uint64(len(b)-22))
		binary.LittleEndian.PutUint32(l[16:], 1)
		binary.LittleEndian.PutUint16(end[10:], 0xffff)
		binary.LittleEndian.PutUint32(end[16:], 0xffffffff)
		b = slices.Concat(b[:len(b)-22], e[:], l[:], end)
		if _, err := open(b, ""); err == nil || !strings.Contains(err.Error(), "100000000 entries") {
			t.Errorf("refused with %v", err)
		}
	})
}

// content is what an import would read of an archive.
func content(t *testing.T, a *Archive) string {
	t.Helper()
	var b strings.Builder
	for _, e := range a.order {
		if err := a.copy(e.Name, &b); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// TestDamagedArchives flips bits and cuts ends off. What is taken all the same, since the bit says nothing, must have the
// content that was written; of an encrypted archive nothing is.
func TestDamagedArchives(t *testing.T) {
	plain := pack(t, parts(), true)
	sound, err := open(plain, "")
	if err != nil {
		t.Fatal(err)
	}
	want := content(t, sound)
	t.Run("a flipped bit", func(t *testing.T) {
		taken := 0
		for i := 0; i < len(plain); i += 2 {
			b := bytes.Clone(plain)
			b[i] ^= 1 << (i % 8)
			a, err := open(b, "")
			switch {
			case err == nil:
				taken++
				if content(t, a) != want {
					t.Fatalf("byte %d: another content was taken", i)
				}
			case !fault.Is(err, fault.Invalid):
				t.Fatalf("byte %d: %v", i, err)
			}
		}
		if taken > len(plain)/6 {
			t.Errorf("%d of %d flipped bits did not matter", taken, len(plain))
		}
	})
	t.Run("an end that is cut off", func(t *testing.T) {
		for n := 0; n < len(plain); n += 7 {
			if _, err := open(plain[:n], ""); !fault.Is(err, fault.Invalid) {
				t.Fatalf("%d of %d bytes: %v", n, len(plain), err)
			}
		}
	})
	const passphrase = "an orange cat on the roof"
	var sealed bytes.Buffer
	w, err := Encrypt(&sealed, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Run("encrypted", func(t *testing.T) {
		a, err := open(sealed.Bytes(), passphrase)
		if err != nil {
			t.Fatal(err)
		}
		if content(t, a) != want {
			t.Error("another content")
		}
	})
	for _, c := range []struct{ name, passphrase, want string }{
		{"another passphrase", passphrase + "!", "passphrase: is not the one"},
		{"no passphrase", "", "passphrase: is needed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := open(sealed.Bytes(), c.passphrase); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("a passphrase for what is not encrypted", func(t *testing.T) {
		if _, err := open(plain, passphrase); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a flipped bit of what is encrypted", func(t *testing.T) {
		for _, i := range []int{sealed.Len() - 1, sealed.Len() / 2, sealed.Len() - 700} {
			b := bytes.Clone(sealed.Bytes())
			b[i] ^= 4
			if _, err := open(b, passphrase); !fault.Is(err, fault.Invalid) {
				t.Errorf("byte %d: %v", i, err)
			}
		}
	})
	t.Run("a short passphrase is refused", func(t *testing.T) {
		if _, err := Encrypt(io.Discard, "short"); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v", err)
		}
	})
}

// TestWriterIsNoBomb writes what shrinks without end, and wants to be able to read it.
func TestWriterIsNoBomb(t *testing.T) {
	var out bytes.Buffer
	x := newWriter(&out)
	files := &pointFiles{x: x}
	list := parts()
	for _, p := range list[:len(list)-1] {
		if err := x.begin(p.name); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSuffix(p.text, "\n"), "\n") {
			if line != "" {
				if err := x.line([]byte(line)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := x.end(); err != nil {
			t.Fatal(err)
		}
	}
	long := `","value":"` + strings.Repeat("a", 5900) + `","time":"2026-01-01T00:00:00.000Z","metadata":{"x":"` + strings.Repeat("b", 9900) + `"}}`
	for i := range 20_000 {
		if err := files.line(fmt.Appendf(nil, `{"id":"%016x%08x","device":"%s","variable":"t%s`, i+1, 1, deviceA, long)); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.end(); err != nil {
		t.Fatal(err)
	}
	if err := x.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := open(out.Bytes(), ""); err != nil {
		t.Errorf("%d bytes packed: %v", out.Len(), err)
	}
}

// FuzzOpenArchive looks for an archive that breaks more than itself: a panic, a fault that is not the archive's, or one that is
// taken and cannot be read again.
func FuzzOpenArchive(f *testing.F) {
	f.Add(pack(f, parts(), true))
	f.Add(pack(f, parts()[:3], true))
	stored := parts()
	for i := range stored {
		stored[i].method = zip.Store // whose content the fuzzer can reach
	}
	f.Add(pack(f, stored, true))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := open(b, "")
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("refused with %v", err)
			}
			return
		}
		n := int64(0)
		if err := a.points(func(data.Filed) error { n++; return nil }); err != nil || n != a.Counts.Points {
			t.Errorf("read again: %d points of %d, %v", n, a.Counts.Points, err)
		}
	})
}

// FuzzFiledPoint gives lines of points to whoever reads them, whose hashes a fuzzer of whole archives would not get right.
func FuzzFiledPoint(f *testing.F) {
	f.Add([]byte(point(deviceA, 5, "t", "1")))
	f.Add([]byte(`{"id":"000000000000000500000001","device":"` + deviceA + `","variable":"t","location":{"type":"Point","coordinates":[1,2]},"metadata":{"a":[1]},"time":"2026-01-01T00:00:00.000Z","group":"g","unit":"C"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := data.ParseFiled(b)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if p.Point.Variable == "" || p.Device == "" {
			t.Errorf("%q was taken without a variable or device", b)
		}
	})
}
