// Package server runs the real binary for tests and measurements: installations that outlive their server
// process, commands beside it, and the ways a process can end.
//
//	home, err := server.NewHome(binary, folder, "")   // SQLite in folder; or a PostgreSQL URL
//	account, err := home.CreateAccount("Ada", "house")
//	s, err := home.Serve()
//	s.Call("POST", "/data", token, points, &answer)
//	s.Kill()                                          // as a power cut would
//	s, err = home.Serve()                             // the same data again
package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Binary is the program under test: PADDOCK_BIN, or one built from this tree, once per process, without the
// console. The second return value removes what was built.
func Binary() (path string, remove func(), err error) {
	if path := os.Getenv("PADDOCK_BIN"); path != "" {
		abs, err := filepath.Abs(path)
		return abs, func() {}, err
	}
	return Build()
}

// Build builds a binary from this tree, without the console. The second return value removes it.
func Build(flags ...string) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "paddock-bin-")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, "paddock")
	build := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), "paddock/cmd/paddock")...)
	if out, err := build.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", nil, fmt.Errorf("build the binary: %w\n%s", err, out)
	}
	return path, func() { os.RemoveAll(dir) }, nil
}

// NewDatabase creates a PostgreSQL database beside the one that admin, a superuser's URL, names.
// It returns the new one's URL and how to remove it, whoever is still connected.
func NewDatabase(ctx context.Context, admin string) (string, func() error, error) {
	u, err := url.Parse(admin)
	if err != nil || admin == "" {
		return "", nil, errors.New("TEST_POSTGRES is not the URL of a PostgreSQL superuser (make test starts a server for the tests)")
	}
	raw := make([]byte, 6)
	rand.Read(raw)
	name := "e2e_" + hex.EncodeToString(raw)
	do := func(statement string) error {
		c, err := pgx.Connect(ctx, admin)
		if err != nil {
			return err
		}
		defer c.Close(ctx)
		_, err = c.Exec(ctx, statement)
		return err
	}
	if err := do("CREATE DATABASE " + name); err != nil {
		return "", nil, err
	}
	u.Path = "/" + name
	return u.String(), func() error { return do("DROP DATABASE " + name + " WITH (FORCE)") }, nil
}

// Home is an installation: a data folder and perhaps a PostgreSQL database. Servers come and go in it.
type Home struct {
	Binary   string
	Dir      string // the data folder is Dir/data, the server's output Dir/log
	Database string // "" means SQLite
	Env      []string
	Flags    []string // more flags of serve
}

// NewHome prepares an installation. A PostgreSQL database is migrated, and its key is made up.
func NewHome(binary, dir, database string) (*Home, error) {
	h := &Home{Binary: binary, Dir: dir, Database: database}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PADDOCK_") {
			h.Env = append(h.Env, v)
		}
	}
	h.Env = append(h.Env, "PADDOCK_DATA="+filepath.Join(dir, "data"))
	if database == "" {
		return h, nil
	}
	key := make([]byte, 32)
	rand.Read(key)
	h.Env = append(h.Env, "PADDOCK_DATABASE="+database, "PADDOCK_SECRET_KEY="+base64.StdEncoding.EncodeToString(key))
	_, err := h.Run("", "migrate")
	return h, err
}

// Run runs a command of the binary with that standard input and returns what it printed on both outputs.
// The error is an *exec.ExitError, with the output in its text, when the command fails.
func (h *Home) Run(stdin string, args ...string) (string, error) {
	cmd := exec.Command(h.Binary, args...)
	cmd.Env = h.Env
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("paddock %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// Account is what `account create` prints, and the credentials it was made with.
type Account struct {
	Account, Profile, Token string
	Email, Password         string
}

// CreateAccount makes an account with its first profile; it works beside a running server. more are further flags.
func (h *Home) CreateAccount(name, plan string, more ...string) (Account, error) {
	a := Account{Email: strings.ToLower(name) + "@example.test", Password: "pass of " + name + " 1!"}
	flags := []string{"account", "create", "--name", name, "--email", a.Email, "--plan", plan, "--password-stdin"}
	cmd := exec.Command(h.Binary, append(flags, more...)...)
	cmd.Env = h.Env
	cmd.Stdin = strings.NewReader(a.Password)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	line, err := cmd.Output()
	if err != nil {
		return a, fmt.Errorf("account create: %w\n%s", err, complaint.Bytes())
	}
	return a, json.Unmarshal(line, &a)
}

// Server is one process of `paddock serve`.
type Server struct {
	URL     string
	Started time.Duration // from the start of the process to its first answer to /readyz
	Client  *http.Client
	cmd     *exec.Cmd
	log     *os.File
	once    sync.Once
	ended   error
	gone    chan struct{}
}

// Serve starts a server on a free port and returns when it is ready, at most half a minute later.
func (h *Home) Serve() (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(h.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "http://" + port, log: log}
	s.Client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	s.cmd = exec.Command(h.Binary, append([]string{"serve", "--listen", port}, h.Flags...)...)
	s.cmd.Env = h.Env
	s.cmd.Stdout, s.cmd.Stderr = log, log
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		log.Close()
		return nil, err
	}
	s.gone = make(chan struct{})
	go s.wait()
	for {
		if answer, err := s.Client.Get(s.URL + "/readyz"); err == nil {
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				s.Started = time.Since(began)
				return s, nil
			}
		}
		select {
		case <-s.gone:
			return nil, fmt.Errorf("serve ended at once: %w\n%s", s.ended, h.tail())
		case <-time.After(2 * time.Millisecond):
		}
		if time.Since(began) > 30*time.Second {
			s.Kill()
			return nil, fmt.Errorf("serve was not ready after 30 seconds\n%s", h.tail())
		}
	}
}

// PID is the number of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Gone is closed when the process has ended, by whatever cause.
func (s *Server) Gone() <-chan struct{} { return s.gone }

// Kill ends the process as a power cut would and waits until it is gone.
func (s *Server) Kill() {
	s.cmd.Process.Signal(syscall.SIGKILL)
	s.wait()
}

// Stop asks the process to end and waits for it. It returns an error unless the process ended with status 0.
func (s *Server) Stop() error {
	s.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(time.Minute, func() { s.cmd.Process.Kill() })
	defer timer.Stop()
	return s.wait()
}

func (s *Server) wait() error {
	s.once.Do(func() {
		s.ended = s.cmd.Wait()
		s.log.Close()
		s.Client.CloseIdleConnections()
		close(s.gone)
	})
	return s.ended
}

// tail is the end of what the servers of this home have printed.
func (h *Home) tail() string {
	b, _ := os.ReadFile(filepath.Join(h.Dir, "log"))
	if len(b) > 4000 {
		b = b[len(b)-4000:]
	}
	return string(b)
}

// Log is all that the servers of this home have printed.
func (h *Home) Log() string {
	b, _ := os.ReadFile(filepath.Join(h.Dir, "log"))
	return string(b)
}

// Refused is an answer that was not 2xx.
type Refused struct {
	Status  int
	Message string
}

func (r *Refused) Error() string { return fmt.Sprintf("%d %s", r.Status, r.Message) }

// Call sends body as JSON (none when nil) and decodes the envelope's result into result (unless nil).
// It returns *Refused when the server answered with another status than 2xx.
func (s *Server) Call(method, path, token string, body, result any) error {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, s.URL+path, payload)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("token", token)
	}
	answer, err := s.Client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	var envelope struct {
		Status  bool
		Message string
		Result  json.RawMessage
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		return fmt.Errorf("%s %s: %d, not JSON: %.200s", method, path, answer.StatusCode, raw)
	}
	if answer.StatusCode/100 != 2 || !envelope.Status {
		return &Refused{answer.StatusCode, envelope.Message}
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(envelope.Result, result)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
