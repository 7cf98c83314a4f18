// Package seal keeps small secrets in the database in a form that only a holder of the key can read. It also makes the
// secrets that are handed out once and only compared afterwards: Secret and its Hash.
//
// A Sealer holds one or more 32-byte keys. The first seals, all of them open: to change the key, put the new
// one in front, seal everything again (Stale tells what still needs it), then drop the old one. A sealed
// value is text, "v1.<key id>.<base64url>", and names the key that opens it. It is AES-256-GCM and bound to
// what it belongs to: a value copied into another row does not open there.
//
// A node whose keys do not fit its database must not start, or it would seal what others cannot open. The
// database therefore keeps check values, see Check and Verify.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

const (
	version    = "v1"
	checkAbout = "seal/check"
	checkText  = "paddock"
	maxFile    = 64 << 10
)

// SecretChars is the length of a Secret.
const SecretChars = 43

// Secret is 256 random bits as text that fits a URL and a cookie, for links and sessions.
func Secret() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Hash is what a database keeps of a Secret: with that much randomness it needs no salt and no slow function.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Sealer seals and opens. It is safe for concurrent use.
type Sealer struct {
	keys []key // the first seals
}

type key struct {
	id   string
	aead cipher.AEAD
}

// ErrEmpty is the error for a list without keys.
var ErrEmpty = errors.New("secret key: the list is empty; make a key with: openssl rand -base64 32")

// Parse reads a list of keys, separated by commas or white space, each 32 bytes in hex (64 characters) or
// base64 (either alphabet, with or without padding). It refuses an empty list, a key of another length, a
// repeated key and one whose bytes are all the same. Its errors name the key by position and never show it.
func Parse(list string) (*Sealer, error) {
	words := strings.FieldsFunc(list, func(r rune) bool {
		return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r'
	})
	if len(words) == 0 {
		return nil, ErrEmpty
	}
	s := &Sealer{}
	for i, w := range words {
		raw, err := decodeKey(w)
		if err != nil {
			return nil, fmt.Errorf("secret key %d: %w", i+1, err)
		}
		k, err := newKey(raw)
		if err != nil {
			return nil, fmt.Errorf("secret key %d: %w", i+1, err)
		}
		for j, other := range s.keys {
			if other.id == k.id {
				return nil, fmt.Errorf("secret key %d: repeats key %d", i+1, j+1)
			}
		}
		s.keys = append(s.keys, k)
	}
	return s, nil
}

func decodeKey(w string) ([]byte, error) {
	if len(w) == 2*KeySize {
		if raw, err := hex.DecodeString(w); err == nil {
			return raw, nil
		}
	}
	trimmed := strings.TrimRight(w, "=")
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if raw, err := enc.DecodeString(trimmed); err == nil {
			if len(raw) != KeySize {
				return nil, fmt.Errorf("has %d bytes, needs %d", len(raw), KeySize)
			}
			return raw, nil
		}
	}
	return nil, errors.New("is neither hex nor base64")
}

func newKey(raw []byte) (key, error) {
	same := true
	for _, b := range raw {
		same = same && b == raw[0]
	}
	if same {
		return key{}, errors.New("is a placeholder: all of its bytes are the same")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return key{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return key{}, err
	}
	sum := sha256.Sum256(append([]byte("paddock seal key id\x00"), raw...))
	return key{id: hex.EncodeToString(sum[:4]), aead: aead}, nil
}

// KeyID is the short public name of the key that seals: eight hex characters that tell nothing of the key.
func (s *Sealer) KeyID() string { return s.keys[0].id }

// KeyIDs are the names of all keys, the sealing one first.
func (s *Sealer) KeyIDs() []string {
	ids := make([]string, len(s.keys))
	for i, k := range s.keys {
		ids[i] = k.id
	}
	return ids
}

// Seal hides plain. about says what the value belongs to, for example "token/<id>"; Open needs the same.
func (s *Sealer) Seal(plain, about string) string {
	k := s.keys[0]
	nonce := make([]byte, k.aead.NonceSize(), k.aead.NonceSize()+len(plain)+k.aead.Overhead())
	rand.Read(nonce)
	box := k.aead.Seal(nonce, nonce, []byte(plain), []byte(about))
	return version + "." + k.id + "." + base64.RawURLEncoding.EncodeToString(box)
}

// Open is the inverse of Seal. It fails when the value is not a sealed one, when its key is not in the list
// (the error names the missing key's id), when it was altered, and when it belongs to something else.
func (s *Sealer) Open(sealed, about string) (string, error) {
	kid, body, err := split(sealed)
	if err != nil {
		return "", err
	}
	for _, k := range s.keys {
		if k.id != kid {
			continue
		}
		box, err := base64.RawURLEncoding.DecodeString(body)
		if err != nil || len(box) < k.aead.NonceSize() {
			return "", errors.New("sealed value: malformed")
		}
		n := k.aead.NonceSize()
		plain, err := k.aead.Open(nil, box[:n], box[n:], []byte(about))
		if err != nil {
			return "", errors.New("sealed value: altered, or it belongs to something else")
		}
		return string(plain), nil
	}
	return "", fmt.Errorf("sealed value: its key %s is not in the list of secret keys", kid)
}

// Stale reports whether sealed was made by another key than the one that seals now.
func (s *Sealer) Stale(sealed string) bool {
	kid, _, err := split(sealed)
	return err != nil || kid != s.keys[0].id
}

func split(sealed string) (kid, body string, err error) {
	parts := strings.Split(sealed, ".")
	if len(parts) != 3 || parts[0] != version {
		return "", "", errors.New("sealed value: malformed")
	}
	return parts[1], parts[2], nil
}

// Check makes the value that a database keeps to recognise its keys.
func (s *Sealer) Check() string { return s.Seal(checkText, checkAbout) }

// Misfit is the error of Verify: these keys are not those that a database was sealed with.
type Misfit struct {
	Has     []string // ids of the keys that are there
	Missing []string // ids of keys that the database needs and that are not there
	Damaged bool     // a check value is of a key that is there, or of none, and does not open
}

func (m *Misfit) Error() string {
	if m.Damaged {
		return "the check value of the secret key does not open with the key it names"
	}
	return fmt.Sprintf("needed: %s; there: %s", strings.Join(m.Missing, ", "), strings.Join(m.Has, ", "))
}

// Some reports whether a part of the needed keys is there: they were rotated, and one was dropped too early.
func (m *Misfit) Some(checks string) bool { return len(m.Missing) < len(strings.Fields(checks)) }

// Verify compares these keys with the check values that a database keeps, separated by blanks: one for each key that
// may have sealed something there. It returns a *Misfit unless all of them open.
func (s *Sealer) Verify(checks string) error {
	m := &Misfit{Has: s.KeyIDs()}
	for _, check := range strings.Fields(checks) {
		kid, _, err := split(check)
		if err != nil {
			m.Damaged = true
			continue
		}
		plain, err := s.Open(check, checkAbout)
		switch {
		case err == nil && plain == checkText:
		case slices.Contains(m.Has, kid):
			m.Damaged = true
		default:
			m.Missing = append(m.Missing, kid)
		}
	}
	if m.Damaged || len(m.Missing) > 0 {
		return m
	}
	return nil
}

// AddCheck adds the check value of the sealing key to checks, unless one is there. Store what it returns: then a node
// that lacks this key refuses to start, and so does one that lacks an earlier key before all was sealed anew.
func (s *Sealer) AddCheck(checks string) string {
	for _, check := range strings.Fields(checks) {
		if kid, _, err := split(check); err == nil && kid == s.KeyID() {
			return checks
		}
	}
	return strings.TrimSpace(checks + " " + s.Check())
}

// CheckKeys are the ids of the keys that checks names.
func CheckKeys(checks string) []string {
	ids := []string{}
	for _, check := range strings.Fields(checks) {
		if kid, _, err := split(check); err == nil {
			ids = append(ids, kid)
		}
	}
	return ids
}

// LoadOrCreateFile reads the keys in a file, and makes the file with one fresh key when there is none. The
// file appears whole or not at all, with mode 0600, and two processes that create it at once get the same
// key. A file that its group or others may read is refused.
func LoadOrCreateFile(path string) (*Sealer, error) {
	s, _, err := LoadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if err := createFile(path); err != nil {
		return nil, fmt.Errorf("secret key file: %w", err)
	}
	s, _, err = LoadFile(path)
	return s, err
}

// LoadFile reads the keys in a file, for where a fresh key would do harm, and returns them also as they are written
// there. The error is fs.ErrNotExist when there is no file and ErrEmpty when nothing is in it.
func LoadFile(path string) (*Sealer, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("secret key file: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, "", fmt.Errorf("secret key file: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, "", fmt.Errorf("secret key file %s: not a regular file", path)
	}
	if mode := st.Mode().Perm(); mode&0o077 != 0 {
		return nil, "", fmt.Errorf("secret key file %s: others may read it (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, "", fmt.Errorf("secret key file: %w", err)
	}
	s, err := Parse(string(raw))
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return s, string(raw), nil
}

// createFile writes the key beside its place and links it there, which fails, rather than replaces, when
// another process was first.
func createFile(path string) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	raw := make([]byte, KeySize)
	rand.Read(raw)
	if _, err := tmp.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n"); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
