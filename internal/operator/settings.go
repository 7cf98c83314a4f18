package operator

import (
	"context"

	"paddock/internal/auth"
)

// Setting is a setting of the server as it is in force. A secret has no value here, wherever it came from.
type Setting struct {
	Name    string `json:"name" description:"the flag, without dashes"`
	Env     string `json:"env" description:"the variable; empty for one that has none"`
	Value   string `json:"value" description:"empty when unset; passwords in it are masked"`
	Default string `json:"default" description:"empty when there is none"`
	Source  string `json:"source" enum:"default,env,flag,file" description:"where the value comes from"`
	Secret  bool   `json:"secret" description:"its value is never shown"`
	Set     bool   `json:"set" description:"it has a value"`
	Meaning string `json:"meaning"`
	Line    string `json:"line" description:"the line that sets it so, for the environment of the server; without the value of a secret"`
}

func (s *Service) getSettings(_ context.Context, who auth.Caller, _ struct{}) ([]Setting, error) {
	if err := operator(who); err != nil {
		return nil, err
	}
	return append([]Setting{}, s.cfg.Settings...), nil
}
