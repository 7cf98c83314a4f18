package profile

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/picture"
	"paddock/internal/kit/sqldb"
)

// Uploaded tells the address of an upload from one of somebody else.
func Uploaded(u *string) bool {
	_, ours := pictureKey(u)
	return ours
}

// PictureFile opens the upload that a profile shows as PNG, for its archive; the caller closes it. It returns not_found
// for a profile without one.
func (s *Service) PictureFile(ctx context.Context, p Profile, kind Picture) (io.ReadCloser, error) {
	key, ours := pictureKey(*p.picture(kind))
	if !ours {
		return nil, fault.New(fault.NotFound, "Picture Not Found")
	}
	return s.files.Get(ctx, key)
}

// picturePath is a fresh address for an upload of a profile.
func picturePath(p id.Profile, kind Picture) string {
	var name [16]byte
	rand.Read(name[:])
	return "/profile/" + string(p) + "/" + string(kind) + "/" + hex.EncodeToString(name[:])
}

// DraftPicture makes a picture of an archive one of a draft. What was sent is drawn anew, as every upload; the faults are
// those of Upload.
func (s *Service) DraftPicture(ctx context.Context, p Profile, kind Picture, body []byte) error {
	text, err := picture.Redraw(ctx, body, box[kind])
	if err != nil {
		return err
	}
	u := picturePath(p.ID, kind)
	key, _ := pictureKey(&u)
	if err := s.files.Put(ctx, key, bytes.NewReader(text)); err != nil {
		return err
	}
	n, err := s.db.Exec(ctx, `UPDATE profile SET `+string(kind)+`_url = $1 WHERE id = $2 AND draft AND deleted_at IS NOT NULL AND purged_at IS NULL`, u, p.ID)
	if err == nil && n == 0 {
		err = NotFound
	}
	if err != nil {
		_ = s.files.Delete(context.WithoutCancel(ctx), key)
	}
	return err
}

// Slot says whether an account may own one more profile.
func (s *Service) Slot(ctx context.Context, a id.Account) ([]Check, error) {
	checks, _, err := s.slot(ctx, a)
	return checks, err
}

// Free reports whether no profile, living, deleted or gone, ever had an id.
func (s *Service) Free(ctx context.Context, p id.Profile) (bool, error) {
	_, there, err := sqldb.One(ctx, s.db, sqldb.Value[string], `SELECT id FROM profile WHERE id = $1`, string(p))
	return err == nil && !there, err
}
