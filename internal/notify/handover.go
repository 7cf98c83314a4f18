package notify

import (
	"context"
	"fmt"

	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
	"paddock/internal/profile"
)

// aside is where the webhook of a profile is kept that a former owner had set, should the profile come back.
func aside(p id.Profile, owner id.Account) string { return "aside/" + string(p) + "/" + string(owner) }

// handedOver ends what is posted about a profile to where its former owner wanted it, and brings back what the new owner had set
// when the profile was theirs before. It is a profile.HandoverHook.
func (s *Service) handedOver(ctx context.Context, who auth.Caller, h profile.Handover) error {
	p := h.Profile.ID
	gone, err := s.moveHook(ctx, ofProfile(p), aside(p, h.Profile.Account))
	if err != nil {
		return err
	}
	if gone != nil {
		if err := s.audit.Write(ctx, who, audit.Event{Profile: p, Resource: "notify", Message: "Webhook ended with the change of owner", Before: map[string]any{"origin": origin(gone.url)}}); err != nil {
			return err
		}
	}
	back, err := s.moveHook(ctx, aside(p, h.To), ofProfile(p))
	if err != nil || back == nil {
		return err
	}
	return s.audit.Write(ctx, who, audit.Event{Profile: p, Resource: "notify", Message: "Webhook holds again, as its owner had set it before", After: map[string]any{"origin": origin(back.url)}})
}

// moveHook gives a webhook another subject, to which its secret is bound anew. It returns nil when there was none.
func (s *Service) moveHook(ctx context.Context, from, to string) (*hook, error) {
	h, ok, err := s.findHook(ctx, from)
	if err != nil || !ok {
		return nil, err
	}
	sealed := ""
	if h.sealed != "" {
		secret, err := s.sealer.Open(h.sealed, about(from))
		if err != nil {
			return nil, fmt.Errorf("webhook of %s: %w", from, err)
		}
		sealed = s.sealer.Seal(secret, about(to))
	}
	if _, err := s.db.Exec(ctx, `DELETE FROM webhook WHERE subject = $1`, to); err != nil {
		return nil, err
	}
	_, err = s.db.Exec(ctx, `UPDATE webhook SET subject = $1, sealed = $2 WHERE subject = $3`, to, sealed, from)
	return &h, err
}

// forgetAside deletes webhooks kept for former owners: of a profile that is purged, or of an account that is deleted.
func (s *Service) forgetAside(ctx context.Context, p id.Profile, owner id.Account) error {
	like := "aside/" + string(p) + "/%"
	if owner != "" {
		like = "aside/%/" + string(owner)
	}
	_, err := s.db.Exec(sqldb.As(ctx, p), `DELETE FROM webhook WHERE subject LIKE $1`, like)
	return err
}
