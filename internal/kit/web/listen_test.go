package web_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paddock/internal/auth"
	"paddock/internal/kit/web"
)

// certificate writes a self-signed pair for 127.0.0.1 and gives the pool that trusts it.
func certificate(t *testing.T, dir string) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certFile, certPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, pool
}

func TestTLS(t *testing.T) {
	certFile, keyFile, pool := certificate(t, t.TempDir())
	conf, err := web.TLS(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	s := web.NewServer(web.Config{Log: discard, Clock: clockSystem, Authenticate: authenticate}, []web.Route{
		web.Handle("POST /echo", "", auth.Anyone, func(_ context.Context, _ auth.Caller, in struct {
			R *web.Request
		}) (string, error) {
			return in.R.Public + " " + in.R.HTTP.Proto + " " + string(in.R.Body), nil
		}),
	})
	h := web.HTTPServer("", s.Handler(), discard)
	h.TLSConfig = conf
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go h.ServeTLS(l, "", "")
	t.Cleanup(func() { h.Close() })
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: proto == "HTTP/2.0"}
		res, err := (&http.Client{Transport: tr}).Post("https://"+l.Addr().String()+"/echo", "application/json", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 200)
		n, _ := res.Body.Read(b)
		res.Body.Close()
		tr.CloseIdleConnections()
		if want := `"https://` + l.Addr().String() + " " + proto + ` {}"`; !strings.Contains(string(b[:n]), want) || res.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: %s %v", proto, b[:n], res.Header)
		}
	}
	if _, err := web.TLS(certFile, certFile); err == nil {
		t.Error("a certificate was taken for a key")
	}
	if _, err := web.TLS(certFile+"x", keyFile); err == nil {
		t.Error("a file that is not there was taken")
	}
}

func TestHeaderBounds(t *testing.T) {
	s := start(t, web.Config{}, []web.Route{web.Handle("GET /", "", auth.Anyone, give(1, nil))})
	if got := s.wire("GET / HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", 100_000)+"\r\n\r\n", 5*time.Second); !strings.HasPrefix(got, "HTTP/1.1 431") {
		t.Errorf("%.100s", got)
	}
	if got := s.wire("GET / HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", 50_000)+"\r\nConnection: close\r\n\r\n", 5*time.Second); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("%.100s", got)
	}
}

func TestKeepAlive(t *testing.T) {
	// A connection serves many requests, refused ones and unread bodies between them.
	s := start(t, web.Config{}, []web.Route{
		web.Handle("POST /data", "", auth.OfDevice, func(_ context.Context, _ auth.Caller, in struct {
			Body []byte `body:"json"`
		}) (int, error) {
			return len(in.Body), nil
		}),
	})
	one := "POST /data HTTP/1.1\r\nHost: x\r\nToken: " + deviceToken + "\r\nContent-Length: 2\r\n\r\n[]"
	bad := "POST /data HTTP/1.1\r\nHost: x\r\nToken: wrong\r\nContent-Length: 2\r\n\r\n[]"
	last := strings.Replace(one, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
	got := s.wire(one+bad+one+bad+last, 10*time.Second)
	if strings.Count(got, "HTTP/1.1 200") != 3 || strings.Count(got, "HTTP/1.1 401") != 2 {
		t.Error(got)
	}
}
