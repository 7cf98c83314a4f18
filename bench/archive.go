package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"paddock/e2e/server"
)

// archiveBytes is how many bytes of points, as lines of JSON, are imported and exported.
const archiveBytes = 2_000_000_000

const archivePassphrase = "an orange cat on the roof"

// archiveMain is `bench archive`: what it takes to import and export a profile with many points. Printed only.
func archiveMain(args []string) error {
	f := flag.NewFlagSet("archive", flag.ExitOnError)
	paddock := f.String("paddock", "bin/paddock", "the `binary` to measure")
	size := f.Int64("bytes", archiveBytes, "bytes of points, as lines of JSON")
	f.Parse(args)
	dir, err := os.MkdirTemp("", "paddock-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	figures, err := archives(*paddock, dir, *size)
	if err != nil {
		return err
	}
	fmt.Print(table(figures))
	for _, f := range figures {
		if !f.met() {
			return errMissed
		}
	}
	return nil
}

// archives writes an archive by the page that describes the format (docs/archive.md) and not by our own code, imports it into an
// empty installation, exports the profile encrypted, and imports that into another one: memory is that of the process at its most,
// and the points of both archives must be the same bytes.
func archives(paddock, dir string, size int64) ([]figure, error) {
	made := filepath.Join(dir, "made.zip")
	points, sum, err := makeArchive(made, size)
	if err != nil {
		return nil, err
	}
	var peaks, seconds []float64
	step := func(home *server.Home, stdin string, args ...string) (string, error) {
		cmd := exec.Command(home.Binary, args...)
		cmd.Env, cmd.Stdin = home.Env, strings.NewReader(stdin)
		var out, bad bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &bad
		began := time.Now()
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("paddock %s: %w: %s", args[1], err, bad.String())
		}
		seconds = append(seconds, time.Since(began).Seconds())
		peaks = append(peaks, float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)/1024)
		return out.String(), nil
	}
	install := func(name string) (*server.Home, server.Account, error) {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			return nil, server.Account{}, err
		}
		binary, err := filepath.Abs(paddock)
		if err != nil {
			return nil, server.Account{}, err
		}
		home, err := server.NewHome(binary, filepath.Join(dir, name), "")
		if err != nil {
			return nil, server.Account{}, err
		}
		a, err := home.CreateAccount("Owner", "house")
		return home, a, err
	}
	here, a, err := install("here")
	if err != nil {
		return nil, err
	}
	var rep struct {
		Profile string
		Counts  struct{ Points int64 }
	}
	text, err := step(here, "", "profile", "import", made, "--account", a.Email)
	if err == nil {
		err = json.Unmarshal([]byte(text), &rep)
	}
	if err == nil && rep.Counts.Points != points {
		err = fmt.Errorf("%d points were imported of %d", rep.Counts.Points, points)
	}
	if err != nil {
		return nil, err
	}
	sealed := filepath.Join(dir, "sealed.age")
	if _, err := step(here, archivePassphrase+"\n", "profile", "export", rep.Profile, sealed, "--device-tokens", "--passphrase-stdin"); err != nil {
		return nil, err
	}
	plain := filepath.Join(dir, "plain.zip")
	if _, err := here.Run("", "profile", "export", rep.Profile, plain); err != nil {
		return nil, err
	}
	again, err := hashPoints(plain)
	if err == nil && again != sum {
		err = errors.New("the points that were exported are not those that were imported")
	}
	if err != nil {
		return nil, err
	}
	os.Remove(plain)
	os.RemoveAll(here.Dir)
	there, b, err := install("there")
	if err != nil {
		return nil, err
	}
	if _, err := step(there, archivePassphrase+"\n", "profile", "import", sealed, "--account", b.Email, "--device-tokens", "--passphrase-stdin"); err != nil {
		return nil, err
	}
	packed, err := os.Stat(sealed)
	if err != nil {
		return nil, err
	}
	of := fmt.Sprintf("%.1f GB of points (%d)", float64(size)/1e9, points)
	return []figure{
		{name: "memory to import " + of, unit: "MB", values: peaks[:1], most: 200},
		{name: "memory to export them, encrypted", unit: "MB", values: peaks[1:2], most: 200},
		{name: "memory to import that", unit: "MB", values: peaks[2:], most: 200},
		{name: "time to import", unit: "s", values: seconds[:1]},
		{name: "time to export, encrypted", unit: "s", values: seconds[1:2]},
		{name: "time to import that", unit: "s", values: seconds[2:]},
		{name: "size of the encrypted archive", unit: "MB", values: []float64{float64(packed.Size()) / 1e6}},
	}, nil
}

// archiveEntry is a line of the manifest.
type archiveEntry struct {
	Name    string `json:"name"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
}

// makeArchive writes an archive with so many bytes of points, of immutable devices that each have a million. It returns how
// many they are, and a hash of all their lines.
func makeArchive(name string, size int64) (points int64, sum string, err error) {
	const (
		each = 1_000_000
		file = 60 << 20
	)
	// The end of a point's id is the number of its series: a device has one here, in one month.
	line := func(b []byte, no int64, device string, at time.Time) []byte {
		return fmt.Appendf(b, `{"id":"%016x%08x","device":"%s","variable":"temperature","value":%d.%d,"unit":"C","group":"%024x","time":"%s"}`+"\n",
			no, (no-1)/each+1, device, no%40, no%9+1, no, at.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	now := time.Now().UTC().Truncate(time.Second)
	begin := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, -2, 0)
	deviceID := func(n int64) string { return fmt.Sprintf("66f0000000000000%08x", n) }
	total := size / int64(len(line(nil, 1, deviceID(0), begin)))

	out, err := os.Create(name)
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	z := zip.NewWriter(out)
	var entries []archiveEntry
	var to io.Writer
	var cur archiveEntry
	var h hash.Hash
	start := func(name string) error {
		w, err := z.Create(name)
		h = sha256.New()
		to, cur = io.MultiWriter(w, h), archiveEntry{Name: name}
		return err
	}
	add := func(b []byte) error {
		cur.Records++
		cur.Bytes += int64(len(b))
		_, err := to.Write(b)
		return err
	}
	end := func() {
		cur.SHA256 = hex.EncodeToString(h.Sum(nil))
		entries = append(entries, cur)
	}
	const at = `"2026-01-01T00:00:00.000Z"`
	var devices bytes.Buffer
	for n := int64(0); n*each < total; n++ {
		fmt.Fprintf(&devices, `{"id":"%s","name":"Meter %d","type":"immutable","chunk_period":"month","chunk_retention":36,"active":true,"visible":true,"tags":[],"params":[],"created_at":%s,"updated_at":%s}`+"\n",
			deviceID(n), n, at, at)
	}
	const id = "66f000000000000100000001"
	for _, e := range []struct{ name, text string }{
		{"header.json", `{"format":"paddock-profile","version":1,"release":"bench","created_at":` + at + `,"profile":{"id":"` + id + `","name":"Bench"},"data":true,"tokens":false}` + "\n"},
		{"profile.jsonl", `{"id":"` + id + `","name":"Bench","tags":[],"created_at":` + at + "}\n"},
		{"allocation.jsonl", ""}, {"team.jsonl", ""}, {"webhook.jsonl", ""}, {"devices.jsonl", devices.String()},
		{"dashboards.jsonl", ""}, {"widgets.jsonl", ""}, {"rules.jsonl", ""},
	} {
		if err := start(e.name); err != nil {
			return 0, "", err
		}
		for _, l := range strings.SplitAfter(e.text, "\n") {
			if l != "" {
				if err := add([]byte(l)); err != nil {
					return 0, "", err
				}
			}
		}
		end()
	}
	all := sha256.New()
	var b []byte
	files := 0
	for no := int64(0); no < total; no++ {
		if no == 0 || cur.Bytes >= file {
			if no > 0 {
				end()
			}
			files++
			if err := start(fmt.Sprintf("points/%06d.jsonl", files)); err != nil {
				return 0, "", err
			}
		}
		b = line(b[:0], no+1, deviceID(no/each), begin.Add(time.Duration(no%each)*2*time.Second))
		all.Write(b)
		if err := add(b); err != nil {
			return 0, "", err
		}
	}
	end()
	if err := start("manifest.json"); err != nil {
		return 0, "", err
	}
	if err := json.NewEncoder(to).Encode(map[string]any{"entries": entries}); err != nil {
		return 0, "", err
	}
	return total, hex.EncodeToString(all.Sum(nil)), z.Close()
}

// hashPoints is the hash of all lines of points of an archive.
func hashPoints(name string) (string, error) {
	z, err := zip.OpenReader(name)
	if err != nil {
		return "", err
	}
	defer z.Close()
	all := sha256.New()
	for _, f := range z.File {
		if !strings.HasPrefix(f.Name, "points/") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return "", err
		}
		if _, err := io.Copy(all, bufio.NewReader(r)); err != nil {
			return "", err
		}
		r.Close()
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}
