package sqldb_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"paddock/internal/kit/sqldb"
)

// TestBeside opens one SQLite file many times over, as commands beside a server do: one of them commits round
// after round, the others have a few things to write.
func TestBeside(t *testing.T) {
	ctx := context.Background()
	url := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	open := func() *sqldb.DB {
		db, err := sqldb.Open(ctx, url, sqldb.Options{Readers: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	server := open()
	if err := server.Migrate(ctx, schema); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var load, commands sync.WaitGroup
	for w := range 64 {
		load.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				err := server.Tx(sqldb.As(ctx, fmt.Sprint(w)), func(ctx context.Context) error {
					time.Sleep(50 * time.Microsecond) // as a round with a few statements in it takes, times 64
					_, err := server.Exec(ctx, "INSERT INTO note (id, tenant) VALUES ($1, $2)", w*1_000_000+i, "server")
					return err
				})
				if err != nil {
					t.Errorf("the server: %v", err)
					return
				}
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	const most = 2 * time.Second
	for c := range 16 {
		commands.Go(func() {
			db, err := sqldb.Open(ctx, url, sqldb.Options{Readers: 1})
			if err != nil {
				t.Errorf("command %d: %v", c, err)
				return
			}
			defer db.Close()
			for i := range 3 {
				began := time.Now()
				_, err := db.Exec(ctx, "INSERT INTO note (id, tenant) VALUES ($1, $2)", -1-c*10-i, "command")
				if took := time.Since(began); err != nil || took > most {
					t.Errorf("command %d waited %s for its turn: %v", c, took, err)
					return
				}
			}
		})
	}
	commands.Wait()
	close(stop)
	load.Wait()
	t.Logf("the server wrote %d rows", count(t, server))
}
