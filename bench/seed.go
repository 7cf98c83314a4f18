package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"paddock/e2e/server"
)

// Every account owns this many profiles of the crowd.
const perAccount = 200

// seeded are the files with the tokens to send with, one a line.
type seeded struct {
	one   string // devices of a single profile
	crowd string // one device of each of many profiles
}

// seed makes, through the API of a running server, one profile with some devices, and a crowd of profiles with
// one device each. All devices are immutable: a mutable one holds 50,000 points and would soon be full.
func seed(home *server.Home, s *server.Server, dir string, devices, profiles int) (seeded, error) {
	files := seeded{filepath.Join(dir, "one"), filepath.Join(dir, "crowd")}
	single, err := home.CreateAccount("Single", "house")
	if err != nil {
		return files, err
	}
	var tokens []string
	for n := range devices {
		token, err := device(s, single.Token, fmt.Sprintf("device %d", n))
		if err != nil {
			return files, err
		}
		tokens = append(tokens, token)
	}
	if err := os.WriteFile(files.one, []byte(strings.Join(tokens, "\n")+"\n"), 0o600); err != nil {
		return files, err
	}

	accounts := make([]server.Account, (profiles+perAccount-1)/perAccount)
	for a := range accounts {
		if accounts[a], err = home.CreateAccount(fmt.Sprintf("Owner%d", a), "house"); err != nil {
			return files, err
		}
	}
	// Their owners work side by side, so that their writes share commits.
	crowd := make([][]string, len(accounts))
	errs := make([]error, len(accounts))
	slots := make(chan struct{}, 16)
	var all sync.WaitGroup
	for a, account := range accounts {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			crowd[a], errs[a] = furnish(s, account.Token, min(perAccount, profiles-a*perAccount))
		})
	}
	all.Wait()
	tokens = nil
	for a := range accounts {
		if errs[a] != nil {
			return files, errs[a]
		}
		tokens = append(tokens, crowd[a]...)
	}
	return files, os.WriteFile(files.crowd, []byte(strings.Join(tokens, "\n")+"\n"), 0o600)
}

// furnish gives an account that many profiles with a device each, the first profile included, and returns the
// devices' tokens. Its one token of the account moves from profile to profile.
func furnish(s *server.Server, token string, profiles int) ([]string, error) {
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
		deviceToken, err := device(s, token, "device")
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, deviceToken)
	}
	return tokens, nil
}

// device makes an immutable device and returns its token.
func device(s *server.Server, token, name string) (string, error) {
	var made struct{ Token string }
	err := s.Call("POST", "/device", token, map[string]any{
		"name": name, "type": "immutable", "chunk_period": "month", "chunk_retention": 1,
	}, &made)
	return made.Token, err
}
