// Package cli runs the command line as a person would: scripts (testdata, in the language of testscript)
// on the real binary. The scripts of testdata/both run on SQLite and on PostgreSQL; those of
// testdata/sqlite and testdata/postgres are about one of them. They read like a manual: start there.
//
// Besides testscript's own commands the scripts have
//
//	port NAME                       sets $NAME to a free address, 127.0.0.1:…
//	ready ADDRESS                   waits until the server there is ready
//	call METHOD URL [TOKEN [FILE]]  sends a request, the file as its JSON body; prints status and body
//	get NAME EXPRESSION             sets $NAME to what the expression's group finds in the last output
//	terminate                       sends SIGTERM to everything in the background
//	sleep                           waits until other nodes and processes have heard of a change (a second)
package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"paddock/e2e/server"
)

func TestSQLite(t *testing.T) {
	run(t, "testdata/both", nil)
	run(t, "testdata/sqlite", nil)
}

func TestPostgres(t *testing.T) {
	fresh := func(env *testscript.Env) error {
		url, drop, err := server.NewDatabase(context.Background(), os.Getenv("TEST_POSTGRES"))
		if err != nil {
			return err
		}
		env.Defer(func() {
			if err := drop(); err != nil {
				env.T().Log("drop the database: ", err)
			}
		})
		key := make([]byte, 32)
		rand.Read(key)
		if dir, err := exec.Command("pg_config", "--bindir").Output(); err == nil { // psql, where it is not on the path
			env.Setenv("PATH", env.Getenv("PATH")+string(os.PathListSeparator)+strings.TrimSpace(string(dir)))
		}
		env.Setenv("PADDOCK_DATABASE", url)
		env.Setenv("PADDOCK_SECRET_KEY", base64.StdEncoding.EncodeToString(key))
		return nil
	}
	run(t, "testdata/both", fresh)
	run(t, "testdata/postgres", fresh)
}

// run runs the scripts of a folder, each in an installation of its own.
func run(t *testing.T, dir string, setup func(*testscript.Env) error) {
	binary, remove, err := server.Binary()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	programs := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(programs, "paddock")); err != nil {
		t.Fatal(err)
	}
	t.Run(filepath.Base(dir), func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir:                dir,
			RequireUniqueNames: true,
			Setup: func(env *testscript.Env) error {
				env.Setenv("PATH", programs+string(os.PathListSeparator)+os.Getenv("PATH"))
				env.Setenv("PADDOCK_DATA", filepath.Join(env.WorkDir, "data"))
				if setup == nil {
					return nil
				}
				return setup(env)
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"port": port, "ready": ready, "call": call, "get": get, "sleep": sleep, "terminate": terminate,
			},
		})
	})
}

func port(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: port NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Check(l.Close())
}

func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready ADDRESS")
	}
	for range 300 {
		answer, err := http.Get("http://" + args[0] + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("no server is ready at %s after 15 seconds", args[0])
}

func call(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 4 {
		ts.Fatalf("usage: call METHOD URL [TOKEN [FILE]]")
	}
	var body io.Reader
	if len(args) == 4 {
		body = bytes.NewReader([]byte(ts.ReadFile(args[3])))
	}
	req, err := http.NewRequest(args[0], args[1], body)
	ts.Check(err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if len(args) > 2 && args[2] != "" {
		req.Header.Set("token", args[2])
	}
	answer, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d %s\n", answer.StatusCode, bytes.TrimSpace(text))
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get NAME EXPRESSION")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("%s is not in the last output", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// terminate asks the servers in the background to end; testscript's kill knows no SIGTERM.
func terminate(ts *testscript.TestScript, _ bool, _ []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}

// sleep waits as long as a change may take to be known everywhere.
func sleep(*testscript.TestScript, bool, []string) { time.Sleep(time.Second) }
