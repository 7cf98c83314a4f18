package account

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"io"
	"net/http"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/picture"
	"paddock/internal/kit/seal"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

// pictureBox is the size a person's picture is scaled down to, in pixels.
var pictureBox = image.Pt(256, 256)

// pictureKey is where a picture's file lies.
func pictureKey(a id.Account, name string) string {
	return "account/" + string(a) + "/picture-" + name + ".png"
}

// PictureURL is where the person's picture is, on this server; nil without one.
func (a Account) PictureURL() *string {
	if a.Picture == "" {
		return nil
	}
	u := "/account/" + string(a.ID) + "/picture/" + a.Picture
	return &u
}

// SetPicture sets the picture of the caller and returns its address. Its faults are those of picture.Redraw.
func (s *Service) SetPicture(ctx context.Context, who auth.Caller, body []byte) (string, error) {
	png, err := picture.Redraw(ctx, body, pictureBox)
	if err != nil {
		return "", err
	}
	name := seal.Hash(seal.Secret())[:32] // nobody guesses it: the address needs no credential
	key := pictureKey(who.AccountID, name)
	if err := s.cfg.Files.Put(ctx, key, bytes.NewReader(png)); err != nil {
		return "", err
	}
	a, err := s.keepPicture(ctx, who, name, "Picture uploaded")
	if err != nil {
		s.cfg.Files.Delete(context.WithoutCancel(ctx), key)
		return "", err
	}
	return *a.PictureURL(), nil
}

// RemovePicture takes the picture of the caller away.
func (s *Service) RemovePicture(ctx context.Context, who auth.Caller) error {
	_, err := s.keepPicture(ctx, who, "", "Picture removed")
	return err
}

// keepPicture writes the name of a picture and, once that has happened, removes the file of the former one. A crash in between
// leaves a file that nothing names.
func (s *Service) keepPicture(ctx context.Context, who auth.Caller, name, message string) (Account, error) {
	var a Account
	err := s.db.Tx(ctx, func(ctx context.Context) error {
		var ok bool
		var err error
		if a, ok, err = s.hold(ctx, who.AccountID); err != nil {
			return err
		}
		if !ok {
			return notFound
		}
		s.dropPicture(ctx, a)
		a.Picture, a.UpdatedAt = name, s.clock.Now().UTC().Truncate(time.Millisecond)
		if _, err := s.db.Exec(ctx, "UPDATE account SET picture = $1, updated_at = $2 WHERE id = $3", name, clock.Millis(a.UpdatedAt), string(a.ID)); err != nil {
			return fmt.Errorf("store the name of a picture: %w", err)
		}
		if err := s.changed(ctx, a.ID); err != nil {
			return err
		}
		return s.record(ctx, who, a.ID, message, nil, nil)
	})
	return a, err
}

// dropPicture removes the file of a picture that nothing will name, when the transaction of ctx has happened.
func (s *Service) dropPicture(ctx context.Context, a Account) {
	if a.Picture == "" {
		return
	}
	key := pictureKey(a.ID, a.Picture)
	sqldb.AfterCommit(ctx, func() { _ = s.cfg.Files.Delete(context.WithoutCancel(ctx), key) })
}

// OpenPicture opens a person's picture as PNG; the caller closes it. It returns not_found for everything but the one that is
// shown now.
func (s *Service) OpenPicture(ctx context.Context, a id.Account, name string) (io.ReadCloser, error) {
	none := fault.New(fault.NotFound, "Picture Not Found")
	if !id.Valid(string(a)) || name == "" {
		return nil, none
	}
	acc, err := s.Get(ctx, a)
	if err != nil {
		return nil, none.Because(err)
	}
	if acc.Picture != name {
		return nil, none
	}
	return s.cfg.Files.Get(ctx, pictureKey(a, name))
}

type pictureResult struct {
	URL string `json:"picture_url" description:"on this server"`
}

func (s *Service) putPicture(ctx context.Context, who auth.Caller, in requestIn) (pictureResult, error) {
	u, err := s.SetPicture(ctx, who, in.Request.Body)
	return pictureResult{u}, err
}

func (s *Service) deletePicture(ctx context.Context, who auth.Caller, _ struct{}) (string, error) {
	return "Successfully Removed", s.RemovePicture(ctx, who)
}

type pictureIn struct {
	ID   id.Account `path:"id"`
	Name string     `path:"name"`
}

func (s *Service) getPicture(ctx context.Context, _ auth.Caller, in pictureIn) (web.Raw, error) {
	file, err := s.OpenPicture(ctx, in.ID, in.Name)
	if err != nil {
		return web.Raw{}, err
	}
	// A new upload has a new address, so this one never changes.
	return web.Raw{Type: "image/png", From: file, Header: http.Header{"Cache-Control": {"public, max-age=31536000, immutable"}}}, nil
}
