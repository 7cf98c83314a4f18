package histories

import (
	"bytes"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// page is the memory that the test shares with every process of an installation; internal/kit/crash has the
// other end, and the same layout.
type page struct {
	offset int64
	frozen int64
	pid    int64
	passes int64
	name   [64]byte
	ended  [64]byte
}

const pageSize = 4096

// newPage makes the file and maps it. The clock stands still until it is moved.
func newPage(dir string, now time.Time) (*page, string, error) {
	path := filepath.Join(dir, "faults")
	if err := os.WriteFile(path, make([]byte, pageSize), 0o600); err != nil {
		return nil, "", err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	memory, err := syscall.Mmap(int(f.Fd()), 0, pageSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, "", err
	}
	p := (*page)(unsafe.Pointer(&memory[0]))
	p.set(now)
	return p, path, nil
}

func (p *page) close() {
	syscall.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(p)), pageSize))
}

// now is what every process of the installation takes for the time.
func (p *page) now() time.Time { return time.Unix(0, atomic.LoadInt64(&p.frozen)).UTC() }

func (p *page) set(t time.Time) { atomic.StoreInt64(&p.frozen, t.UnixNano()) }

// arm makes the process end at the n-th pass of a place, of any place when it is "", from now on.
func (p *page) arm(pid int, place string, n int) {
	p.disarm()
	p.name, p.ended = [64]byte{}, [64]byte{}
	copy(p.name[:len(p.name)-1], place)
	atomic.StoreInt64(&p.pid, int64(pid))
	atomic.StoreInt64(&p.passes, int64(n))
}

// fired disarms the page and says at which place the process has ended or is about to; "" for none.
func (p *page) fired() string {
	if atomic.SwapInt64(&p.passes, 0) > 0 {
		return ""
	}
	for p.ended[0] == 0 { // it is being written
		time.Sleep(time.Millisecond)
	}
	name, _, _ := bytes.Cut(p.ended[:], []byte{0})
	return string(name)
}

func (p *page) disarm() { atomic.StoreInt64(&p.passes, 0) }
