package app

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"filippo.io/age"

	"paddock/internal/backup"
)

const (
	passphraseEnv = "PADDOCK_BACKUP_PASSPHRASE"
	maxPassphrase = 4096 // bytes
	maxKeyText    = 64 << 10
)

var errNoPassphrase = errors.New("no passphrase: write it to standard input or into " + passphraseEnv)

// readPassphrase takes the passphrase from the environment, else the first line of standard input. A terminal is asked,
// without showing what is typed.
func readPassphrase(s streams) (string, error) {
	if p, ok := os.LookupEnv(passphraseEnv); ok {
		if p == "" {
			return "", fmt.Errorf("%w (it is empty)", errNoPassphrase)
		}
		return p, nil
	}
	if f, ok := s.in.(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode()&(os.ModeDevice|os.ModeCharDevice) == os.ModeDevice|os.ModeCharDevice && echo(f, false) {
			defer fmt.Fprintln(s.err)
			defer echo(f, true)
			fmt.Fprint(s.err, "Passphrase: ")
		}
	}
	line, err := bufio.NewReader(io.LimitReader(s.in, maxPassphrase+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errNoPassphrase
	}
	return line, nil
}

// echo switches on or off that a terminal shows what is typed; false when f is none.
func echo(f *os.File, on bool) bool {
	cmd := exec.Command("stty", map[bool]string{true: "echo", false: "-echo"}[on])
	cmd.Stdin = f
	return cmd.Run() == nil
}

// sealText writes text so that only who knows the passphrase reads it: `age -d` does, too.
func sealText(w io.Writer, text, passphrase string) error {
	sealed, err := backup.Encrypt(w, passphrase)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(sealed, text); err != nil {
		return err
	}
	return sealed.Close()
}

// openText is the inverse of sealText.
func openText(r io.Reader, passphrase string) (string, error) {
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return "", err
	}
	plain, err := age.Decrypt(r, id)
	if err != nil {
		return "", errors.New("the passphrase does not open the key of this backup")
	}
	text, err := io.ReadAll(io.LimitReader(plain, maxKeyText))
	if err != nil {
		return "", fmt.Errorf("the key of this backup is damaged: %w", err)
	}
	return string(text), nil
}
