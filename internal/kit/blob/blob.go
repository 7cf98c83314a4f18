// Package blob stores files by key: pictures, uploads, exports. Rooms keep the key in their tables and the
// bytes here.
//
// A key is a path of at most 16 segments joined by "/", for example "profile/<id>/logo.png"; a segment is
// 1 to 128 of A-Z a-z 0-9 . _ - and does not begin with a dot. Names that people choose are not keys: a room
// maps them. Folder is the store on a local disk, Bucket one that speaks S3; ParseWhere reads which one a setting names.
package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"paddock/internal/kit/fault"
)

// Store keeps files by key. Every method returns an invalid fault for a malformed key.
type Store interface {
	// Put stores the whole of body under key, in place of what was there. When it returns nil the file is
	// on disk; when it fails the former file, if any, is untouched.
	Put(ctx context.Context, key string, body io.Reader) error
	// Get opens the file, which the caller closes. It returns not_found when there is none. A file that is
	// replaced while it is read is read to its end as it was.
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	// Delete removes the file. One that is not there is no error.
	Delete(ctx context.Context, key string) error
}

const (
	maxKey      = 512
	maxSegments = 16
	maxSegment  = 128
	tmpDir      = ".tmp" // a key cannot begin with a dot
	tmpLife     = time.Hour
)

// CheckKey returns an invalid fault that says what is wrong with key, or nil.
func CheckKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fault.Field("key", "must have 1 to %d characters", maxKey)
	}
	segments := strings.Split(key, "/")
	if len(segments) > maxSegments {
		return fault.Field("key", "must have at most %d segments", maxSegments)
	}
	for _, s := range segments {
		if s == "" || len(s) > maxSegment || s[0] == '.' {
			return fault.Field("key", "a segment must have 1 to %d characters and not begin with a dot", maxSegment)
		}
		for i := 0; i < len(s); i++ {
			c := s[i]
			ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
			if !ok {
				return fault.Field("key", "may only have letters, digits, dot, underscore and dash")
			}
		}
	}
	return nil
}

// Folder is a Store in one folder of a local disk. Files are written beside, flushed and renamed, so that a
// reader or a crash sees the old file or the new one. All access goes through os.Root: not even a symbolic
// link planted in the folder leads out of it.
type Folder struct {
	root *os.Root
}

// OpenFolder opens dir as a store and makes it, for its owner alone, when it is missing. Unfinished files of
// an earlier run are removed.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("blob folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("blob folder: %w", err)
	}
	f := &Folder{root: root}
	if err := root.MkdirAll(tmpDir, 0o700); err != nil {
		root.Close()
		return nil, fmt.Errorf("blob folder: %w", err)
	}
	f.sweep()
	return f, nil
}

// Close lets the folder go. Files that are open stay readable.
func (f *Folder) Close() error { return f.root.Close() }

// sweep removes what a crash left behind. Young files may belong to a process that is still writing.
func (f *Folder) sweep() {
	entries, err := fs.ReadDir(f.root.FS(), tmpDir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > tmpLife {
			f.root.Remove(path.Join(tmpDir, e.Name()))
		}
	}
}

// Put implements Store.
func (f *Folder) Put(ctx context.Context, key string, body io.Reader) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	tmp := path.Join(tmpDir, rand.Text())
	file, err := f.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	_, err = io.Copy(file, contextReader{ctx, body})
	if err == nil {
		err = file.Sync()
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = f.place(tmp, key)
	}
	if err != nil {
		f.root.Remove(tmp)
		return fmt.Errorf("store %s: %w", key, err)
	}
	return nil
}

// place renames tmp to key and flushes every folder on the way, since a new folder's entry in its parent
// must survive a crash too.
func (f *Folder) place(tmp, key string) error {
	dir := path.Dir(key)
	if dir != "." {
		if err := f.root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := f.root.Rename(tmp, key); err != nil {
		return err
	}
	for ; ; dir = path.Dir(dir) {
		d, err := f.root.Open(dir)
		if err != nil {
			return err
		}
		err = d.Sync()
		d.Close()
		if err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
	}
}

// Get implements Store.
func (f *Folder) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	file, err := f.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "File Not Found").Because(err)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", key, err)
	}
	st, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open %s: %w", key, err)
	}
	if !st.Mode().IsRegular() {
		file.Close()
		return nil, fault.New(fault.NotFound, "File Not Found")
	}
	return file, nil
}

// Delete implements Store. Folders that become empty stay: removing them would race with Put.
func (f *Folder) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// Remove would also take an empty folder; only files are blobs.
	st, err := f.root.Lstat(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	if st.IsDir() {
		return nil
	}
	if err := f.root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

// contextReader stops a copy when its request is gone.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
