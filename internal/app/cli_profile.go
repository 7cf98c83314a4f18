package app

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"paddock/internal/auth"
	"paddock/internal/backup"
	"paddock/internal/id"
)

type profileCmd struct {
	Export profileExportCmd `cmd:"" help:"Write a profile to an archive; prints one line of JSON."`
	Import profileImportCmd `cmd:"" help:"Make a profile of an archive, on this or another server than it came from; prints one line of JSON."`
	Clone  profileCloneCmd  `cmd:"" help:"Make a profile like another one in the same account, without its data; prints one line of JSON."`
}

type profileExportCmd struct {
	Store           `embed:""`
	ID              string `arg:"" help:"Id of the profile."`
	File            string `arg:"" help:"Where to write the archive, - for standard output. A file that is there is replaced once the archive is whole."`
	NoData          bool   `name:"no-data" help:"Leave the points out."`
	DeviceTokens    bool   `name:"device-tokens" help:"Put the secrets of device tokens in, so that devices go on wherever it is imported. Needs a passphrase, or --unencrypted."`
	PassphraseStdin bool   `name:"passphrase-stdin" help:"Encrypt to a passphrase, from PADDOCK_BACKUP_PASSPHRASE or the first line of standard input."`
	Unencrypted     bool   `help:"Write the secrets of device tokens in the clear."`
}

func (c *profileExportCmd) Run(ctx context.Context, s streams) error {
	if c.DeviceTokens && !c.PassphraseStdin && !c.Unencrypted {
		return errors.New("--device-tokens writes secrets: encrypt the archive by --passphrase-stdin, or say --unencrypted")
	}
	passphrase := ""
	if c.PassphraseStdin {
		var err error
		if passphrase, err = readPassphrase(s); err != nil {
			return err
		}
		if err := backup.CheckPassphrase(passphrase); err != nil {
			return err
		}
	}
	return with(ctx, c.Store, s, func(a *App) error {
		p, err := a.profiles.Get(ctx, id.Profile(c.ID))
		if err != nil {
			return err
		}
		report := s.out
		if c.File == "-" {
			report = s.err
		}
		var sum backup.Summary
		if err := writeWhole(c.File, s.out, func(w io.Writer) (err error) {
			o := backup.ExportOptions{Data: !c.NoData, Tokens: c.DeviceTokens}
			sum, err = a.backups.ExportTo(ctx, p, o, passphrase, w)
			return err
		}); err != nil {
			return err
		}
		if err := a.backups.Exported(ctx, auth.SystemCaller(), p, sum); err != nil {
			return err
		}
		return json.NewEncoder(report).Encode(map[string]any{"profile": p.ID, "counts": sum.Counts, "bytes": sum.Bytes, "encrypted": passphrase != ""})
	})
}

// writeWhole writes a file that is there when it is whole, or not at all; "-" is out.
func writeWhole(name string, out io.Writer, f func(io.Writer) error) error {
	if name == "-" {
		b := bufio.NewWriterSize(out, 64<<10)
		if err := f(b); err != nil {
			return err
		}
		return b.Flush()
	}
	part := name + ".part"
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(file, 64<<10)
	err = f(b)
	if err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return nil
}

type profileImportCmd struct {
	Store           `embed:""`
	File            string `arg:"" help:"The archive."`
	Account         string `required:"" help:"E-mail of the account that is to own the profile." placeholder:"EMAIL"`
	Name            string `help:"Name of the profile; as in the archive when not given."`
	DryRun          bool   `name:"dry-run" help:"Say what would happen, and write nothing."`
	DeviceTokens    bool   `name:"device-tokens" help:"Devices keep their tokens, when the archive has them. Otherwise each gets a fresh one."`
	NewIDs          bool   `name:"new-ids" help:"Give everything a new id, even where those of the archive are free."`
	PassphraseStdin bool   `name:"passphrase-stdin" help:"Open an encrypted archive by a passphrase, from PADDOCK_BACKUP_PASSPHRASE or the first line of standard input."`
}

func (c *profileImportCmd) Run(ctx context.Context, s streams) error {
	passphrase := ""
	if c.PassphraseStdin {
		var err error
		if passphrase, err = readPassphrase(s); err != nil {
			return err
		}
	}
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return with(ctx, c.Store, s, func(a *App) error {
		acc, err := a.accounts.ByEmail(ctx, c.Account)
		if err != nil {
			return err
		}
		archive, err := backup.OpenArchive(file, info.Size(), passphrase)
		if err != nil {
			return err
		}
		rep, err := a.backups.Import(ctx, auth.SystemCaller(), archive, backup.ImportOptions{Account: acc.ID, Name: c.Name, DryRun: c.DryRun,
			KeepIDs: !c.NewIDs, Tokens: c.DeviceTokens})
		if err != nil {
			return err
		}
		return json.NewEncoder(s.out).Encode(rep)
	})
}

type profileCloneCmd struct {
	Store `embed:""`
	ID    string `arg:"" help:"Id of the profile."`
	Name  string `help:"Name of the new one." placeholder:"NAME"`
}

func (c *profileCloneCmd) Run(ctx context.Context, s streams) error {
	return with(ctx, c.Store, s, func(a *App) error {
		p, err := a.profiles.Get(ctx, id.Profile(c.ID))
		if err != nil {
			return err
		}
		rep, err := a.backups.Clone(ctx, auth.SystemCaller(), p, cmp.Or(c.Name, fmt.Sprintf("Copy of %.80s", p.Name)))
		if err != nil {
			return err
		}
		return json.NewEncoder(s.out).Encode(rep)
	})
}
