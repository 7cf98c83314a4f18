package backup

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"sync"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
)

// Routes are the routes of this room.
func (s *Service) Routes() []web.Route { return s.archiveRoutes() }

func (s *Service) archiveRoutes() []web.Route {
	return []web.Route{
		web.Handle("POST /profile/import", "Import a profile's archive, sent as the body, in the background; ask for it by the id that is answered.", auth.OfAccount, s.importRoute,
			web.Upload(s.cfg.ImportMax), web.Status(202)),
		web.Handle("GET /profile/import", "List the latest imports of the account.", auth.OfAccount, s.importsRoute),
		web.Handle("GET /profile/import/{import}", "Show how far an import has come, and what it did.", auth.OfAccount, s.runRoute),
		web.Handle("DELETE /profile/import/{import}", "Cancel an import that is running; nothing of it stays.", auth.OfAccount, s.cancelRoute),
		web.Handle("POST /profile/{id}/clone", "Make a profile like this one, without its data, in the same account.", profile.OfPath, s.cloneRoute),
	}
}

// PassphraseHeader carries the passphrase of an archive: base64 of its UTF-8, since headers are ASCII and URLs are logged.
const PassphraseHeader = "Archive-Passphrase"

type importInput struct {
	Name    string `query:"name" description:"of the new profile; as in the archive when not given"`
	DryRun  bool   `query:"dry_run" description:"say what would happen, and write nothing"`
	Tokens  bool   `query:"device_tokens" description:"devices keep their tokens, when the archive has them"`
	NewIDs  bool   `query:"new_ids" description:"give everything a new id, even where the archive's are free"`
	Request *web.Request
}

type importAnswer struct {
	ID id.Import `json:"id"`
}

func (s *Service) importRoute(ctx context.Context, who auth.Caller, in importInput) (importAnswer, error) {
	if who.AccountID == "" {
		return importAnswer{}, auth.Denied()
	}
	passphrase, err := base64.StdEncoding.DecodeString(in.Request.HTTP.Header.Get(PassphraseHeader))
	if err != nil {
		return importAnswer{}, fault.Field(PassphraseHeader, "must be base64")
	}
	// Before anything is sent: of an account one archive lies on the disk at a time, and few of all together.
	if rs, err := s.Runs(ctx, who.AccountID); err != nil {
		return importAnswer{}, err
	} else if len(rs) > 0 && rs[0].State == Running {
		return importAnswer{}, errImporting
	}
	end, err := s.uploads.begin(who.AccountID)
	if err != nil {
		return importAnswer{}, err
	}
	defer end()
	file, err := s.temp("import-*")
	if err != nil {
		return importAnswer{}, err
	}
	size, err := io.Copy(file, in.Request.HTTP.Body)
	if err != nil {
		return importAnswer{}, errors.Join(err, file.Close())
	}
	run, err := s.StartImport(ctx, who, file, size, string(passphrase), ImportOptions{Account: who.AccountID, Name: in.Name, DryRun: in.DryRun, KeepIDs: !in.NewIDs, Tokens: in.Tokens})
	return importAnswer{run}, err
}

// uploads are the accounts that are sending an archive.
type uploads struct {
	mu sync.Mutex
	of map[id.Account]bool
}

const maxUploads = 4

func (u *uploads) begin(a id.Account) (end func(), err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.of[a]:
		return nil, errImporting
	case len(u.of) >= maxUploads:
		return nil, fault.New(fault.Unavailable, "The server is taking several archives already; try again").After(10 * time.Second)
	case u.of == nil:
		u.of = map[id.Account]bool{}
	}
	u.of[a] = true
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.of, a)
	}, nil
}

func (s *Service) importsRoute(ctx context.Context, who auth.Caller, _ struct{}) ([]Run, error) {
	return s.Runs(ctx, who.AccountID)
}

type runInput struct {
	Import id.Import `path:"import"`
}

func (s *Service) runRoute(ctx context.Context, who auth.Caller, in runInput) (Run, error) {
	return s.Run(ctx, who.AccountID, in.Import)
}

func (s *Service) cancelRoute(ctx context.Context, who auth.Caller, in runInput) (string, error) {
	if err := s.CancelImport(ctx, who, in.Import); err != nil {
		return "", err
	}
	return "Successfully Cancelled", nil
}

type cloneInput struct {
	ID   string `path:"id"`
	Name string `json:"name" required:"true"`
}

func (s *Service) cloneRoute(ctx context.Context, who auth.Caller, in cloneInput) (Report, error) {
	p, err := s.profiles.Owned(ctx, who, in.ID)
	if err != nil {
		return Report{}, err
	}
	if who.Kind == auth.Profile && who.Reach != auth.ReachAccount { // it makes a profile of the account
		return Report{}, auth.LacksReach(who.Reach)
	}
	if in.Name == "" {
		return Report{}, fault.Field("name", "is required")
	}
	return s.Clone(ctx, who, p, in.Name)
}
