package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
)

// Record is a profile's own webhook as its archive keeps it (docs/archive.md): without the secret, which its receiver
// checks this server by.
type Record struct {
	URL   string        `json:"url"` // "" when the profile wants none although its account has one
	Kinds map[Kind]bool `json:"kinds"`
}

// Export is the webhook of a profile, and whether there is one.
func (s *Service) Export(ctx context.Context, p id.Profile) (Record, bool, error) {
	h, ok, err := s.findHook(ctx, ofProfile(p))
	return Record{URL: h.url, Kinds: maps.Clone(map[Kind]bool(h.kinds))}, ok, err
}

// Check returns Invalid for an address or a kind that this server does not post to.
func (s *Service) Check(r Record) error {
	if err := s.checkURL(r.URL, true); err != nil {
		return err
	}
	sent := make(map[Kind]*bool, len(r.Kinds))
	for k, on := range r.Kinds {
		sent[k] = &on
	}
	if _, err := (Choices{}).change("kinds", sent); err != nil {
		return fault.Field("kinds", "%s", fault.Of(err).Message)
	}
	return nil
}

// Import sets the webhook of a profile in the making, in the transaction of ctx, with a secret of its own that nobody has
// seen: whoever receives the posts asks for another one first.
func (s *Service) Import(ctx context.Context, p id.Profile, r Record) error {
	now := s.now()
	h := hook{subject: ofProfile(p), url: r.URL, created: now, updated: now}
	if h.url != "" {
		h.sealed = s.sealer.Seal(newSecret(), about(h.subject))
	}
	kinds, err := json.Marshal(r.Kinds)
	if err != nil {
		return err
	}
	if _, err := s.db.Exec(ctx, `INSERT INTO webhook (subject, url, sealed, kinds, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		h.subject, h.url, h.sealed, string(kinds), h.created, h.updated); err != nil {
		return fmt.Errorf("write a webhook: %w", err)
	}
	return nil
}
