//go:build fault

// Package crash: see crash.go. This is the part that the ordinary binary does not have.
package crash

import (
	"bytes"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// page is the layout of the file PADDOCK_FAULTS, in the byte order of the machine. The test writes it, but for
// passes, which counts down to the pass of the named place at which process pid ends, and ended.
type page struct {
	offset int64 // nanoseconds to add to the machine's clock
	frozen int64 // when not 0, what the clock shows: nanoseconds since 1970
	pid    int64
	passes int64    // 0: nothing ends
	name   [64]byte // "": every place counts
	ended  [64]byte // the place at which the process ended, written by it
}

// PageSize is the size of the file.
const PageSize = 4096

var shared = func() *page {
	path := os.Getenv("PADDOCK_FAULTS")
	if path == "" {
		return &page{}
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, "PADDOCK_FAULTS:", err)
		os.Exit(2)
	}
	defer f.Close()
	memory, err := syscall.Mmap(int(f.Fd()), 0, PageSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		fmt.Fprintln(os.Stderr, "PADDOCK_FAULTS:", err)
		os.Exit(2)
	}
	return (*page)(unsafe.Pointer(&memory[0]))
}()

var self = int64(os.Getpid())

// At ends the process when it is the one, this is the place and the pass is the one that the page names.
func At(name string) {
	if atomic.LoadInt64(&shared.passes) == 0 || atomic.LoadInt64(&shared.pid) != self {
		return
	}
	named, _, _ := bytes.Cut(shared.name[:], []byte{0})
	if len(named) > 0 && string(named) != name || atomic.AddInt64(&shared.passes, -1) != 0 {
		return
	}
	copy(shared.ended[:], name)
	syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {} // nothing more happens here
}

// Now is the time that the page tells.
func Now() time.Time {
	if t := atomic.LoadInt64(&shared.frozen); t != 0 {
		return time.Unix(0, t)
	}
	return time.Now().Add(time.Duration(atomic.LoadInt64(&shared.offset)))
}
