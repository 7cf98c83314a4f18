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

// StatisticsParams are the parameters of the routes of statistics.
type StatisticsParams = spanInput

// GetStatistics is GET /profile/{id}/statistics without the wire.
func GetStatistics(s *Service, ctx context.Context, who auth.Caller, id string, in StatisticsParams) ([]map[string]any, error) {
	return s.statistics(ctx, who, statisticsInput{ID: id, spanInput: in})
}

// AccountAnswer is what GET /statistics answers.
type AccountAnswer = accountStatistics

// GetAccountStatistics is GET /statistics without the wire.
func GetAccountStatistics(s *Service, ctx context.Context, who auth.Caller, in StatisticsParams) (AccountAnswer, error) {
	return s.accountStatistics(ctx, who, in)
}

var (
	ParseZone = parseZone
	HourOf    = hourOf
)

// DevicesParams are the parameters of GET /profile/{id}/statistics/devices.
type DevicesParams = devicesInput

// DevicesAnswer is what it answers.
type DevicesAnswer = devicesResult

// GetDevices is GET /profile/{id}/statistics/devices without the wire.
func GetDevices(s *Service, ctx context.Context, who auth.Caller, in DevicesParams) (DevicesAnswer, error) {
	return s.deviceStatistics(ctx, who, in)
}

// LimitsParams are the parameters of GET /profile/{id}/statistics/limits.
type LimitsParams = limitsInput

// GetLimits is GET /profile/{id}/statistics/limits without the wire.
func GetLimits(s *Service, ctx context.Context, who auth.Caller, in LimitsParams) ([]LimitStep, error) {
	return s.limitHistory(ctx, who, in)
}
