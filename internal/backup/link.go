package backup

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"time"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/blob"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

// linkLife is how long a link to a backup works.
const linkLife = 2 * time.Hour

// Link is what a person downloads a backup by.
type Link struct {
	Backup    Backup
	Secret    string
	ExpiresAt int64
}

// errNoLink is the one answer to a link that is wrong, too old, or whose backup is gone.
var errNoLink = fault.New(fault.NotFound, "This link does not lead anywhere, or not any more: it works for two hours")

// Link makes a link to the archive of a backup, which works without signing in for two hours, as long as whoever it was given to owns
// the profile. It returns not_found, Invalid while the backup is not completed, and Unauthorized unless proof is the owner's.
func (b *Backups) Link(ctx context.Context, who auth.Caller, ref string, bid id.Backup, proof account.Proof) (Link, error) {
	p, x, err := b.owned(ctx, who, ref, bid)
	if err != nil {
		return Link{}, err
	}
	if x.Status != BackupCompleted {
		return Link{}, errNotReady
	}
	if err := b.prove(ctx, who, proof); err != nil {
		return Link{}, err
	}
	l := Link{Backup: x, Secret: seal.Secret(), ExpiresAt: clock.Millis(b.clock.Now().Add(linkLife))}
	return l, b.db.Tx(sqldb.As(ctx, p.ID), func(ctx context.Context) error {
		if _, err := b.db.Exec(ctx, `INSERT INTO backup_link (profile_id, backup_id, hash, account, expires_at, used_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			p.ID, bid, seal.Hash(l.Secret), who.AccountID, l.ExpiresAt, int64(0)); err != nil {
			return fmt.Errorf("insert a link: %w", err)
		}
		return b.write(ctx, who, x, "Link to download a backup made", nil, map[string]any{"expires_at": clock.FromMillis(l.ExpiresAt)})
	})
}

type link struct {
	hash    string
	account id.Account
	expires int64
	used    int64
}

// OpenLink opens the archive that a link leads to; look is true for somebody who only asks whether it is there. Its first use is written
// into the audit log. It returns not_found, in the same words, for whatever is wrong with the link.
func (b *Backups) OpenLink(ctx context.Context, who auth.Caller, p id.Profile, bid id.Backup, secret string, look bool) (Backup, profile.Profile, io.ReadSeekCloser, error) {
	none := func(err error) (Backup, profile.Profile, io.ReadSeekCloser, error) {
		if err == nil || fault.Is(err, fault.NotFound) {
			err = errNoLink
		}
		return Backup{}, profile.Profile{}, nil, err
	}
	if !id.Valid(string(p)) || !id.Valid(string(bid)) || len(secret) != seal.SecretChars {
		return none(nil)
	}
	pr, err := b.profiles.Get(ctx, p)
	if err != nil {
		return none(err)
	}
	links, err := sqldb.All(ctx, b.db, func(r sqldb.Scanner) (l link, err error) { return l, r.Scan(&l.hash, &l.account, &l.expires, &l.used) },
		`SELECT hash, account, expires_at, used_at FROM backup_link WHERE profile_id = $1 AND backup_id = $2 AND expires_at > $3`, p, bid, b.now())
	if err != nil {
		return none(err)
	}
	var l *link
	want := []byte(seal.Hash(secret))
	for i := range links { // all of them, found or not: equal work
		if subtle.ConstantTimeCompare([]byte(links[i].hash), want) == 1 {
			l = &links[i]
		}
	}
	if l == nil || l.account != pr.Account {
		return none(nil)
	}
	owner, err := b.accounts.Get(ctx, l.account)
	if err != nil || owner.Blocked {
		return none(err)
	}
	x, found, err := b.findBackup(ctx, p, bid)
	if err != nil || !found || x.Status != BackupCompleted {
		return none(err)
	}
	f, err := b.openArchive(ctx, x)
	if err != nil {
		return Backup{}, pr, nil, err
	}
	if l.used == 0 && !look {
		who.AccountID = l.account // the link speaks for whoever it was given to
		if err := b.used(ctx, who, x, l.hash); err != nil {
			f.Close()
			return Backup{}, pr, nil, err
		}
	}
	return x, pr, f, nil
}

// used writes the first use of a link into the audit log.
func (b *Backups) used(ctx context.Context, who auth.Caller, x Backup, hash string) error {
	return b.db.Tx(sqldb.As(ctx, x.Profile), func(ctx context.Context) error {
		n, err := b.db.Exec(ctx, `UPDATE backup_link SET used_at = $1 WHERE profile_id = $2 AND backup_id = $3 AND hash = $4 AND used_at = 0`, b.now(), x.Profile, x.ID, hash)
		if err != nil || n == 0 {
			return err
		}
		return b.write(ctx, who, x, "Backup downloaded by a link", nil, nil)
	})
}

// openArchive opens the file of a completed backup.
func (b *Backups) openArchive(ctx context.Context, x Backup) (io.ReadSeekCloser, error) {
	var s blob.Store = b.store(x.Target)
	if s == nil {
		return nil, fault.New(fault.Unavailable, "The place where this backup is kept is not set up any more: ask whoever runs this server")
	}
	f, err := s.Get(ctx, x.File)
	if fault.Is(err, fault.NotFound) {
		b.log.Error("the file of a backup is missing", "profile", x.Profile, "backup", x.ID, "target", x.Target, "file", x.File)
		return nil, fault.New(fault.NotFound, "The file of this backup is missing where it was stored").Because(err)
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "The place where this backup is kept cannot be reached").Because(err)
	}
	seeker, ok := f.(io.ReadSeekCloser)
	if !ok {
		f.Close()
		return nil, fmt.Errorf("a file of %T cannot seek", s)
	}
	return seeker, nil
}

func (b *Backups) dropLinks(ctx context.Context, p id.Profile, bid id.Backup) error {
	_, err := b.db.Exec(ctx, `DELETE FROM backup_link WHERE profile_id = $1 AND backup_id = $2`, p, bid)
	return err
}

// dropOldLinks forgets links across profiles that do not work any more.
func (b *Backups) dropOldLinks(ctx context.Context) error {
	_, err := b.db.Exec(ctx, `DELETE FROM backup_link WHERE expires_at <= $1`, b.now())
	return err
}
