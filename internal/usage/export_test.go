package usage

import (
	"context"

	"paddock/internal/auth"
)

// PostJSON is POST /account/allocation without the wire.
func PostJSON(s *Service, ctx context.Context, who auth.Caller, body []byte) error {
	_, err := s.postAllocation(ctx, who, bodyInput{body})
	return err
}

// PostServices is POST /profile/{id}/services without the wire.
func PostServices(s *Service, ctx context.Context, who auth.Caller, id string, body []byte) error {
	_, err := s.postServices(ctx, who, servicesInput{id, body})
	return err
}
