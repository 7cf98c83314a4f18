package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"

	"paddock/internal/kit/fault"
)

// Cost of a hash: 19 MiB and two passes, OWASP's choice; some 30 ms on a small machine.
const (
	hashMemory  = 19 * 1024 // KiB
	hashPasses  = 2
	hashThreads = 1
	saltBytes   = 16
	hashBytes   = 32

	maxWaiting = 128 // callers in line for a hash
	addrShare  = 32  // of these, from one address
)

// hasher hashes and verifies passwords. A flood of sign-ins must take neither the machine nor everybody's
// patience: at most half of the processors and slots × 19 MiB are ever at it, the line behind them is
// bounded, and one address may have only a part of the line.
type hasher struct {
	slots  chan struct{}
	key    func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte // argon2id
	memory uint32                                                                                // of new hashes, in KiB

	mu      sync.Mutex
	waiting int
	byAddr  map[string]int
}

func newHasher(memory uint32) *hasher {
	n := min(max(runtime.NumCPU()/2, 1), 4)
	return &hasher{key: argon2.IDKey, memory: memory, slots: make(chan struct{}, n), byAddr: map[string]int{}}
}

// run does work in a slot. It returns TooMany or Unavailable when the line is full, or the context's error.
// addr is "" for the command line.
func (h *hasher) run(ctx context.Context, addr string, work func()) error {
	h.mu.Lock()
	if addr != "" && h.byAddr[addr] >= addrShare {
		h.mu.Unlock()
		return fault.New(fault.TooMany, "Too many sign-ins from this address at once; try again").After(time.Second)
	}
	if h.waiting >= maxWaiting {
		h.mu.Unlock()
		return fault.New(fault.Unavailable, "Too many people are signing in; try again").After(time.Second)
	}
	h.waiting++
	h.byAddr[addr]++
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.waiting--
		if h.byAddr[addr]--; h.byAddr[addr] <= 0 {
			delete(h.byAddr, addr)
		}
	}()
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.slots }()
	work()
	return nil
}

// hash makes the text to store: $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>.
func (h *hasher) hash(ctx context.Context, addr, password string) (string, error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	var sum []byte
	err := h.run(ctx, addr, func() {
		sum = h.key([]byte(normal(password)), salt, hashPasses, h.memory, hashThreads, hashBytes)
	})
	if err != nil {
		return "", err
	}
	return h.encode(salt, sum), nil
}

func (h *hasher) encode(salt, sum []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, hashPasses, hashThreads, b64(salt), b64(sum))
}

// nobody's hash takes as long to refuse as anybody's.
func (h *hasher) nobody() string {
	return h.encode(make([]byte, saltBytes), make([]byte, hashBytes))
}

// verify reports whether password made stored, and whether stored was made at another cost than today's.
func (h *hasher) verify(ctx context.Context, addr, password, stored string) (ok, stale bool, err error) {
	var memory, passes uint32
	var threads uint8
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false, false, fmt.Errorf("a stored password hash is malformed")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads); err != nil {
		return false, false, fmt.Errorf("a stored password hash is malformed: %w", err)
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(want) == 0 || memory > 1<<20 || passes == 0 || passes > 100 || threads == 0 {
		return false, false, fmt.Errorf("a stored password hash is malformed")
	}
	err = h.run(ctx, addr, func() {
		got := h.key([]byte(normal(password)), salt, passes, memory, threads, uint32(len(want)))
		ok = subtle.ConstantTimeCompare(got, want) == 1
	})
	return ok, memory != h.memory || passes != hashPasses || threads != hashThreads || len(want) != hashBytes, err
}
