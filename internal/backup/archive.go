package backup

import (
	"archive/zip"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"regexp"

	"filippo.io/age"
	"github.com/go-json-experiment/json"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/notify"
	"paddock/internal/profile"
	"paddock/internal/tag"
	"paddock/internal/usage"
)

// The format. A release that cannot read what another writes has another number.
const (
	formatName    = "paddock-profile"
	formatVersion = 1
)

// Names of entries, in their order.
const (
	headerEntry     = "header.json"
	settingsEntry   = "profile.jsonl"
	allocationEntry = "allocation.jsonl"
	teamEntry       = "team.jsonl"
	webhookEntry    = "webhook.jsonl"
	devicesEntry    = "devices.jsonl"
	tokensEntry     = "tokens.jsonl" // with tokens only
	dashboardsEntry = "dashboards.jsonl"
	widgetsEntry    = "widgets.jsonl"
	rulesEntry      = "rules.jsonl"
	logoEntry       = "pictures/logo.png"
	bannerEntry     = "pictures/banner.png"
	manifestEntry   = "manifest.json"
)

// pointsEntry is the name of the n-th file of points, from 1 on; with data only.
func pointsEntry(n int) string { return fmt.Sprintf("points/%06d.jsonl", n) }

var pointsName = regexp.MustCompile(`^points/[0-9]{6}\.jsonl$`)

// Bounds of an archive, for who writes one and for who reads it.
const (
	maxLine      = 4 << 20   // bytes of a line
	maxDepth     = 64        // nesting of a line
	pointsBytes  = 64 << 20  // of a file of points, when it ends
	maxPoints    = 128 << 20 // bytes of a file of points that is read
	maxEntries   = 50_000
	maxHeader    = 64 << 10
	maxManifest  = 16 << 20
	maxPicture   = 32 << 20
	maxDevices   = 500_000
	maxOthers    = 500_000 // dashboards, widgets, rules, tokens: of each
	maxDirectory = 8 << 20 // bytes of the directory of the zip

	// Unpacked, an archive has at most freely + ratio times its size. Who writes keeps below it: see compressor.
	freely = 256 << 20
	ratio  = 200
)

// Header is the first entry: what the archive is.
type Header struct {
	Format    string   `json:"format"`
	Version   int      `json:"version"`
	Release   string   `json:"release"` // of the server that wrote it
	CreatedAt web.Time `json:"created_at"`
	Profile   Source   `json:"profile"`
	Data      bool     `json:"data"`   // it has points
	Tokens    bool     `json:"tokens"` // it has the secrets of devices' tokens
}

// Source is the profile that an archive was made of.
type Source struct {
	ID   id.Profile `json:"id"`
	Name string     `json:"name"`
}

// Entry is a line of the manifest.
type Entry struct {
	Name    string `json:"name"`
	Records int64  `json:"records"` // lines; 1 for a picture
	Bytes   int64  `json:"bytes"`   // unpacked
	SHA256  string `json:"sha256"`  // of the unpacked bytes, hex
}

// Manifest is the last entry: all others.
type Manifest struct {
	Entries []Entry `json:"entries"`
}

// settings is the record of the profile itself.
type settings struct {
	ID        id.Profile   `json:"id"`
	Name      string       `json:"name"`
	LogoURL   string       `json:"logo_url,omitzero"` // of somebody else; an upload is a picture of the archive
	BannerURL string       `json:"banner_url,omitzero"`
	RPM       *profile.RPM `json:"rpm,omitzero"`
	Color     string       `json:"color,omitzero"` // #rrggbb
	Reference string       `json:"reference,omitzero"`
	Tags      []tag.Tag    `json:"tags"`
	CreatedAt web.Time     `json:"created_at"`
}

// allocation is what the profile had of one service; only the policy is imported.
type allocation struct {
	Service   string       `json:"service"`
	Allocated *float64     `json:"allocated"` // in units of the API; null without end
	Used      float64      `json:"used"`
	Policy    usage.Policy `json:"policy"`
}

// person is somebody of the team, for information.
type person struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Role  string `json:"role"`
}

// webhook is notify's record.
type webhook = notify.Record

// Encrypt wraps what is written to it for whoever has the passphrase (age, scrypt), and is to be closed. It returns
// Invalid for a passphrase that is too short.
func Encrypt(w io.Writer, passphrase string) (io.WriteCloser, error) {
	if err := CheckPassphrase(passphrase); err != nil {
		return nil, err
	}
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("encrypt an archive: %w", err)
	}
	r.SetWorkFactor(workFactor)
	return age.Encrypt(w, r)
}

const (
	workFactor    = 16 // of a passphrase: 64 MB and a fifth of a second, for us and for whoever guesses
	maxWorkFactor = 18 // that is opened: 256 MB
	minPassphrase = 12 // characters
)

// CheckPassphrase returns Invalid for a passphrase that nobody should trust.
func CheckPassphrase(s string) error {
	if n := len([]rune(s)); n < minPassphrase || n > 1000 {
		return fault.Field("passphrase", "must have %d to 1000 characters", minPassphrase)
	}
	return nil
}

// writer writes an archive, an entry after the other.
type writer struct {
	zip     *zip.Writer
	out     *counting
	entries []Entry
	flat    bool // entries are hardly compressed from now on

	cur   Entry
	sum   hash.Hash
	body  io.Writer
	began int64 // bytes that had been written before the entry
	buf   []byte
}

// counting counts the bytes that leave.
type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func newWriter(w io.Writer) *writer {
	out := &counting{w: w}
	x := &writer{zip: zip.NewWriter(out), out: out, sum: sha256.New()}
	x.zip.RegisterCompressor(zip.Deflate, x.compressor)
	return x
}

// compressor keeps archives from looking like a bomb: after an entry that shrank to a hundredth the others are coded letter
// by letter, which makes an eighth at best.
func (x *writer) compressor(w io.Writer) (io.WriteCloser, error) {
	if x.flat {
		return flate.NewWriter(w, flate.HuffmanOnly)
	}
	return flate.NewWriter(w, 3)
}

// begin starts an entry.
func (x *writer) begin(name string) error {
	body, err := x.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
	if err != nil {
		return err
	}
	x.cur, x.body, x.began = Entry{Name: name}, body, x.out.n
	x.sum.Reset()
	return nil
}

// Write adds bytes to the entry.
func (x *writer) Write(p []byte) (int, error) {
	x.sum.Write(p)
	x.cur.Bytes += int64(len(p))
	return x.body.Write(p)
}

// line adds a record that is JSON already.
func (x *writer) line(b []byte) error {
	if len(b) >= maxLine {
		return fmt.Errorf("a record of %s has %d bytes", x.cur.Name, len(b))
	}
	x.buf = append(append(x.buf[:0], b...), '\n')
	x.cur.Records++
	_, err := x.Write(x.buf)
	return err
}

// record adds a record.
func (x *writer) record(v any) error {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("write a record of %s: %w", x.cur.Name, err)
	}
	return x.line(b)
}

// end closes the entry.
func (x *writer) end() error {
	if err := x.zip.Flush(); err != nil {
		return err
	}
	x.cur.SHA256 = hex.EncodeToString(x.sum.Sum(nil))
	x.entries = append(x.entries, x.cur)
	// What of the entry waits in the compressor is small beside what a bomb would be.
	if packed := x.out.n - x.began + 64<<10; x.cur.Bytes > packed*ratio/2 {
		x.flat = true
	}
	if len(x.entries) >= maxEntries {
		return fault.New(fault.TooLarge, "The profile is too large for one archive")
	}
	return nil
}

// entry writes a whole entry of records.
func (x *writer) entry(name string, records func(add func(v any) error) error) error {
	if err := x.begin(name); err != nil {
		return err
	}
	if err := records(x.record); err != nil {
		return err
	}
	return x.end()
}

// close writes the manifest and the directory.
func (x *writer) close() error {
	all := x.entries
	err := x.entry(manifestEntry, func(add func(v any) error) error { return x.manifest(Manifest{all}) })
	if err != nil {
		return err
	}
	return x.zip.Close()
}

// manifest writes the only record that may be longer than a line.
func (x *writer) manifest(m Manifest) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = x.Write(append(b, '\n'))
	return err
}
