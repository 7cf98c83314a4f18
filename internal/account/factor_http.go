package account

import (
	"context"

	"paddock/internal/auth"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

// codeIn is the part of an input that asks for a password which is the code of a second factor.
type codeIn struct {
	Code string `json:"pin_code" description:"Of the authenticator app, or a recovery code; needed when a second factor is on"`
	Kind string `json:"otp_type" description:"authenticator, when given"`
}

func (in codeIn) proof(password string, who auth.Caller) Proof {
	return Proof{Password: password, Code: in.Code, Kind: in.Kind, Addr: who.Addr}
}

type factorIn struct {
	Type     string `path:"type"`
	Email    string `json:"email" description:"The account's own, when given"`
	Password string `json:"password" required:"true"`
	Code     string `json:"pin_code" description:"Of the authenticator app, or a recovery code"`
}

func (in factorIn) proof(who auth.Caller) Proof {
	return Proof{Password: in.Password, Code: in.Code, Addr: who.Addr}
}

type factorSetup struct {
	Message string   `json:"message"`
	Secret  string   `json:"secret" description:"base32, to type into the app"`
	URL     string   `json:"url" description:"otpauth://…"`
	QR      string   `json:"qr" description:"the url as an SVG picture"`
	Expires web.Time `json:"expires_at"`
}

func (s *Service) enableFactor(ctx context.Context, who auth.Caller, in factorIn) (factorSetup, error) {
	if err := checkKind("type", in.Type); err != nil {
		return factorSetup{}, err
	}
	f, err := s.EnableFactor(ctx, who, in.Email, in.proof(who))
	if err != nil {
		return factorSetup{}, err
	}
	return factorSetup{Message: "Nothing has changed yet. Confirm with a code that the app shows", Secret: f.Secret, URL: f.URL, QR: f.QR, Expires: web.Time(f.Expires)}, nil
}

type confirmFactorIn struct {
	Type string `path:"type"`
	Code string `json:"pin_code" required:"true"`
}

type recoveryOut struct {
	Message string   `json:"message"`
	Codes   []string `json:"recovery_codes" description:"each works once in place of a code; shown in this answer only"`
}

func (s *Service) confirmFactor(ctx context.Context, who auth.Caller, in confirmFactorIn) (recoveryOut, error) {
	if err := checkKind("type", in.Type); err != nil {
		return recoveryOut{}, err
	}
	codes, err := s.ConfirmFactor(ctx, who, in.Code)
	return recoveryOut{"The second factor is on. Keep the recovery codes: they cannot be shown again", codes}, err
}

func (s *Service) disableFactor(ctx context.Context, who auth.Caller, in factorIn) (string, error) {
	if err := checkKind("type", in.Type); err != nil {
		return "", err
	}
	return "The second factor is off", s.DisableFactor(ctx, who, in.Email, in.proof(who))
}

func (s *Service) renewRecovery(ctx context.Context, who auth.Caller, in factorIn) (recoveryOut, error) {
	if err := checkKind("type", in.Type); err != nil {
		return recoveryOut{}, err
	}
	codes, err := s.RenewRecovery(ctx, who, in.proof(who))
	return recoveryOut{"The old recovery codes do not work any more. Keep these: they cannot be shown again", codes}, err
}

type factorOut struct {
	Authenticator factorState `json:"authenticator"`
}

type factorState struct {
	Enabled  bool      `json:"enabled"`
	Since    *web.Time `json:"enabled_at"`
	Recovery int64     `json:"recovery_codes_left"`
}

func (s *Service) getFactor(ctx context.Context, who auth.Caller, _ struct{}) (factorOut, error) {
	f, err := s.Factor(ctx, who.AccountID)
	if err != nil {
		return factorOut{}, err
	}
	out := factorState{Enabled: f.On, Recovery: f.Recovery}
	if f.On {
		out.Since = web.MaybeTime(&f.Since)
	}
	return factorOut{out}, nil
}

type sendCodeIn struct {
	Email    string `json:"email" required:"true"`
	Password string `json:"password" required:"true"`
	Kind     string `json:"otp_type" required:"true"`
}

func (s *Service) sendCode(ctx context.Context, who auth.Caller, in sendCodeIn) (string, error) {
	if _, err := s.CheckPassword(ctx, in.Email, in.Password, who.Addr); err != nil {
		return "", err
	}
	if err := checkKind("otp_type", in.Kind); err != nil {
		return "", err
	}
	return "", fault.Field("otp_type", "nothing is sent for an authenticator: the app shows the code")
}
