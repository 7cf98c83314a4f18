package backup

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/go-json-experiment/json"

	"paddock/internal/alert"
	"paddock/internal/dashboard"
	"paddock/internal/data"
	"paddock/internal/device"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/tag"
	"paddock/internal/token"
	"paddock/internal/usage"
)

// Counts are how many records of each kind there are.
type Counts struct {
	Devices    int64 `json:"devices"`
	Tokens     int64 `json:"tokens"`
	Dashboards int64 `json:"dashboards"`
	Widgets    int64 `json:"widgets"`
	Rules      int64 `json:"rules"`
	Points     int64 `json:"points"`
}

// Archive is an archive that has been verified. Its file must stay as it is until the import is over.
type Archive struct {
	Header Header
	Counts Counts

	zip      map[string]*zip.File
	entries  map[string]Entry
	order    []Entry
	settings settings
	policies map[plan.Service]string
	webhook  *webhook
	devices  map[id.Device]stored
}

// stored is what points need to know of their device.
type stored struct {
	kind      device.Type
	period    device.Period
	retention int64
	tokens    int32
}

func (s stored) record(d id.Device) device.Record {
	return device.Record{ID: d, Type: s.kind, ChunkPeriod: s.period, ChunkRetention: s.retention}
}

// refused is what is wrong with an archive.
func refused(format string, args ...any) error {
	return fault.New(fault.Invalid, "archive: "+format, args...)
}

// OpenArchive verifies a whole archive of size bytes, encrypted or not, and returns Invalid with the reason for one that is
// damaged, of another format, hostile, or whose passphrase is another. Nothing of it is unpacked: memory grows with
// the number of its devices only, and no file is written.
func OpenArchive(r io.ReaderAt, size int64, passphrase string) (*Archive, error) {
	r, size, err := decrypt(r, size, passphrase)
	if err != nil {
		return nil, err
	}
	a := &Archive{zip: map[string]*zip.File{}, entries: map[string]Entry{}, policies: map[plan.Service]string{}, devices: map[id.Device]stored{}}
	if err := a.directory(r, size); err != nil {
		return nil, err
	}
	if err := a.verify(); err != nil {
		return nil, err
	}
	return a, nil
}

const ageMagic = "age-encryption.org/v1\n"

// IsEncrypted reports whether a file begins as an encrypted archive does.
func IsEncrypted(r io.ReaderAt) bool {
	var b [len(ageMagic)]byte
	n, _ := r.ReadAt(b[:], 0)
	return string(b[:n]) == ageMagic
}

// decrypt gives the archive itself. What is encrypted is opened as it is read; a flipped bit is found then.
func decrypt(r io.ReaderAt, size int64, passphrase string) (io.ReaderAt, int64, error) {
	if !IsEncrypted(r) {
		if passphrase != "" {
			return nil, 0, fault.Field("passphrase", "is given, and the archive is not encrypted")
		}
		return r, size, nil
	}
	if passphrase == "" {
		return nil, 0, fault.Field("passphrase", "is needed: the archive is encrypted")
	}
	i, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, 0, fmt.Errorf("open an archive: %w", err)
	}
	i.SetMaxWorkFactor(maxWorkFactor)
	plain, n, err := age.DecryptReaderAt(r, size, i)
	var other *age.NoIdentityMatchError
	switch {
	case errors.As(err, &other):
		return nil, 0, fault.Field("passphrase", "is not the one of this archive, or its first bytes are damaged").Because(err)
	case err != nil:
		return nil, 0, damaged(err)
	}
	return plain, n, nil
}

// damaged tells a fault of the archive from one of the disk it lies on.
func damaged(err error) error {
	var disk *fs.PathError
	if errors.As(err, &disk) {
		return fmt.Errorf("read an archive: %w", err)
	}
	if f := fault.Of(err); f.Code != fault.Internal {
		return err
	}
	return refused("it is damaged or cut off: %v", err)
}

func damagedEntry(name string, err error) error {
	if errors.Is(err, errStop) {
		return err
	}
	return damaged(fmt.Errorf("entry %s: %w", name, err))
}

// directory reads the directory of the zip and the manifest, and compares them.
func (a *Archive) directory(r io.ReaderAt, size int64) error {
	if err := plausible(r, size); err != nil {
		return err
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return damaged(err)
	}
	var names []string
	var unpacked uint64
	for _, f := range z.File {
		if !known(f.Name) {
			return refused("it has an entry %q, which no archive has", short(f.Name))
		}
		if a.zip[f.Name] != nil {
			return refused("entry %s stands in it twice", f.Name)
		}
		switch {
		case f.Method != zip.Deflate && f.Method != zip.Store, f.Flags&1 != 0, !f.Mode().IsRegular():
			return refused("entry %s is packed in a way that no archive is", f.Name)
		case f.UncompressedSize64 > limitOf(f.Name):
			return refused("entry %s says that it has %d bytes; at most %d are read", f.Name, f.UncompressedSize64, limitOf(f.Name))
		}
		if unpacked += f.UncompressedSize64; unpacked > freely+ratio*uint64(size) {
			return refused("it would be more than %d bytes unpacked, too many for its %d", freely+ratio*uint64(size), size)
		}
		a.zip[f.Name] = f
		names = append(names, f.Name)
	}
	if len(names) < 3 || names[0] != headerEntry || names[len(names)-1] != manifestEntry {
		return refused("it does not begin with %s and end with %s: it is something else, or cut off", headerEntry, manifestEntry)
	}
	// Of these two the manifest says nothing yet: the first is judged at once, so that an archive of a later release is
	// refused for being one.
	text, err := a.bytes(headerEntry)
	if err != nil {
		return err
	}
	var format struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(text, &format); err != nil || format.Format != formatName {
		return refused("%s does not say that this is the archive of a profile", headerEntry)
	}
	if format.Version != formatVersion {
		return refused("it has version %d of the format, and this server reads version %d", format.Version, formatVersion)
	}
	if err := strict(text, &a.Header); err != nil {
		return refused("%s: %v", headerEntry, err)
	}
	if text, err = a.bytes(manifestEntry); err != nil {
		return err
	}
	var m Manifest
	if err := strict(text, &m); err != nil {
		return refused("%s: %v", manifestEntry, err)
	}
	listed := make([]string, len(m.Entries))
	for i, e := range m.Entries {
		if e.Bytes < 0 || e.Records < 0 || e.Records > e.Bytes {
			return refused("%s counts %s in a way that cannot be", manifestEntry, short(e.Name))
		}
		listed[i] = e.Name
		a.entries[e.Name] = e
	}
	if !slices.Equal(listed, names[:len(names)-1]) {
		return refused("%s lists other entries than there are", manifestEntry)
	}
	a.order = m.Entries
	return a.complete()
}

// complete compares the entries with what the header promises.
func (a *Archive) complete() error {
	need := []string{headerEntry, settingsEntry, allocationEntry, teamEntry, webhookEntry, devicesEntry}
	if a.Header.Tokens {
		need = append(need, tokensEntry)
	}
	need = append(need, dashboardsEntry, widgetsEntry, rulesEntry)
	var rest []string
	for i, e := range a.order {
		switch {
		case i < len(need):
			if e.Name != need[i] {
				return refused("entry %s is missing, or stands elsewhere", need[i])
			}
		default:
			rest = append(rest, e.Name)
		}
	}
	if len(a.order) < len(need) {
		return refused("entry %s is missing", need[len(a.order)])
	}
	files := 0
	for _, name := range rest {
		switch {
		case pointsName.MatchString(name):
			if files++; name != pointsEntry(files) {
				return refused("entry %s is missing, or stands elsewhere", pointsEntry(files))
			}
		case name != logoEntry && name != bannerEntry:
			return refused("entry %s stands where it should not", name)
		}
	}
	if (files > 0) != a.Header.Data {
		return refused("%s says %v of points, and there are %d files of them", headerEntry, a.Header.Data, files)
	}
	return nil
}

func known(name string) bool {
	switch name {
	case headerEntry, settingsEntry, allocationEntry, teamEntry, webhookEntry, devicesEntry, tokensEntry, dashboardsEntry, widgetsEntry, rulesEntry,
		logoEntry, bannerEntry, manifestEntry:
		return true
	}
	return pointsName.MatchString(name)
}

func limitOf(name string) uint64 {
	switch name {
	case headerEntry:
		return maxHeader
	case manifestEntry:
		return maxManifest
	case logoEntry, bannerEntry:
		return maxPicture
	case devicesEntry, tokensEntry, dashboardsEntry, widgetsEntry, rulesEntry, teamEntry:
		return 64 << 30
	}
	if pointsName.MatchString(name) {
		return maxPoints
	}
	return maxLine
}

// plausible reads the end of the zip, whose sizes the library would believe.
func plausible(r io.ReaderAt, size int64) error {
	const end, locator, end64 = 22, 20, 56
	none := refused("it is not a zip, or cut off")
	var b [end]byte
	if size < end {
		return none
	}
	if _, err := r.ReadAt(b[:], size-end); err != nil && err != io.EOF {
		return damaged(err)
	}
	if binary.LittleEndian.Uint32(b[:]) != 0x06054b50 || binary.LittleEndian.Uint16(b[20:]) != 0 {
		return none
	}
	records, directory := uint64(binary.LittleEndian.Uint16(b[10:])), uint64(binary.LittleEndian.Uint32(b[12:]))
	if binary.LittleEndian.Uint32(b[16:]) == 0xffffffff || records == 0xffff || directory == 0xffffffff {
		var l [locator]byte
		if size < end+locator {
			return none
		}
		if _, err := r.ReadAt(l[:], size-end-locator); err != nil && err != io.EOF {
			return damaged(err)
		}
		at := binary.LittleEndian.Uint64(l[8:])
		if binary.LittleEndian.Uint32(l[:]) != 0x07064b50 || at > uint64(size) || uint64(size)-at < end64 {
			return none
		}
		var e [end64]byte
		if _, err := r.ReadAt(e[:], int64(at)); err != nil && err != io.EOF {
			return damaged(err)
		}
		if binary.LittleEndian.Uint32(e[:]) != 0x06064b50 {
			return none
		}
		records, directory = binary.LittleEndian.Uint64(e[32:]), binary.LittleEndian.Uint64(e[40:])
	}
	if records > maxEntries+1 || directory > maxDirectory {
		return refused("its directory has %d entries and %d bytes; at most %d and %d are read", records, directory, maxEntries, maxDirectory)
	}
	return nil
}

// strict decodes a record: no member twice, none that nobody knows, nothing after it.
func strict(b []byte, to any) error {
	if !check.Shallow(b, 0, maxDepth) {
		return fmt.Errorf("is nested more than %d levels deep", maxDepth)
	}
	if err := json.Unmarshal(b, to, json.RejectUnknownMembers(true)); err != nil {
		return errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "json: "), "\u00a0", " "))
	}
	return nil
}

func short(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// bytes reads a short entry whole.
func (a *Archive) bytes(name string) ([]byte, error) {
	var b bytes.Buffer
	if err := a.copy(name, &b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// copy unpacks an entry, at most as many bytes as it says, and compares them with the manifest once that is known.
func (a *Archive) copy(name string, w io.Writer) error {
	f := a.zip[name]
	body, err := f.Open()
	if err != nil {
		return damagedEntry(name, err)
	}
	defer body.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(body, int64(f.UncompressedSize64)+1))
	if err != nil {
		return damagedEntry(name, err)
	}
	e, listed := a.entries[name]
	switch {
	case uint64(n) != f.UncompressedSize64:
		return refused("entry %s has another size than it says", name)
	case listed && n != e.Bytes:
		return refused("entry %s has %d bytes, and %s says %d", name, n, manifestEntry, e.Bytes)
	case listed && hex.EncodeToString(sum.Sum(nil)) != e.SHA256:
		return refused("entry %s is not what was written: its SHA-256 is another", name)
	}
	return nil
}

// lines calls f with each line of an entry, without its end, and compares bytes, hash and count with the manifest.
func (a *Archive) lines(name string, f func(line []byte) error) error {
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := a.copy(name, pw)
		pw.CloseWithError(err)
		done <- err
	}()
	n, err := eachLine(name, pr, f)
	pr.CloseWithError(errStop)
	if unpacked := <-done; unpacked != nil && !errors.Is(unpacked, errStop) && (err == nil || errors.Is(err, unpacked)) {
		return unpacked
	}
	if err == nil && n != a.entries[name].Records {
		return refused("entry %s has %d records, and %s says %d", name, n, manifestEntry, a.entries[name].Records)
	}
	return err
}

var errStop = errors.New("stopped reading")

func eachLine(name string, r io.Reader, f func(line []byte) error) (n int64, err error) {
	in := bufio.NewReaderSize(r, 256<<10)
	var long []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(long)+len(part) > maxLine {
			return n, refused("entry %s: line %d is longer than %d bytes", name, n+1, maxLine)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, part...)
			continue
		}
		if err == io.EOF {
			if len(part)+len(long) > 0 {
				return n, refused("entry %s: its last line has no end", name)
			}
			return n, nil
		}
		if err != nil {
			return n, err
		}
		line := part
		if len(long) > 0 {
			long = append(long, part...)
			line = long
		}
		n++
		if err := f(line[:len(line)-1]); err != nil {
			return n, inLine(name, n, err)
		}
		long = long[:0]
	}
}

// inLine says where something is wrong.
func inLine(name string, n int64, err error) error {
	f := fault.Of(err)
	if f.Code == fault.Invalid && !strings.HasPrefix(f.Message, "archive: ") {
		return refused("entry %s, line %d: %s", name, n, f.Message)
	}
	return err
}

// each decodes and checks the records of an entry.
func each[T any](a *Archive, name string, f func(v T) error) error {
	return a.lines(name, func(line []byte) error {
		var v T
		if err := strict(line, &v); err != nil {
			return fault.New(fault.Invalid, "%s", err)
		}
		return f(v)
	})
}

// verify reads every record and what they say of each other.
func (a *Archive) verify() error {
	count := int64(0)
	one := func(most int64) error {
		if count++; count > most {
			return fault.New(fault.Invalid, "an archive has at most %d of them", most)
		}
		return nil
	}
	begin := func() { count = 0 }

	if !id.Valid(string(a.Header.Profile.ID)) {
		return refused("%s: the profile has no id", headerEntry)
	}
	if err := check.Line("name", a.Header.Profile.Name, 1, 100); err != nil {
		return refused("%s: %v", headerEntry, err)
	}
	if err := a.copy(headerEntry, io.Discard); err != nil {
		return err
	}
	if err := each(a, settingsEntry, func(v settings) error {
		a.settings = v
		if v.ID != a.Header.Profile.ID {
			return fault.New(fault.Invalid, "is another profile than the header's")
		}
		if err := check.Line("name", v.Name, 1, 100); err != nil {
			return err
		}
		if err := v.RPM.Check(); err != nil {
			return err
		}
		if _, err := profile.CleanColor(v.Color); err != nil {
			return err
		}
		if _, err := profile.CleanReference(v.Reference); err != nil {
			return err
		}
		if err := tag.Check("profile", v.Tags); err != nil {
			return err
		}
		return one(1)
	}); err != nil {
		return err
	}
	if count != 1 {
		return refused("entry %s must have one record", settingsEntry)
	}
	if err := each(a, allocationEntry, func(v allocation) error {
		svc := plan.Service(v.Service)
		if plan.Index(svc) < 0 {
			return fault.Field("service", "%q is none", short(v.Service))
		}
		switch v.Policy {
		case usage.Block, "":
		case usage.Pool, usage.Overage:
			a.policies[svc] = string(v.Policy)
		default:
			return fault.Field("policy", "%q is none", short(string(v.Policy)))
		}
		return nil
	}); err != nil {
		return err
	}
	if err := each(a, teamEntry, func(person) error { return nil }); err != nil {
		return err
	}
	begin()
	if err := each(a, webhookEntry, func(v webhook) error {
		a.webhook = &v
		return one(1)
	}); err != nil {
		return err
	}
	if err := a.verifyDevices(); err != nil {
		return err
	}
	if err := a.verifyDashboards(); err != nil {
		return err
	}
	begin()
	rules, byTag := map[id.Rule]bool{}, 0
	if err := each(a, rulesEntry, func(v alert.Record) error {
		if err := v.Check(); err != nil {
			return err
		}
		if _, there := a.devices[v.Device]; v.Device != "" && !there {
			return fault.Field("device", "%s is none of the archive", v.Device)
		}
		if rules[v.ID] {
			return fault.Field("id", "%s stands in it twice", v.ID)
		}
		rules[v.ID] = true
		if v.Tag != nil {
			if byTag++; byTag > alert.MaxByTag {
				return fault.Field("tag", "a profile has at most %d rules for tags", alert.MaxByTag)
			}
		}
		a.Counts.Rules++
		return one(maxOthers)
	}); err != nil {
		return err
	}
	for _, name := range []string{logoEntry, bannerEntry} {
		if _, there := a.entries[name]; there {
			if err := a.copy(name, io.Discard); err != nil {
				return err
			}
		}
	}
	return a.verifyPoints()
}

func (a *Archive) verifyDevices() error {
	var last id.Device
	err := each(a, devicesEntry, func(v device.Record) error {
		if err := v.Check(); err != nil {
			return err
		}
		if v.ID <= last {
			return fault.Field("id", "%s does not come after %s", v.ID, last)
		}
		last = v.ID
		a.devices[v.ID] = stored{kind: v.Type, period: v.ChunkPeriod, retention: v.ChunkRetention}
		if a.Counts.Devices++; a.Counts.Devices > maxDevices {
			return fault.New(fault.Invalid, "an archive has at most %d devices", maxDevices)
		}
		return nil
	})
	if err != nil || !a.Header.Tokens {
		return err
	}
	serials, secrets := map[string]bool{}, map[string]bool{}
	return each(a, tokensEntry, func(v token.Record) error {
		if err := v.Check(); err != nil {
			return err
		}
		d, there := a.devices[v.Device]
		if !there {
			return fault.Field("device", "%s is none of the archive", v.Device)
		}
		if d.tokens++; d.tokens > token.MaxLive {
			return fault.Field("device", "%s has more than %d tokens", v.Device, token.MaxLive)
		}
		a.devices[v.Device] = d
		if v.Token == "" {
			return fault.Field("token", "is required")
		}
		if serials[v.Serial] && v.Serial != "" || secrets[v.Token] {
			return fault.Field("token", "it, or its serie_number, stands in the archive twice")
		}
		serials[v.Serial], secrets[v.Token] = true, true
		if a.Counts.Tokens++; a.Counts.Tokens > maxOthers {
			return fault.New(fault.Invalid, "an archive has at most %d tokens", maxOthers)
		}
		return nil
	})
}

func (a *Archive) verifyDashboards() error {
	type sum struct {
		widgets int
		bytes   int64
	}
	boards, widgets := map[id.Dashboard]sum{}, map[id.Widget]bool{}
	var last id.Dashboard
	if err := each(a, dashboardsEntry, func(v dashboard.Record) error {
		if err := v.Check(); err != nil {
			return err
		}
		if v.ID <= last {
			return fault.Field("id", "%s does not come after %s", v.ID, last)
		}
		last = v.ID
		boards[v.ID] = sum{}
		if a.Counts.Dashboards++; a.Counts.Dashboards > maxOthers {
			return fault.New(fault.Invalid, "an archive has at most %d dashboards", maxOthers)
		}
		return nil
	}); err != nil {
		return err
	}
	return each(a, widgetsEntry, func(v dashboard.WidgetRecord) error {
		n, err := v.Check()
		if err != nil {
			return err
		}
		b, there := boards[v.Dashboard]
		if !there {
			return fault.Field("dashboard", "%s is none of the archive", v.Dashboard)
		}
		if widgets[v.ID] {
			return fault.Field("id", "%s stands in it twice", v.ID)
		}
		widgets[v.ID] = true
		b.widgets, b.bytes = b.widgets+1, b.bytes+n
		if b.widgets > dashboard.MaxWidgets || b.bytes > dashboard.MaxWidgetBytes {
			return fault.Field("dashboard", "%s has more than %d widgets, or more than %d bytes of them", v.Dashboard, dashboard.MaxWidgets, dashboard.MaxWidgetBytes)
		}
		boards[v.Dashboard] = b
		if a.Counts.Widgets++; a.Counts.Widgets > maxOthers {
			return fault.New(fault.Invalid, "an archive has at most %d widgets", maxOthers)
		}
		return nil
	})
}

// verifyPoints reads every point: devices come in order, and none holds more than it can.
func (a *Archive) verifyPoints() error {
	var last id.Device
	chunks := map[int64]int64{}
	return a.points(func(f data.Filed) error {
		if f.Device != last {
			if f.Device < last {
				return fault.Field("device", "%s does not come after %s", f.Device, last)
			}
			if _, there := a.devices[f.Device]; !there {
				return fault.Field("device", "%s is none of the archive", f.Device)
			}
			last = f.Device
			clear(chunks)
		}
		start, most := data.ChunkOf(a.devices[f.Device].record(f.Device), f)
		if chunks[start]++; chunks[start] > most {
			return fault.Field("device", "%s has more than the %d points that it, or a chunk of it, holds", f.Device, most)
		}
		a.Counts.Points++
		return nil
	})
}

// points calls f with every point.
func (a *Archive) points(f func(data.Filed) error) error {
	for n := 1; a.entries[pointsEntry(n)].Name != ""; n++ {
		if err := a.lines(pointsEntry(n), func(line []byte) error {
			p, err := data.ParseFiled(line)
			if err != nil {
				return err
			}
			return f(p)
		}); err != nil {
			return err
		}
	}
	return nil
}
