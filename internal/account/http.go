package account

import (
	"context"
	"net/http"
	"strings"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/picture"
	"paddock/internal/kit/web"
)

// Routes are those of /account that need no profile, and /session, which is ours. Sign-up, sign-in by
// POST /account/login and the setup are routes of later rooms.
func (s *Service) Routes() []web.Route {
	public := web.Tags("account")
	// Any token of the account's own profiles may read the account; only those that reach it may change it.
	ofOwner := auth.Rule{Kinds: []auth.Kind{auth.Session, auth.Profile}}
	session := web.Tags("session")
	return []web.Route{
		web.Handle("GET /account", "The account of the caller: the owner of a token's profile, who must have made the token.", ofOwner, s.getInfo),
		web.Handle("PUT /account", "Changes name, company, phone, language, timezone, newsletter or some of the options.", auth.OfAccount, s.putInfo),
		web.Handle("DELETE /account", "Deletes the account with all of its profiles. Without the password it deletes nothing and mails a link that asks for confirmation.", auth.OfAccount, s.deleteAccount),
		web.Handle("POST /account/delete", "Deletes an account by the token of the letter that DELETE /account sent.", auth.Anyone, s.postDelete, public),
		web.Handle("POST /account/passwordreset", "Sets the password of the caller and ends the other sessions. A session must give the current password.", auth.OfAccount, s.postPassword),
		web.Handle("PUT /account/picture", "Set the picture of the person: the bytes of a PNG, JPEG or WebP file of at most 2 MB.", auth.OfAccount, s.putPicture, web.MaxBody(picture.MaxBytes)),
		web.Handle("DELETE /account/picture", "Remove the picture of the person.", auth.OfAccount, s.deletePicture),
		web.Handle("GET /account/{id}/picture/{name}", "The picture of a person, for everybody who knows its address.", auth.Anyone, s.getPicture, public),
		web.Handle("GET /account/passwordreset/{email}", "Mails a link that sets a new password. The answer is the same for an unknown e-mail.", auth.Anyone, s.getRecover, public),
		web.Handle("POST /account/recover", "Sets a new password by the token of a recovery letter.", auth.Anyone, s.postRecover, public),
		web.Handle("GET /account/confirm/{token}", "Proves the e-mail of a new account by the token of its letter.", auth.Anyone, s.getConfirm, public),
		web.Handle("GET /account/resend_confirmation/{email}", "Mails another link to an account that is not confirmed. The answer is the same for any e-mail.", auth.Anyone, s.getResend, public),
		web.Handle("GET /account/deletion", "What deleting the account would take: its profiles with what they hold.", auth.OfAccount, s.getDeletion),
		web.Handle("POST /account/deletion", "What the link of a deletion letter would delete, by its token. It deletes nothing.", auth.Anyone, s.postDeletion, public),
		web.Handle("POST /account/email", "Begins to move the account to another e-mail: mails a link to the new address and a notice to the old.", auth.OfAccount, s.postEmail),
		web.Handle("POST /account/email/confirm", "Moves an account to another e-mail by the token of the letter.", auth.Anyone, s.postEmailConfirm, public),

		web.Handle("GET /account/otp", "Whether a second factor is on, since when, and how many recovery codes are left.", auth.OfAccount, s.getFactor),
		web.Handle("POST /account/otp/{type}/enable", "Begins to set a second factor up, against the password: what an authenticator app is given, as text and as a QR code. The only type is authenticator.", auth.OfAccount, s.enableFactor),
		web.Handle("POST /account/otp/{type}/confirm", "Turns the second factor on against a code of the app, and ends the other sessions. The ten recovery codes are in this answer only.", auth.OfAccount, s.confirmFactor),
		web.Handle("POST /account/otp/{type}/disable", "Turns the second factor off, against password and code, and ends the other sessions.", auth.OfAccount, s.disableFactor),
		web.Handle("POST /account/otp/{type}/recovery", "Makes ten new recovery codes in place of the old ones, against password and code.", auth.OfAccount, s.renewRecovery),
		web.Handle("POST /account/login/otp", "Would send the code of a second factor. An authenticator app shows its own, so this is always refused, once the password is right with the reason.", auth.Anyone, s.sendCode, public),

		web.Handle("POST /session", "Signs a browser in: sets the session cookie. With a second factor on it needs the code; without one, the refusal is a JSON text that says so.", auth.Anyone, s.postSession, session),
		web.Handle("GET /session", "Who is signed in, and until when.", auth.SessionOnly, s.getSession, session),
		web.Handle("DELETE /session", "Signs out.", auth.SessionOnly, s.deleteSession, session),
		web.Handle("GET /session/list", "The signed-in browsers of the account, the last used first.", auth.SessionOnly, s.listSessions, session),
		web.Handle("DELETE /session/others", "Signs every other browser of the account out.", auth.SessionOnly, s.deleteOthers, session),
		web.Handle("DELETE /session/{id}", "Signs one browser of the account out.", auth.SessionOnly, s.deleteOne, session),
	}
}

// Info is GET /account. Members that Paddock has no use for keep the client content.
type Info struct {
	ID         id.Account `json:"id"`
	Name       string     `json:"name"`
	Email      string     `json:"email"`
	Active     bool       `json:"active"`
	Blocked    bool       `json:"blocked"`
	Type       string     `json:"type"`
	Plan       string     `json:"plan"`
	Company    *string    `json:"company"`
	Language   string     `json:"language"`
	Timezone   string     `json:"timezone"`
	Phone      *string    `json:"phone"`
	Newsletter bool       `json:"newsletter"`
	Developer  bool       `json:"developer"`
	SendBill   bool       `json:"send_invoice"`
	StripeID   *string    `json:"stripe_id"`
	Options    Options    `json:"options"`
	OTP        OTP        `json:"otp"`
	LastLogin  *web.Time  `json:"last_login"`
	Picture    *string    `json:"picture_url" description:"on this server; null without one"`
	CreatedAt  web.Time   `json:"created_at"`
	UpdatedAt  web.Time   `json:"updated_at"`
}

// OTP says which second factors are on.
type OTP struct {
	Authenticator bool `json:"authenticator"`
	SMS           bool `json:"sms"`
	Email         bool `json:"email"`
}

// Info is the account as clients of TagoIO expect it; its plan is the word that they know.
func (s *Service) Info(a Account) Info {
	plan, ok := s.cfg.Plan(a.Plan)
	if !ok {
		plan = a.Plan // it left the catalogue
	}
	return Info{ID: a.ID, Name: a.Name, Email: a.Email, Active: a.Active, Blocked: a.Blocked, Type: "user", Plan: plan, Company: a.Company,
		Language: a.Language, Timezone: a.Timezone, Phone: a.Phone, Newsletter: a.Newsletter, Developer: a.Developer, Options: a.Options,
		OTP: OTP{Authenticator: a.Factor}, LastLogin: web.MaybeTime(a.LastLogin), Picture: a.PictureURL(), CreatedAt: web.Time(a.CreatedAt), UpdatedAt: web.Time(a.UpdatedAt)}
}

func (s *Service) getInfo(ctx context.Context, who auth.Caller, _ struct{}) (Info, error) {
	// A member's token does not show the owner's account, nor the member's: it speaks for a profile only.
	if who.Kind == auth.Profile && !who.IsOwner() {
		return Info{}, auth.LacksOwner(who.Role)
	}
	a, err := s.Get(ctx, who.AccountID)
	if err != nil {
		return Info{}, err
	}
	return s.Info(a), nil
}

type putInfoIn struct {
	Name       *string         `json:"name"`
	Email      *string         `json:"email" description:"Only as it is; POST /account/email changes it"`
	Company    web.Opt[string] `json:"company"`
	Phone      web.Opt[string] `json:"phone"`
	Language   *string         `json:"language"`
	Timezone   *string         `json:"timezone"`
	Newsletter *bool           `json:"newsletter"`
	Options    OptionsUpdate   `json:"options"`
}

func (s *Service) putInfo(ctx context.Context, who auth.Caller, in putInfoIn) (string, error) {
	if in.Email != nil { // clients may send the whole account back
		a, err := s.Get(ctx, who.AccountID)
		if err != nil {
			return "", err
		}
		if !strings.EqualFold(strings.TrimSpace(*in.Email), a.Email) {
			return "", fault.Field("email", "cannot be changed here; use POST /account/email with the password")
		}
	}
	_, err := s.Update(ctx, who, Update{Name: in.Name, Company: in.Company, Phone: in.Phone, Language: in.Language, Timezone: in.Timezone,
		Newsletter: in.Newsletter, Options: in.Options})
	return "Account Successfully Updated", err
}

type deleteIn struct {
	Password string `json:"password" description:"Deletes at once when right; without it a link is mailed"`
	codeIn
	Request *web.Request
}

func (s *Service) deleteAccount(ctx context.Context, who auth.Caller, in deleteIn) (web.Reply, error) {
	deleted, err := s.Delete(ctx, who, in.proof(in.Password, who))
	if err != nil {
		return web.Reply{}, err
	}
	if !deleted {
		return web.Reply{Result: "Nothing has been deleted yet. Confirm by the link in the letter that we sent you"}, nil
	}
	r := web.Reply{Result: "Account Successfully Deleted"}
	if who.Kind == auth.Session {
		r.Cookies = endCookie(in.Request)
	}
	return r, nil
}

// endCookie takes the cookie from a browser. A browser that would not keep one has none to take.
func endCookie(r *web.Request) []*http.Cookie {
	c, err := r.SessionCookie("", 0)
	if err != nil {
		return nil
	}
	return []*http.Cookie{c}
}

type tokenIn struct {
	Token string `json:"token" required:"true"`
}

func (in tokenIn) Validate() error {
	if in.Token == "" {
		return fault.Field("token", "must not be empty")
	}
	return nil
}

type confirmDeleteIn struct {
	tokenIn
	Code string `json:"pin_code" description:"Of the second factor, if one is on"`
}

func (s *Service) postDelete(ctx context.Context, who auth.Caller, in confirmDeleteIn) (string, error) {
	return "Account Successfully Deleted", s.ConfirmDelete(ctx, stranger(who), in.Token, in.Code)
}

// stranger is the caller of a route that a link admits: whatever credential came along has no part in it.
func stranger(who auth.Caller) auth.Caller {
	return auth.Caller{Kind: auth.Anonymous, Addr: who.Addr}
}

type passwordIn struct {
	Password string `json:"password" required:"true"`
	Current  string `json:"current_password" description:"Required from a session"`
}

func (s *Service) postPassword(ctx context.Context, who auth.Caller, in passwordIn) (string, error) {
	return "Password Successfully Changed", s.ChangePassword(ctx, who, in.Password, in.Current)
}

type emailPath struct {
	Email string `path:"email"`
}

func (s *Service) getRecover(ctx context.Context, who auth.Caller, in emailPath) (string, error) {
	return "If this e-mail has an account, a letter with a link is on its way to it", s.Recover(ctx, stranger(who), in.Email)
}

func (s *Service) getResend(ctx context.Context, who auth.Caller, in emailPath) (string, error) {
	return "If this e-mail has an account that waits for confirmation, a letter with a link is on its way to it", s.ResendConfirmation(ctx, stranger(who), in.Email)
}

type recoverIn struct {
	Token    string `json:"token" required:"true"`
	Password string `json:"password" required:"true"`
}

func (s *Service) postRecover(ctx context.Context, who auth.Caller, in recoverIn) (string, error) {
	if in.Token == "" {
		return "", fault.Field("token", "must not be empty")
	}
	return "Password Successfully Changed", s.ResetPassword(ctx, stranger(who), in.Token, in.Password)
}

type tokenPath struct {
	Token string `path:"token"`
}

func (s *Service) getConfirm(ctx context.Context, who auth.Caller, in tokenPath) (string, error) {
	return "Account Successfully Confirmed", s.Confirm(ctx, stranger(who), in.Token)
}

type emailIn struct {
	Email    string `json:"email" required:"true"`
	Password string `json:"password" required:"true"`
}

func (s *Service) postEmail(ctx context.Context, who auth.Caller, in emailIn) (string, error) {
	return "Nothing has changed yet. Confirm by the link in the letter that we sent to the new address", s.ChangeEmail(ctx, who, in.Email, in.Password)
}

func (s *Service) postEmailConfirm(ctx context.Context, who auth.Caller, in tokenIn) (string, error) {
	return "E-mail Successfully Changed", s.ConfirmEmail(ctx, stranger(who), in.Token)
}

type signInIn struct {
	Email    string `json:"email" required:"true"`
	Password string `json:"password" required:"true"`
	codeIn
	Request *web.Request
}

// SessionInfo is GET /session.
type SessionInfo struct {
	ID         id.Session `json:"id"`
	Current    bool       `json:"current"`
	Addr       string     `json:"address"`
	Agent      string     `json:"agent"`
	CreatedAt  web.Time   `json:"created_at"`
	LastUsedAt web.Time   `json:"last_used_at"`
	ExpiresAt  web.Time   `json:"expires_at"`
}

// SignedIn is what a browser is told about itself.
type SignedIn struct {
	Session  SessionInfo `json:"session"`
	Account  Info        `json:"account"`
	Plan     string      `json:"plan"` // as this server calls it; account.plan is the word that clients know
	Operator bool        `json:"operator"`
}

func sessionInfo(x Session, current id.Session) SessionInfo {
	return SessionInfo{ID: x.ID, Current: x.ID == current, Addr: x.Addr, Agent: x.Agent, CreatedAt: web.Time(x.CreatedAt),
		LastUsedAt: web.Time(x.LastUsedAt), ExpiresAt: web.Time(x.ExpiresAt)}
}

func (s *Service) signedIn(x Session, a Account) SignedIn {
	return SignedIn{Session: sessionInfo(x, x.ID), Account: s.Info(a), Plan: a.Plan, Operator: a.Operator}
}

func (s *Service) postSession(ctx context.Context, who auth.Caller, in signInIn) (web.Reply, error) {
	// Asked before the password: a page of another site must not even guess.
	if _, err := in.Request.SessionCookie("x", 1); err != nil {
		return web.Reply{}, err
	}
	a, err := s.ProveByEmail(ctx, in.Email, in.proof(in.Password, who))
	if err != nil {
		return web.Reply{}, err
	}
	var value string
	var x Session
	err = s.db.Tx(ctx, func(ctx context.Context) error {
		// The session that this browser had ends, whoever's it was: somebody may have put that cookie there to wait
		// for it to become worth something.
		if who.Kind == auth.Session {
			if err := s.EndSession(ctx, who, who.SessionID); err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
		}
		var err error
		value, x, err = s.StartSession(ctx, a, who.Addr, in.Request.HTTP.UserAgent())
		return err
	})
	if err != nil {
		return web.Reply{}, err
	}
	if a, err = s.Get(ctx, a.ID); err != nil {
		return web.Reply{}, err
	}
	c, err := in.Request.SessionCookie(value, int(s.cfg.SessionMax/time.Second))
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Result: s.signedIn(x, a), Cookies: []*http.Cookie{c}}, nil
}

func (s *Service) getSession(ctx context.Context, who auth.Caller, _ struct{}) (SignedIn, error) {
	a, err := s.Get(ctx, who.AccountID)
	if err != nil {
		return SignedIn{}, err
	}
	x, err := s.sessionByID(ctx, who.AccountID, who.SessionID)
	if fault.Is(err, fault.NotFound) { // ended a moment ago
		err = auth.Denied()
	}
	if err != nil {
		return SignedIn{}, err
	}
	x.LastUsedAt = s.clock.Now() // this request
	return s.signedIn(x, a), nil
}

type requestIn struct{ Request *web.Request }

func (s *Service) deleteSession(ctx context.Context, who auth.Caller, in requestIn) (web.Reply, error) {
	if err := s.EndSession(ctx, who, who.SessionID); err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Result: "Signed out", Cookies: endCookie(in.Request)}, nil
}

func (s *Service) listSessions(ctx context.Context, who auth.Caller, _ struct{}) ([]SessionInfo, error) {
	list, err := s.Sessions(ctx, who)
	if err != nil {
		return nil, err
	}
	out := make([]SessionInfo, len(list))
	for i, x := range list {
		out[i] = sessionInfo(x, who.SessionID)
	}
	return out, nil
}

func (s *Service) deleteOthers(ctx context.Context, who auth.Caller, _ struct{}) (string, error) {
	return "Other sessions ended", s.EndOthers(ctx, who)
}

type sessionPath struct {
	ID id.Session `path:"id"`
}

func (s *Service) deleteOne(ctx context.Context, who auth.Caller, in sessionPath) (string, error) {
	return "Session ended", s.EndSession(ctx, who, in.ID)
}
