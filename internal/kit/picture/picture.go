// Package picture makes the pictures that people upload safe to show: it decodes them within bounds, scales them down and
// writes them anew, so that nothing else a file may have held is kept.
package picture

import (
	"bytes"
	"context"
	"image"
	_ "image/jpeg"
	"image/png"
	"strings"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"paddock/internal/kit/fault"
)

const (
	// MaxBytes is how many bytes an upload may have.
	MaxBytes  = 2 << 20
	maxSide   = 8192       // pixels of the file as it comes
	maxPixels = 16_000_000 // 64 MB decoded; two are decoded at a time
)

// decoding are the pictures being decoded: it takes memory and a core.
var decoding = make(chan struct{}, 2)

// Redraw makes a PNG that fits into a box, in pixels, of what is a PNG, JPEG or WebP; one that is smaller keeps its size. It
// returns TooLarge for more than MaxBytes, Unsupported for what is no such file, and Invalid for one out of bounds or broken.
func Redraw(ctx context.Context, body []byte, box image.Point) ([]byte, error) {
	if len(body) > MaxBytes {
		return nil, fault.New(fault.TooLarge, "A picture may have at most 2 MB")
	}
	select {
	case decoding <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-decoding }()
	return redraw(body, box)
}

func redraw(body []byte, box image.Point) ([]byte, error) {
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
