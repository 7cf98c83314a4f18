// Package mailtest is a real mail server for tests.
package mailtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// PostOffice is a real SMTP server that keeps what it gets.
type PostOffice struct {
	*smtp.Server
	Addr  string
	CA    *x509.CertPool
	mu    sync.Mutex
	mails []Delivered
	fail  error // for RCPT; nil accepts
	user  string
	pass  string
}

// Delivered is a mail it took.
type Delivered struct {
	From, To string
	Raw      []byte
	TLS      bool
	Authed   bool
}

type session struct {
	o *PostOffice
	c *smtp.Conn
	d Delivered
}

func (s *session) Reset()        { s.d = Delivered{Authed: s.d.Authed} }
func (s *session) Logout() error { return nil }
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.o.user != "" && !s.d.Authed {
		return smtp.ErrAuthRequired
	}
	s.d.From = from
	return nil
}
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	s.d.To = to
	return s.o.fail
}
func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.d.Raw = b
	_, s.d.TLS = s.c.TLSConnectionState()
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	s.o.mails = append(s.o.mails, s.d)
	return nil
}
func (s *session) AuthMechanisms() []string {
	if s.o.user == "" {
		return nil
	}
	return []string{sasl.Plain}
}
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, pass string) error {
		if user != s.o.user || pass != s.o.pass {
			return smtp.ErrAuthFailed
		}
		s.d.Authed = true
		return nil
	}), nil
}

// Got are the mails it took so far.
func (o *PostOffice) Got() []Delivered {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]Delivered(nil), o.mails...)
}

// Refuse makes it answer every recipient with err; nil accepts again.
func (o *PostOffice) Refuse(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = err
}

// Open starts a server on a free port. implicit speaks TLS from the first byte; with starttls false
// and implicit false it has no TLS at all.
func Open(t testing.TB, starttls, implicit bool, user, pass string) *PostOffice {
	t.Helper()
	o := &PostOffice{user: user, pass: pass}
	cert, pool := certificate(t)
	o.CA = pool
	conf := &tls.Config{Certificates: []tls.Certificate{cert}}
	o.Server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{o: o, c: c}, nil
	}))
	o.Domain = "post.test"
	o.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.Addr = l.Addr().String()
	if starttls {
		o.TLSConfig = conf
	} else if !implicit {
		o.AllowInsecureAuth = true
	}
	if implicit {
		l = tls.NewListener(l, conf)
	}
	go o.Serve(l)
	t.Cleanup(func() { o.Close() })
	return o
}

func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
