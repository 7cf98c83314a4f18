package profile

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"image"
	_ "image/jpeg"
	"image/png"
	"io"
	"path"
	"strings"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
)

// Picture is a kind of picture a profile has; the value is its word in paths.
type Picture string

const (
	Logo   Picture = "logo"
	Banner Picture = "banner"
)

const (
	// MaxPicture is how many bytes an upload may have.
	MaxPicture = 2 << 20
	maxSide    = 8192       // pixels of the file as it comes
	maxPixels  = 16_000_000 // 64 MB decoded; two are decoded at a time
)

// box is the size a picture is scaled down to, in pixels; one that is smaller stays as it is.
var box = map[Picture]image.Point{Logo: {512, 512}, Banner: {2048, 1024}}

// Upload sets a picture of a profile. It returns Unsupported for what is no PNG, JPEG or WebP, TooLarge and
// Invalid for one out of bounds or broken, and the address of what is stored now.
func (s *Service) Upload(ctx context.Context, who auth.Caller, ref string, kind Picture, body []byte) (string, error) {
	p, err := s.Owned(ctx, who, ref)
	if err != nil {
		return "", err
	}
	if len(body) > MaxPicture {
		return "", fault.New(fault.TooLarge, "A picture may have at most 2 MB")
	}
	select { // decoding takes memory and a core: two at a time
	case s.decoding <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	text, err := reencode(body, box[kind])
	<-s.decoding
	if err != nil {
		return "", err
	}
	var name [16]byte
	rand.Read(name[:])
	u := "/profile/" + string(p.ID) + "/" + string(kind) + "/" + hex.EncodeToString(name[:])
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
	p, err := s.Owned(ctx, who, ref)
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

// reencode decodes a picture within bounds, scales it into the box and writes it anew, so that nothing else
// the file may have held is kept.
func reencode(body []byte, box image.Point) ([]byte, error) {
	cfg, format, err := image.DecodeConfig(bytes.NewReader(body))
	if err != nil {
		return nil, fault.New(fault.Unsupported, "A picture must be a PNG, JPEG or WebP file").Because(err)
	}
	if cfg.Width < 1 || cfg.Height < 1 || cfg.Width > maxSide || cfg.Height > maxSide || cfg.Width*cfg.Height > maxPixels {
		return nil, fault.Field("picture", "%d × %d pixels are too many: at most %d a side and %d million in all", cfg.Width, cfg.Height, maxSide, maxPixels/1_000_000)
	}
	img, _, err := image.Decode(bytes.NewReader(body))
	if err != nil {
		return nil, fault.Field("picture", "the %s file is broken", strings.ToUpper(format)).Because(err)
	}
	size := img.Bounds().Size()
	if size.X > box.X || size.Y > box.Y {
		w, h := box.X, size.Y*box.X/size.X
		if h > box.Y {
			w, h = size.X*box.Y/size.Y, box.Y
		}
		small := image.NewNRGBA(image.Rect(0, 0, max(w, 1), max(h, 1)))
		draw.CatmullRom.Scale(small, small.Bounds(), img, img.Bounds(), draw.Src, nil)
		img = small
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return nil, fault.Field("picture", "cannot be stored as PNG").Because(err)
	}
	return out.Bytes(), nil
}
