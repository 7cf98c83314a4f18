package backup

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
)

func (b *Backups) routes() []web.Route {
	list, create, take := web.Group("backup list"), web.Group("backup create"), web.Group("backup take and delete")
	tag := web.Tags("backup")
	full := profile.OfPath
	full.Action = auth.ActDelete // what leaves the server, or ends, takes a full token
	return []web.Route{
		web.Handle("POST /profile/{id}/backup", "Put a backup of a profile in line; it is made in the background.", profile.OfPath, b.create, create, tag),
		web.Handle("GET /profile/{id}/backup", "The backups of a profile, with how far they are.", profile.OfPath, b.list, list, tag),
		web.Handle("POST /profile/{id}/backup/{backup}/download", "Make a link to download a backup by, which works for two hours; needs the owner's password, and the code of a second factor.", full, b.download, take, tag),
		web.Handle("DELETE /profile/{id}/backup/{backup}", "Delete a backup; needs the owner's password, and the code of a second factor.", profile.OfPath, b.remove1, take, tag),
		web.Handle("GET /profile/{id}/backup/{backup}/file/{secret}", "The archive of a backup, for whoever holds the link; parts of it by Range.", auth.Anyone, b.file, tag),

		web.Handle("GET /profile/{id}/backup/schedule", "When a profile is backed up by itself, and how that goes.", profile.OfPath, b.getSchedule, list, tag),
		web.Handle("PUT /profile/{id}/backup/schedule", "Set when a profile is backed up by itself.", full, b.putScheduleRoute, create, tag),
		web.Handle("DELETE /profile/{id}/backup/schedule", "End the schedule of a profile's backups.", profile.OfPath, b.deleteSchedule, create, tag),
	}
}

type createIn struct {
	ID         string  `path:"id"`
	Data       bool    `json:"data" description:"with the points of devices; TagoIO's backups are without"`
	Passphrase *string `json:"passphrase" description:"to encrypt the archive to (age), 12 characters or more; it is not kept"`
}

func (b *Backups) create(ctx context.Context, who auth.Caller, in createIn) (string, error) {
	r := RequestInput{Data: in.Data}
	if in.Passphrase != nil {
		if *in.Passphrase == "" {
			return "", fault.Field("passphrase", "must have %d characters or more, or be left out", minPassphrase)
		}
		r.Passphrase = *in.Passphrase
	}
	if _, err := b.Request(ctx, who, in.ID, r); err != nil {
		return "", err
	}
	return "Backup Successfully Queued", nil
}

// Row is a backup in a list. id, status, created_at, file_size and error_message are TagoIO's.
type Row struct {
	ID           id.Backup `json:"id"`
	Status       Status    `json:"status" enum:"queued,processing,completed,failed"`
	Progress     int64     `json:"progress" description:"per cent"`
	CreatedAt    web.Time  `json:"created_at"`
	StartedAt    *web.Time `json:"started_at"`
	FinishedAt   *web.Time `json:"finished_at"`
	ExpiresAt    *web.Time `json:"expires_at" description:"when it goes by itself; null for not by time"`
	FileSize     *int64    `json:"file_size" description:"in bytes; null until completed"`
	SHA256       *string   `json:"sha256" description:"of the file; null until completed"`
	ErrorMessage *string   `json:"error_message" description:"why it failed, or why it is tried again"`
	Origin       Origin    `json:"origin" enum:"request,schedule"`
	Data         bool      `json:"data" description:"with the points of devices"`
	Encrypted    bool      `json:"encrypted"`
	Target       Target    `json:"target" enum:"server,external"`
}

func row(x Backup) Row {
	r := Row{ID: x.ID, Status: x.Status, CreatedAt: web.Millis(x.CreatedAt), StartedAt: maybe(x.StartedAt), FinishedAt: maybe(x.FinishedAt), Origin: x.Origin, Data: x.Data,
		Encrypted: x.Encrypted, Target: x.Target}
	switch x.Status {
	case BackupCompleted:
		r.Progress, r.FileSize, r.SHA256, r.ExpiresAt = 100, &x.Size, &x.SHA256, maybe(x.ExpiresAt)
	case BackupProcessing:
		if x.Total > 0 { // what is not stored yet is not done
			r.Progress = min(99, max(0, x.Done*100/x.Total))
		}
	}
	if x.Reason != "" {
		r.ErrorMessage = &x.Reason
	}
	return r
}

func maybe(ms int64) *web.Time {
	if ms == 0 {
		return nil
	}
	t := web.Millis(ms)
	return &t
}

type listIn struct {
	ID   string `path:"id"`
	List web.List
}

func (b *Backups) list(ctx context.Context, who auth.Caller, in listIn) ([]Row, error) {
	order, err := in.List.Order(orders, "created_at DESC")
	if err != nil {
		return nil, err
	}
	in.List.Cap(1000)
	xs, err := b.List(ctx, who, in.ID, order+", id DESC", in.List.Limit(), in.List.Offset())
	if err != nil {
		return nil, err
	}
	rows := make([]Row, len(xs))
	for i, x := range xs {
		rows[i] = row(x)
	}
	return rows, nil
}

type proofIn struct {
	ID       string    `path:"id"`
	Backup   id.Backup `path:"backup"`
	Password string    `json:"password" required:"true"`
	PinCode  string    `json:"pin_code" description:"of the authenticator app, or a recovery code; needed when a second factor is on"`
	OTPType  string    `json:"otp_type" description:"authenticator, when given"`
}

func (in proofIn) proof(who auth.Caller) account.Proof {
	return account.Proof{Password: in.Password, Code: in.PinCode, Kind: in.OTPType, Addr: who.Addr}
}

type downloadIn struct {
	proofIn
	Request *web.Request
}

type downloadOut struct {
	URL        string   `json:"url"`
	FileSizeMB string   `json:"file_size_mb" example:"1.25"`
	ExpireAt   web.Time `json:"expire_at"`
	FileName   string   `json:"file_name"`
	FileSize   int64    `json:"file_size" description:"in bytes"`
	SHA256     string   `json:"sha256"`
	Encrypted  bool     `json:"encrypted" description:"to a passphrase, by age"`
}

func (b *Backups) download(ctx context.Context, who auth.Caller, in downloadIn) (downloadOut, error) {
	l, err := b.Link(ctx, who, in.ID, in.Backup, in.proof(who))
	if err != nil {
		return downloadOut{}, err
	}
	x := l.Backup
	pr, err := b.profiles.Get(ctx, x.Profile)
	if err != nil {
		return downloadOut{}, err
	}
	return downloadOut{
		URL:        fmt.Sprintf("%s/profile/%s/backup/%s/file/%s", in.Request.Public, x.Profile, x.ID, l.Secret),
		FileSizeMB: fmt.Sprintf("%.2f", float64(x.Size)/1e6), ExpireAt: web.Millis(l.ExpiresAt), FileName: fileName(pr, x), FileSize: x.Size, SHA256: x.SHA256, Encrypted: x.Encrypted,
	}, nil
}

// fileName is what a browser stores an archive as: the name of the profile, as far as every file system takes it, and the time.
func fileName(p profile.Profile, x Backup) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, p.Name), "-")
	if name == "" {
		name = "profile"
	}
	name += "-" + clock.FromMillis(x.CreatedAt).UTC().Format("20060102-150405") + ".zip"
	if x.Encrypted {
		name += ".age"
	}
	return name
}

func (b *Backups) remove1(ctx context.Context, who auth.Caller, in proofIn) (string, error) {
	if err := b.Delete(ctx, who, in.ID, in.Backup, in.proof(who)); err != nil {
		return "", err
	}
	return "Successfully Removed", nil
}

type fileIn struct {
	ID      id.Profile `path:"id"`
	Backup  id.Backup  `path:"backup"`
	Secret  string     `path:"secret"`
	Request *web.Request
}

func (b *Backups) file(ctx context.Context, who auth.Caller, in fileIn) (web.File, error) {
	x, p, f, err := b.OpenLink(ctx, who, in.ID, in.Backup, in.Secret, in.Request.HTTP.Method == http.MethodHead)
	if err != nil {
		return web.File{}, err
	}
	kind := "application/zip"
	if x.Encrypted {
		kind = "application/octet-stream"
	}
	return web.File{Type: kind, Modified: clock.FromMillis(x.FinishedAt), ETag: `"` + x.SHA256 + `"`, Content: f, Header: http.Header{
		"Content-Disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": fileName(p, x)})},
		"Cache-Control":       {"private, no-store"},
	}}, nil
}

type scheduleIn struct {
	ID         string          `path:"id"`
	Active     *bool           `json:"active" description:"true unless given"`
	Every      Every           `json:"every" enum:"day,week" required:"true"`
	Weekday    string          `json:"weekday" enum:"sunday,monday,tuesday,wednesday,thursday,friday,saturday" description:"with week"`
	Hour       *int            `json:"hour" description:"0 to 23, in the time zone of the profile's owner; 3 unless given"`
	Data       bool            `json:"data" description:"with the points of devices"`
	Target     Target          `json:"target" enum:"server,external" description:"where archives are kept: with the server's files (default), or at the place its operator has set up"`
	Passphrase web.Opt[string] `json:"passphrase" description:"to encrypt archives to; kept sealed. Left out it stays as it is, null removes it"`
	KeepLast   *int64          `json:"keep_last" description:"how many are kept"`
	KeepDays   *int64          `json:"keep_days" description:"for how many days they are kept"`
}

func (b *Backups) putScheduleRoute(ctx context.Context, who auth.Caller, in scheduleIn) (string, error) {
	s := ScheduleInput{Active: in.Active == nil || *in.Active, Every: in.Every, Hour: 3, Data: in.Data, Target: in.Target}
	if in.Hour != nil {
		s.Hour = *in.Hour
	}
	if s.Target == "" {
		s.Target = OnServer
	}
	if in.Weekday != "" || in.Every == Week {
		s.Weekday = -1
		for d := time.Sunday; d <= time.Saturday; d++ {
			if strings.EqualFold(d.String(), in.Weekday) {
				s.Weekday = d
			}
		}
	}
	if in.Passphrase.Set {
		v := in.Passphrase.Or("")
		if v == "" && in.Passphrase.Ptr() != nil {
			return "", fault.Field("passphrase", "must have %d characters or more, or be null", minPassphrase)
		}
		s.Passphrase = &v
	}
	for _, f := range []struct {
		name string
		from *int64
		to   *int64
	}{{"keep_last", in.KeepLast, &s.KeepLast}, {"keep_days", in.KeepDays, &s.KeepDays}} {
		if f.from != nil {
			if *f.from < 1 {
				return "", fault.Field(f.name, "must be 1 or more, or null")
			}
			*f.to = *f.from
		}
	}
	if err := b.SetSchedule(ctx, who, in.ID, s); err != nil {
		return "", err
	}
	return "Successfully Updated", nil
}

// ScheduleRow is the schedule of a profile.
type ScheduleRow struct {
	Active    bool      `json:"active"`
	Every     Every     `json:"every" enum:"day,week"`
	Weekday   string    `json:"weekday" enum:"sunday,monday,tuesday,wednesday,thursday,friday,saturday"`
	Hour      int       `json:"hour"`
	Timezone  string    `json:"timezone" description:"of the profile's owner"`
	Data      bool      `json:"data"`
	Target    Target    `json:"target" enum:"server,external"`
	Encrypted bool      `json:"encrypted" description:"there is a passphrase"`
	KeepLast  *int64    `json:"keep_last"`
	KeepDays  *int64    `json:"keep_days"`
	NextAt    *web.Time `json:"next_at"`
	DoneAt    *web.Time `json:"done_at" description:"when the last one was made"`
	FailedAt  *web.Time `json:"failed_at" description:"when the last one failed or was missed; null when all is well"`
	Reason    *string   `json:"reason" description:"why it failed"`
	External  *string   `json:"external" enum:"folder,s3" description:"what kind of place the operator has set up; null for none"`
}

type pathIn struct {
	ID string `path:"id"`
}

func (b *Backups) getSchedule(ctx context.Context, who auth.Caller, in pathIn) (ScheduleRow, error) {
	s, loc, err := b.ScheduleOf(ctx, who, in.ID)
	if err != nil {
		return ScheduleRow{}, err
	}
	r := ScheduleRow{Active: s.Active, Every: s.Every, Weekday: strings.ToLower(s.Weekday.String()), Hour: s.Hour, Timezone: loc.String(), Data: s.Data, Target: s.Target,
		Encrypted: s.Passphrase != "", DoneAt: maybe(s.DoneAt), FailedAt: maybe(s.FailedAt)}
	if s.Active {
		r.NextAt = maybe(s.NextAt)
	}
	if s.KeepLast > 0 {
		r.KeepLast = &s.KeepLast
	}
	if s.KeepDays > 0 {
		r.KeepDays = &s.KeepDays
	}
	if s.Reason != "" {
		r.Reason = &s.Reason
	}
	if b.cfg.External != nil {
		r.External = &b.cfg.Kind
	}
	return r, nil
}

func (b *Backups) deleteSchedule(ctx context.Context, who auth.Caller, in pathIn) (string, error) {
	if err := b.DeleteSchedule(ctx, who, in.ID); err != nil {
		return "", err
	}
	return "Successfully Removed", nil
}
