package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"paddock/internal/kit/fault"
)

// Keys sign requests to S3.
type Keys struct {
	Access, Secret string
}

// Where is a store as a setting names it: a folder, or a bucket of any server that speaks S3.
type Where struct {
	Folder   string // "" for a bucket
	Endpoint string // host and port
	Plain    bool   // http instead of https
	Bucket   string
	Prefix   string // before every key, without slashes at its ends; "" for none
	Region   string // "" lets the server say
}

// ParseWhere reads a folder, or "s3://bucket/prefix?endpoint=https://host:port&region=name". Without an endpoint that
// is Amazon. It fails with a sentence for people.
func ParseWhere(text string) (Where, error) {
	if !strings.HasPrefix(text, "s3:") {
		if strings.Contains(text, "://") {
			return Where{}, errors.New("write a folder or s3://bucket/prefix?endpoint=https://host")
		}
		return Where{Folder: filepath.Clean(text)}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Opaque != "" || u.Fragment != "" {
		return Where{}, errors.New("write s3://bucket/prefix?endpoint=https://host")
	}
	if u.User != nil {
		return Where{}, errors.New("keys do not belong into the address: set PADDOCK_S3_ACCESS_KEY and PADDOCK_S3_SECRET_KEY")
	}
	w := Where{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"), Region: u.Query().Get("region"), Endpoint: "s3.amazonaws.com"}
	if w.Prefix != "" {
		if err := CheckKey(w.Prefix); err != nil {
			return Where{}, fmt.Errorf("the prefix: %w", err)
		}
	}
	for name := range u.Query() {
		if name != "endpoint" && name != "region" {
			return Where{}, fmt.Errorf("%q is nothing that an address of S3 has: endpoint and region are", name)
		}
	}
	if e := u.Query().Get("endpoint"); e != "" {
		end, err := url.Parse(e)
		if err != nil || (end.Scheme != "http" && end.Scheme != "https") || end.Host == "" || end.User != nil || strings.Trim(end.Path, "/") != "" {
			return Where{}, errors.New("endpoint: write https://host:port")
		}
		w.Endpoint, w.Plain = end.Host, end.Scheme == "http"
	}
	return w, nil
}

// Open opens the store. That of a bucket is not asked for anything before its first use; the folder is made when
// it is missing.
func (w Where) Open(k Keys) (Store, error) {
	if w.Folder != "" {
		return OpenFolder(w.Folder)
	}
	if k.Access == "" || k.Secret == "" {
		return nil, errors.New("S3 needs keys: set PADDOCK_S3_ACCESS_KEY and PADDOCK_S3_SECRET_KEY")
	}
	c, err := minio.New(w.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(k.Access, k.Secret, ""), Secure: !w.Plain, Region: w.Region, BucketLookup: minio.BucketLookupAuto, MaxRetries: 3,
	})
	if err != nil {
		return nil, fmt.Errorf("open S3: %w", err)
	}
	return &Bucket{client: c, bucket: w.Bucket, prefix: w.Prefix}, nil
}

// Bucket is a Store in a bucket of S3. A file appears when it is complete: what breaks off on the way is taken back.
// A process that dies leaves parts of an upload behind that no reader sees; let the bucket's rules remove those.
type Bucket struct {
	client *minio.Client
	bucket string
	prefix string
}

// partSize is what one part of an upload has, and so what is in memory; S3 takes 10,000 of them: 160 GB.
const partSize = 16 << 20

func (b *Bucket) name(key string) string { return path.Join(b.prefix, key) }

// Put implements Store.
func (b *Bucket) Put(ctx context.Context, key string, body io.Reader) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	// The hash of each part goes with it: what was damaged on the way is refused, whether or not the connection is encrypted. The client's
	// other way, signed chunks, is one that not every server understands.
	_, err := b.client.PutObject(ctx, b.bucket, b.name(key), contextReader{ctx, body}, -1, minio.PutObjectOptions{
		PartSize: partSize, ContentType: "application/octet-stream", SendContentMd5: true, DisableContentSha256: true,
	})
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	return nil
}

// Get implements Store. What it returns is also an io.Seeker: a part of the file is read without the rest.
func (b *Bucket) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	o, err := b.client.GetObject(ctx, b.bucket, b.name(key), minio.GetObjectOptions{})
	if err == nil {
		_, err = o.Stat()
	}
	switch {
	case err == nil:
		return o, nil
	case minio.ToErrorResponse(err).StatusCode == http.StatusNotFound: // of file or bucket: the answer to HEAD has no room to say which
		return nil, fault.New(fault.NotFound, "File Not Found").Because(err)
	}
	return nil, fmt.Errorf("open %s: %w", key, err)
}

// Delete implements Store.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if err := b.client.RemoveObject(ctx, b.bucket, b.name(key), minio.RemoveObjectOptions{}); err != nil && minio.ToErrorResponse(err).Code != "NoSuchKey" {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}
