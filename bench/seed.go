package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"paddock/e2e/server"
)

// Every account owns this many profiles of the crowd.
const perAccount = 200

// seeded are the files with the tokens to send with, one a line.
type seeded struct {
	one    string // a few devices of one profile
	single string // as many devices of another profile as the crowd has
	crowd  string // the devices of many profiles
}

// seed makes, through the API of a running server, one profile with a few devices, and the same number of
// devices twice: all in one profile, and so many in each of many. All devices are immutable: a mutable one holds 50,000 points and would soon be full.
func seed(home *server.Home, s *server.Server, dir string, devices, profiles, each int) (seeded, error) {
	files := seeded{filepath.Join(dir, "one"), filepath.Join(dir, "single"), filepath.Join(dir, "crowd")}
	for _, list := range []struct {
		file, owner string
		devices     int
	}{{files.one, "Few", devices}, {files.single, "Many", profiles * each}} {
		account, err := home.CreateAccount(list.owner, "house")
		if err != nil {
			return files, err
		}
		tokens, err := sideBySide(list.devices, func(int) ([]string, error) { return device(s, account.Token) })
		if err != nil {
			return files, err
		}
		if err := write(list.file, tokens); err != nil {
			return files, err
		}
	}

	accounts := make([]server.Account, (profiles+perAccount-1)/perAccount)
	for a := range accounts {
		var err error
		if accounts[a], err = home.CreateAccount(fmt.Sprintf("Owner%d", a), "house"); err != nil {
			return files, err
		}
	}
	tokens, err := sideBySide(len(accounts), func(a int) ([]string, error) {
		return furnish(s, accounts[a].Token, min(perAccount, profiles-a*perAccount), each)
	})
	if err != nil {
		return files, err
	}
	return files, write(files.crowd, tokens)
}

// write makes a list of tokens, in an order that has nothing to do with the one in which their devices were made: the
// same each time.
func write(file string, tokens []string) error {
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(tokens), func(i, j int) { tokens[i], tokens[j] = tokens[j], tokens[i] })
	return os.WriteFile(file, []byte(strings.Join(tokens, "\n")+"\n"), 0o600)
}

// sideBySide does n jobs, sixteen at a time so that their writes share commits, and gives what they gave, in
// order; or their errors.
func sideBySide(n int, job func(int) ([]string, error)) ([]string, error) {
	done := make([][]string, n)
	errs := make([]error, n)
	slots := make(chan struct{}, 16)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			done[i], errs[i] = job(i)
		})
	}
	all.Wait()
	return slices.Concat(done...), errors.Join(errs...)
}

// furnish gives an account that many profiles with so many devices each, the first profile included, and returns the
// devices' tokens. Its one token of the account moves from profile to profile.
func furnish(s *server.Server, token string, profiles, each int) ([]string, error) {
	var tokens []string
	for n := range profiles {
		if n > 0 {
			var made struct{ ID string }
			if err := s.Call("POST", "/profile", token, map[string]string{"name": fmt.Sprintf("profile %d", n)}, &made); err != nil {
				return nil, err
			}
			if err := s.Call("PUT", "/profile/switch/"+made.ID, token, nil, nil); err != nil {
				return nil, err
			}
		}
		for range each {
			made, err := device(s, token)
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, made...)
		}
	}
	return tokens, nil
}

// device makes an immutable device and returns its token.
func device(s *server.Server, token string) ([]string, error) {
	var made struct{ Token string }
	err := s.Call("POST", "/device", token, map[string]any{
		"name": "device", "type": "immutable", "chunk_period": "month", "chunk_retention": 1,
	}, &made)
	return []string{made.Token}, err
}
