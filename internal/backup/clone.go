package backup

import (
	"context"
	"fmt"

	"paddock/internal/auth"
	"paddock/internal/profile"
)

// Clone makes a profile like another one in the same account, without its data: settings, pictures, policies, devices with
// fresh ids and tokens, dashboards whose widgets name the new devices, and rules. Serial numbers stay with the devices that
// carry them, and the webhook with whoever receives its posts. The faults are those of Import.
func (s *Service) Clone(ctx context.Context, who auth.Caller, p profile.Profile, name string) (Report, error) {
	file, err := s.temp("clone-*")
	if err != nil {
		return Report{}, err
	}
	defer file.Close()
	sum, err := s.Export(ctx, p, ExportOptions{}, file)
	if err != nil {
		return Report{}, err
	}
	a, err := OpenArchive(file, sum.Bytes, "")
	if err != nil {
		return Report{}, fmt.Errorf("read what was written of profile %s: %w", p.ID, err)
	}
	return s.Import(ctx, who, a, ImportOptions{Account: p.Account, Name: name, template: true})
}
