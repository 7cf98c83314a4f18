package profile

import (
	"bytes"
	"context"
	"image"
	"io"
	"path"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/picture"
	"paddock/internal/kit/sqldb"
)

// Picture is a kind of picture a profile has; the value is its word in paths.
type Picture string

const (
	Logo   Picture = "logo"
	Banner Picture = "banner"
)

// box is the size a picture is scaled down to, in pixels; one that is smaller stays as it is.
var box = map[Picture]image.Point{Logo: {512, 512}, Banner: {2048, 1024}}

// Upload sets a picture of a profile. It returns Unsupported for what is no PNG, JPEG or WebP, TooLarge and
// Invalid for one out of bounds or broken, and the address of what is stored now.
func (s *Service) Upload(ctx context.Context, who auth.Caller, ref string, kind Picture, body []byte) (string, error) {
	p, who, err := s.Resolve(ctx, who, ref, auth.Admin)
	if err != nil {
		return "", err
	}
	text, err := picture.Redraw(ctx, body, box[kind])
	if err != nil {
		return "", err
	}
	u := picturePath(p.ID, kind)
	key, _ := pictureKey(&u)
	if err := s.files.Put(ctx, key, bytes.NewReader(text)); err != nil {
		return "", err
	}
	err = s.change(ctx, who, p.ID, "Profile "+string(kind)+" uploaded", func(p *Profile) error {
		*p.picture(kind) = &u
		return nil
	})
	if err != nil {
		s.files.Delete(context.WithoutCancel(ctx), key)
		return "", err
	}
	return u, nil
}

// RemovePicture takes a picture off a profile.
func (s *Service) RemovePicture(ctx context.Context, who auth.Caller, ref string, kind Picture) error {
	p, who, err := s.Resolve(ctx, who, ref, auth.Admin)
	if err != nil {
		return err
	}
	return s.change(ctx, who, p.ID, "Profile "+string(kind)+" removed", func(p *Profile) error {
		*p.picture(kind) = nil
		return nil
	})
}

// OpenPicture opens an upload as PNG; the caller closes it. It returns not_found for everything but the
// picture that the profile shows now.
func (s *Service) OpenPicture(ctx context.Context, pid, name string, kind Picture) (io.ReadCloser, error) {
	none := fault.New(fault.NotFound, "Picture Not Found")
	if !id.Valid(pid) {
		return nil, none
	}
	p, err := s.Get(ctx, id.Profile(pid))
	if err != nil {
		return nil, none.Because(err)
	}
	u := *p.picture(kind)
	if u == nil || *u != "/profile/"+pid+"/"+string(kind)+"/"+name {
		return nil, none
	}
	key, _ := pictureKey(u)
	return s.files.Get(ctx, key)
}

func (p *Profile) picture(kind Picture) **string {
	if kind == Logo {
		return &p.LogoURL
	}
	return &p.BannerURL
}

// pictureKey is where the file of a stored address lies; false for an address of somebody else.
func pictureKey(u *string) (string, bool) {
	if u == nil || !strings.HasPrefix(*u, "/profile/") {
		return "", false
	}
	dir, name := path.Split(strings.TrimPrefix(*u, "/"))
	return strings.TrimSuffix(dir, "/") + "-" + name + ".png", true
}

// dropPictures removes the files that a change leaves behind, once it has happened. A crash in between leaves
// a file that nothing names.
func (s *Service) dropPictures(ctx context.Context, old, now Profile) {
	for _, kind := range []Picture{Logo, Banner} {
		was, is := *old.picture(kind), *now.picture(kind)
		key, ours := pictureKey(was)
		if !ours || is != nil && *is == *was {
			continue
		}
		sqldb.AfterCommit(ctx, func() { _ = s.files.Delete(context.WithoutCancel(ctx), key) })
	}
}
