package profile

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/picture"
	"paddock/internal/kit/web"
	"paddock/internal/tag"
)

// OfPath is the rule of routes that name a profile in their path: Resolve judges whether it is the caller's.
// A session needs no Profile-Id header there.
var OfPath = auth.Rule{Kinds: []auth.Kind{auth.Session, auth.Profile}}

// Routes are the routes of this room.
func (s *Service) Routes() []web.Route {
	group := web.Group("profile")
	return append(s.logRoutes(), []web.Route{
		web.Handle("POST /account", "Sign up: make an account and its first profile.", auth.Anyone, s.signUp, web.Tags("account")),
		web.Handle("POST /setup", "Make the first account of this server with its one-time setup token, and sign in.", auth.Anyone, s.setUp, web.Tags("account")),

		web.Handle("POST /profile", "Create a profile.", auth.OfAccount, s.add, group),
		web.Handle("PUT /profile/{id}", "Change name, logo, banner, colour, customer reference, soft limits (rpm) and tags of a profile.", OfPath, s.edit, group),
		web.Handle("PUT /profile/{id}/pin", "Keep a profile at the top of the own list of profiles, or no longer; nobody else sees it. For people who have signed in.", auth.SessionOnly, s.pin),
		web.Handle("DELETE /profile/{id}", "Delete a profile; needs the password of its owner, and the code of a second factor. It can be restored for a while unless it is to be purged.", OfPath, s.remove, group),
		web.Handle("POST /profile/{id}/restore", "Bring a deleted profile back; what the account lacks for it is named.", OfPath, s.restore, group),
		web.Handle("POST /profile/{id}/pause", "Block a profile with a reason that every refusal shows.", OfPath, s.pause),
		web.Handle("POST /profile/{id}/resume", "End the pause of a profile.", OfPath, s.resume),

		s.upload("PUT /profile/{id}/logo", Logo),
		s.upload("PUT /profile/{id}/banner", Banner),
		s.takeOff("DELETE /profile/{id}/logo", Logo),
		s.takeOff("DELETE /profile/{id}/banner", Banner),
		s.show("GET /profile/{id}/logo/{name}", Logo),
		s.show("GET /profile/{id}/banner/{name}", Banner),
	}...)
}

type signUpInput struct {
	Name       string  `json:"name" required:"true"`
	Email      string  `json:"email" required:"true"`
	Password   string  `json:"password" required:"true"`
	Confirm    string  `json:"cpassword" description:"the password once more; when given it must be the same"`
	Timezone   string  `json:"timezone" example:"Europe/Berlin"`
	Company    *string `json:"company"`
	Phone      *string `json:"phone"`
	Language   string  `json:"language" example:"en"`
	Newsletter bool    `json:"newsletter"`
	Developer  bool    `json:"developer"`
}

func (in signUpInput) account() account.CreateInput {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return account.CreateInput{Name: in.Name, Email: in.Email, Password: in.Password, Confirm: in.Confirm, Timezone: in.Timezone,
		Company: text(in.Company), Phone: text(in.Phone), Language: in.Language, Newsletter: in.Newsletter, Developer: in.Developer}
}

func (s *Service) signUp(ctx context.Context, who auth.Caller, in signUpInput) (string, error) {
	return s.SignUp(ctx, who, in.account())
}

type setUpInput struct {
	Token    string `json:"token" required:"true"`
	Name     string `json:"name" required:"true"`
	Email    string `json:"email" required:"true"`
	Password string `json:"password" required:"true"`
	Timezone string `json:"timezone" example:"Europe/Berlin"`
	Language string `json:"language" example:"en"`
	Request  *web.Request
}

type setUpResult struct {
	Account id.Account `json:"account"`
	Profile id.Profile `json:"profile"`
}

func (s *Service) setUp(ctx context.Context, who auth.Caller, in setUpInput) (web.Reply, error) {
	// Whether this browser would keep the session is known before the account is made, not after.
	if _, err := in.Request.SessionCookie("probe", 1); err != nil {
		return web.Reply{}, err
	}
	if in.Token == "" {
		return web.Reply{}, fault.Field("token", "must not be empty")
	}
	a, p, err := s.Setup(ctx, who, in.Token, account.CreateInput{Name: in.Name, Email: in.Email, Password: in.Password, Timezone: in.Timezone, Language: in.Language})
	if err != nil {
		return web.Reply{}, err
	}
	value, session, err := s.accounts.StartSession(ctx, a, in.Request.Addr, in.Request.HTTP.UserAgent())
	if err != nil {
		return web.Reply{}, err
	}
	cookie, err := in.Request.SessionCookie(value, int(session.ExpiresAt.Sub(s.clock.Now())/time.Second))
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Result: setUpResult{a.ID, p.ID}, Cookies: []*http.Cookie{cookie}}, nil
}

type addInput struct {
	AllocateFree bool   `query:"allocate_free_resources" description:"give it all that is unallocated of every service"`
	Name         string `json:"name" required:"true"`
	Template     *struct {
		Like id.Profile `json:"like"`
	} `json:"template" description:"start like another profile of the account"`
}

type addResult struct {
	ID id.Profile `json:"id"`
}

func (s *Service) add(ctx context.Context, who auth.Caller, in addInput) (addResult, error) {
	c := CreateInput{Name: in.Name, AllocateFree: in.AllocateFree}
	if in.Template != nil {
		if in.AllocateFree {
			return addResult{}, fault.Field("template", "cannot be given together with allocate_free_resources")
		}
		if !id.Valid(string(in.Template.Like)) {
			return addResult{}, fault.Field("template.like", "must be the id of a profile")
		}
		c.Like = in.Template.Like
	}
	p, err := s.Create(ctx, who, c)
	return addResult{p.ID}, err
}

// editFields come flat or, as the client's types say, below info.
type editFields struct {
	Name      *string         `json:"name"`
	LogoURL   web.Opt[string] `json:"logo_url"`
	BannerURL web.Opt[string] `json:"banner_url"`
	RPM       web.Opt[RPM]    `json:"rpm"`
	Color     web.Opt[string] `json:"color"`
	Reference web.Opt[string] `json:"reference"`
	Tags      *[]tag.Tag      `json:"tags"`
}

type editInput struct {
	ID        string          `path:"id"`
	Name      *string         `json:"name"`
	LogoURL   web.Opt[string] `json:"logo_url"`
	BannerURL web.Opt[string] `json:"banner_url"`
	RPM       web.Opt[RPM]    `json:"rpm" description:"soft limits on requests a minute; null removes both"`
	Color     web.Opt[string] `json:"color" description:"\"#rrggbb\", by which people know the profile; null for none" example:"#2f6f4f"`
	Reference web.Opt[string] `json:"reference" description:"what the owner's books call the customer, of at most 100 characters; null for none"`
	Tags      *[]tag.Tag      `json:"tags" description:"all tags of the profile; at most 30"`
	Info      *editFields     `json:"info"`
	Request   *web.Request
}

func (s *Service) edit(ctx context.Context, who auth.Caller, in editInput) (string, error) {
	f := editFields{in.Name, in.LogoURL, in.BannerURL, in.RPM, in.Color, in.Reference, in.Tags}
	if in.Info != nil {
		if f.Name == nil {
			f.Name = in.Info.Name
		}
		if !f.LogoURL.Set {
			f.LogoURL = in.Info.LogoURL
		}
		if !f.BannerURL.Set {
			f.BannerURL = in.Info.BannerURL
		}
		if !f.RPM.Set {
			f.RPM = in.Info.RPM
		}
		if !f.Color.Set {
			f.Color = in.Info.Color
		}
		if !f.Reference.Set {
			f.Reference = in.Info.Reference
		}
		if f.Tags == nil {
			f.Tags = in.Info.Tags
		}
	}
	up := Update{Name: f.Name, Tags: f.Tags}
	if f.RPM.Set {
		up.RPM = cmp.Or(f.RPM.Ptr(), &RPM{})
	}
	for _, o := range []struct {
		from web.Opt[string]
		to   **string
	}{{f.LogoURL, &up.Logo}, {f.BannerURL, &up.Banner}, {f.Color, &up.Color}, {f.Reference, &up.Reference}} {
		if o.from.Set {
			v := o.from.Or("")
			*o.to = &v
		}
	}
	if _, err := s.Edit(ctx, who, in.ID, up, in.Request.Public); err != nil {
		return "", err
	}
	return "Successfully Updated", nil
}

type pinInput struct {
	ID     string `path:"id"`
	Pinned *bool  `json:"pinned" required:"true"`
}

func (s *Service) pin(ctx context.Context, who auth.Caller, in pinInput) (string, error) {
	if in.Pinned == nil {
		return "", fault.Field("pinned", "must be true or false")
	}
	if err := s.Pin(ctx, who, in.ID, *in.Pinned); err != nil {
		return "", err
	}
	return "Successfully Updated", nil
}

type removeInput struct {
	ID       string `path:"id"`
	Password string `json:"password" required:"true"`
	PinCode  string `json:"pin_code" description:"of the authenticator app, or a recovery code; needed when a second factor is on"`
	OTPType  string `json:"otp_type" description:"authenticator, when given"`
	Purge    bool   `json:"purge" description:"for good at once: without the time in which it can be restored"`
}

func (s *Service) remove(ctx context.Context, who auth.Caller, in removeInput) (string, error) {
	if err := s.Remove(ctx, who, in.ID, account.Proof{Password: in.Password, Code: in.PinCode, Kind: in.OTPType, Addr: who.Addr}, in.Purge); err != nil {
		return "", err
	}
	return "Successfully Removed", nil
}

type pauseInput struct {
	ID     string `path:"id"`
	Reason string `json:"reason" required:"true"`
}

func (s *Service) pause(ctx context.Context, who auth.Caller, in pauseInput) (string, error) {
	if err := s.Pause(ctx, who, in.ID, in.Reason); err != nil {
		return "", err
	}
	return "Profile Successfully Paused", nil
}

type pathInput struct {
	ID string `path:"id"`
}

func (s *Service) resume(ctx context.Context, who auth.Caller, in pathInput) (string, error) {
	if err := s.Resume(ctx, who, in.ID); err != nil {
		return "", err
	}
	return "Profile Successfully Resumed", nil
}

func (s *Service) restore(ctx context.Context, who auth.Caller, in pathInput) (string, error) {
	p := id.Profile(in.ID)
	mine, err := s.wasOwned(ctx, who.AccountID, p)
	switch {
	case err != nil:
		return "", err
	case !mine, who.Kind == auth.Profile && !who.IsOwner():
		return "", NotFound
	case who.Reach != auth.ReachAccount: // it is another profile than the token's own, which is gone
		return "", auth.LacksReach(who.Reach)
	}
	if _, err := s.Restore(ctx, who, p); err != nil {
		return "", err
	}
	return "Profile Successfully Restored", nil
}

type uploadInput struct {
	ID      string `path:"id"`
	Request *web.Request
}

type uploadResult struct {
	URL string `json:"url"`
}

func (s *Service) upload(pattern string, kind Picture) web.Route {
	return web.Handle(pattern, "Set the "+string(kind)+" of a profile: the bytes of a PNG, JPEG or WebP file of at most 2 MB.", OfPath,
		func(ctx context.Context, who auth.Caller, in uploadInput) (uploadResult, error) {
			u, err := s.Upload(ctx, who, in.ID, kind, in.Request.Body)
			if err != nil {
				return uploadResult{}, err
			}
			return uploadResult{*Absolute(in.Request.Public, &u)}, nil
		}, web.MaxBody(picture.MaxBytes))
}

func (s *Service) takeOff(pattern string, kind Picture) web.Route {
	return web.Handle(pattern, "Remove the "+string(kind)+" of a profile.", OfPath,
		func(ctx context.Context, who auth.Caller, in pathInput) (string, error) {
			if err := s.RemovePicture(ctx, who, in.ID, kind); err != nil {
				return "", err
			}
			return "Successfully Removed", nil
		})
}

type showInput struct {
	ID   string `path:"id"`
	Name string `path:"name"`
}

func (s *Service) show(pattern string, kind Picture) web.Route {
	return web.Handle(pattern, "The "+string(kind)+" of a profile, for everybody who knows its address.", auth.Anyone,
		func(ctx context.Context, _ auth.Caller, in showInput) (web.Raw, error) {
			file, err := s.OpenPicture(ctx, in.ID, in.Name, kind)
			if err != nil {
				return web.Raw{}, err
			}
			// A new upload has a new address, so this one never changes.
			return web.Raw{Type: "image/png", From: file, Header: http.Header{"Cache-Control": {"public, max-age=31536000, immutable"}}}, nil
		})
}
