package team

import (
	"context"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/profile"
	"paddock/internal/tag"
)

// Routes are the routes of this room, and two that list what an account owns together with what it was given.
func (s *Service) Routes() []web.Route {
	tags, staff := web.Tags("team"), web.Tags("staff")
	// Whoever may let people in, or read a link that does, can have more than a token that is not full: so it takes one.
	full, fullOfAccount := profile.OfPath.Deleting(), auth.OfAccount.Deleting()
	return []web.Route{
		web.Handle("POST /account/login", "Check e-mail, password and the code of a second factor and list the profiles the account may act in.", auth.Anyone, s.login, web.Tags("account")),
		web.Handle("GET /profile", "List the profiles the caller may act in; those of others are marked from_share.", profile.OfPath, s.list, web.Tags("profile")),

		web.Handle("GET /profile/{id}/team", "List the team of a profile, without its owner. Developers see no invitations, viewers only themselves.", profile.OfPath, s.getTeam, tags),
		web.Handle("POST /profile/{id}/team", "Invite a person by e-mail. Owner and admins may; the answer is the same for every address.", full, s.postTeam, tags),
		web.Handle("PUT /profile/{id}/team/{account}", "Change role, restriction and end of a membership. Owner and admins may.", full, s.putMemberRoute, tags),
		web.Handle("DELETE /profile/{id}/team/{account}", "Remove a member, or withdraw an invitation by its id. Owner and admins may.", profile.OfPath, s.deleteTeam, tags),
		web.Handle("GET /profile/{id}/team/{account}/ends", "What ends when a person leaves or is removed: for owner, admins and, as current, that person.", profile.OfPath, s.getEnds, tags),
		web.Handle("GET /profile/{id}/team/{account}/link", "The link of an invitation that waits, to be passed on by hand. It does not prove who opens it. Owner and admins may.", full, s.getLink, tags),
		web.Handle("POST /profile/{id}/leave", "Leave a profile that somebody else owns; needs the password. Staff leave all of that owner's.", full, s.postLeave, tags),

		web.Handle("GET /profile/team/accept/{token}", "Accept an invitation by the secret of its mail.", auth.Anyone, s.getAccept, tags),
		web.Handle("GET /profile/team/decline/{token}", "Decline an invitation.", auth.Anyone, s.getDecline, tags),
		web.Handle("GET /team/invitation/{token}", "Show an invitation to whoever holds its link; changes nothing.", auth.Anyone, s.getInvitation, tags),
		web.Handle("POST /team/invitation/{token}/accept", "Accept an invitation. A person without an account gives name and password and becomes a guest, who owns no profile.", auth.Anyone, s.postAccept, tags),
		web.Handle("POST /team/invitation/{token}/decline", "Decline an invitation.", auth.Anyone, s.postDecline, tags),
		web.Handle("POST /team/invitation/{token}/ask", "Ask whoever sent an invitation that is over for a new one. The answer is the same for every token.", auth.Anyone, s.postAsk, tags),

		web.Handle("GET /account/staff", "List the people who are in the teams of all profiles of the account, or of those with a tag.", auth.OfAccount, s.getStaff, staff),
		web.Handle("POST /account/staff", "Invite a person into all profiles of the account, or those with one of some tags.", fullOfAccount, s.postStaff, staff),
		web.Handle("PUT /account/staff/{account}", "Change role, tags and end of a staff member.", fullOfAccount, s.putStaffRoute, staff),
		web.Handle("DELETE /account/staff/{account}", "Remove a person from all profiles of the account at once, or withdraw an invitation by its id. Answers what ended.", auth.OfAccount, s.deleteStaffRoute, staff),
		web.Handle("GET /account/staff/{account}/ends", "What ends when a person is removed from all profiles of the account.", auth.OfAccount, s.getStaffEnds, staff),
		web.Handle("GET /account/staff/{account}/link", "The link of a staff invitation that waits, to be passed on by hand.", fullOfAccount, s.getStaffLink, staff),
	}
}

type loginInput struct {
	Email    string `json:"email" required:"true"`
	Password string `json:"password" required:"true"`
	PinCode  string `json:"pin_code" description:"of the authenticator app, or a recovery code; needed when a second factor is on"`
	OTPType  string `json:"otp_type" description:"authenticator, when given"`
	Request  *web.Request
}

type loginProfile struct {
	ID        id.Profile `json:"id"`
	Account   id.Account `json:"account"`
	Name      string     `json:"name"`
	LogoURL   *string    `json:"logo_url"`
	FromShare bool       `json:"from_share"`
	Role      auth.Role  `json:"role"`
}

type loginResult struct {
	Type     string         `json:"type"`
	ID       id.Account     `json:"id"`
	Email    string         `json:"email"`
	Company  *string        `json:"company"`
	Name     string         `json:"name"`
	Phone    *string        `json:"phone"`
	Profiles []loginProfile `json:"profiles"`
}

func (s *Service) login(ctx context.Context, _ auth.Caller, in loginInput) (loginResult, error) {
	a, err := s.accounts.Login(ctx, in.Email, account.Proof{Password: in.Password, Code: in.PinCode, Kind: in.OTPType, Addr: in.Request.Addr})
	if err != nil {
		return loginResult{}, err
	}
	ps, err := s.Reachable(ctx, a.ID)
	if err != nil {
		return loginResult{}, err
	}
	out := loginResult{Type: "user", ID: a.ID, Email: a.Email, Company: a.Company, Name: a.Name, Phone: a.Phone, Profiles: []loginProfile{}}
	for _, p := range ps {
		out.Profiles = append(out.Profiles, loginProfile{ID: p.ID, Account: p.Account, Name: p.Name, LogoURL: profile.Absolute(in.Request.Public, p.LogoURL),
			FromShare: p.Account != a.ID, Role: p.Role})
	}
	return out, nil
}

type requestInput struct {
	Request *web.Request
}

// listRow is a profile in a list. The client knows an owned one by the absence of from_share.
type listRow struct {
	ID        id.Profile  `json:"id"`
	Account   *id.Account `json:"account,omitempty" description:"the owner, of a shared profile"`
	Profile   *id.Profile `json:"profile,omitempty" description:"the id once more, of a shared profile"`
	Name      string      `json:"name"`
	LogoURL   *string     `json:"logo_url"`
	Paused    bool        `json:"paused"`
	Color     *string     `json:"color" description:"#rrggbb, by which people know it; null for none"`
	Reference *string     `json:"reference" description:"what the owner's books call the customer; null for none"`
	Pinned    bool        `json:"pinned" description:"the caller keeps it at the top of the list"`
	Tags      []tag.Tag   `json:"tags"`
	Role      auth.Role   `json:"role" description:"the caller's in the profile"`
	FromShare bool        `json:"from_share,omitempty"`
	Owner     string      `json:"owner,omitempty" description:"the name of the owner, of a shared profile"`
	Look      *lookRow    `json:"look,omitempty" description:"the caller is there as an operator, for a while"`
}

type lookRow struct {
	ID     id.Look  `json:"id"`
	Owner  string   `json:"owner" description:"the name of the profile's owner"`
	Reason string   `json:"reason"`
	Until  web.Time `json:"until"`
}

func (s *Service) list(ctx context.Context, who auth.Caller, in requestInput) ([]listRow, error) {
	var ps []Shared
	var err error
	if who.Kind == auth.Profile && who.Reach != auth.ReachAccount {
		var p profile.Profile
		p, err = s.profiles.Get(ctx, who.ProfileID)
		ps = []Shared{{p, auth.Grant{Owner: p.Account, Role: who.Role, Within: who.Within}}}
	} else {
		ps, err = s.Reachable(ctx, who.AccountID)
	}
	if err != nil {
		return nil, err
	}
	pins, err := s.profiles.Pins(ctx, who)
	if err != nil {
		return nil, err
	}
	shown := func(p profile.Profile, role auth.Role) listRow {
		return listRow{ID: p.ID, Name: p.Name, LogoURL: profile.Absolute(in.Request.Public, p.LogoURL), Paused: p.Paused, Color: profile.Maybe(p.Color),
			Reference: profile.Maybe(p.Reference), Pinned: pins[p.ID], Tags: p.Tags, Role: role}
	}
	out := make([]listRow, 0, len(ps))
	for _, p := range ps {
		row := shown(p.Profile, p.Role)
		if p.Account != who.AccountID {
			row.Account, row.Profile, row.FromShare = &p.Account, &p.ID, true
			owner, err := s.accounts.Get(ctx, p.Account)
			if err != nil {
				return nil, err
			}
			row.Owner = owner.Name
		}
		out = append(out, row)
	}
	if !who.Operator || who.Kind != auth.Session {
		return out, nil
	}
	looks, err := s.profiles.LooksBy(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	for _, l := range looks {
		p, err := s.profiles.Get(ctx, l.Profile)
		if err != nil {
			return nil, err
		}
		owner, err := s.accounts.Get(ctx, p.Account)
		if err != nil {
			return nil, err
		}
		row := shown(p, auth.Viewer)
		row.Account, row.Profile, row.FromShare, row.Owner, row.Look = &p.Account, &p.ID, true, owner.Name, &lookRow{l.ID, owner.Name, l.Reason, web.Millis(l.Until)}
		out = append(out, row)
	}
	return out, nil
}

// Reachable lists the profiles an account may act in: its own, oldest first, then those that others share with it.
func (s *Service) Reachable(ctx context.Context, a id.Account) ([]Shared, error) {
	own, err := s.profiles.List(ctx, a)
	if err != nil {
		return nil, err
	}
	shared, err := s.SharedWith(ctx, a)
	if err != nil {
		return nil, err
	}
	out := make([]Shared, 0, len(own)+len(shared))
	for _, p := range own {
		out = append(out, Shared{p, auth.Grant{Owner: a, Role: auth.Owner}})
	}
	return append(out, shared...), nil
}

type pathInput struct {
	ID string `path:"id"`
}

// personRow is a row of a team's list. The client knows the first five.
type personRow struct {
	ID        string       `json:"id" description:"of the account; of an invitation, its own"`
	Name      string       `json:"name" description:"empty for an invitation"`
	Email     string       `json:"email"`
	Picture   *string      `json:"picture_url" description:"on this server; null without one"`
	Active    bool         `json:"active" description:"may act in the profile now"`
	CreatedAt web.Time     `json:"created_at"`
	Pending   bool         `json:"pending" description:"an invitation that waits for an answer"`
	Role      auth.Role    `json:"role"`
	Within    *auth.Within `json:"within" description:"the part of the profile that the person sees; null for all"`
	ExpiresAt *web.Time    `json:"expires_at" description:"when the membership ends, or an invitation; null for never"`
	Staff     bool         `json:"staff" description:"reaches the profile as staff of its owner"`
	Direct    bool         `json:"direct" description:"has a membership of this profile"`
	Look      *string      `json:"look" description:"why an operator of the server looks into the profile until expires_at; null for the team itself"`
}

func maybe(ms int64) *web.Time {
	if ms == 0 {
		return nil
	}
	return web.MaybeMillis(&ms)
}

func rowOf(p Person) personRow {
	row := personRow{ID: p.ID, Name: p.Name, Email: p.Email, Picture: p.Picture, Active: !p.Pending && !p.Over, CreatedAt: web.Millis(p.CreatedAt), Pending: p.Pending,
		Role: p.Role, Within: p.Within, ExpiresAt: maybe(p.ExpiresAt), Staff: p.Staff, Direct: p.Direct}
	if p.Look != "" {
		row.Look = &p.Look
	}
	return row
}

func (s *Service) getTeam(ctx context.Context, who auth.Caller, in pathInput) ([]personRow, error) {
	people, err := s.People(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	out := make([]personRow, len(people))
	for i, p := range people {
		out[i] = rowOf(p)
	}
	return out, nil
}

type inviteInput struct {
	ID      string          `path:"id"`
	Email   string          `json:"email" required:"true"`
	Role    auth.Role       `json:"role" enum:"admin,developer,viewer" description:"developer when left out"`
	Within  *auth.Within    `json:"within" description:"devices and dashboards that the person sees, by ids and tags; left out for all"`
	Expires web.Opt[string] `json:"expires" description:"when the membership ends: a date, or an age such as 3 months"`
}

const invited = "User invited"

func (s *Service) postTeam(ctx context.Context, who auth.Caller, in inviteInput) (string, error) {
	expires, err := until(in.Expires, s.clock.Now())
	if err != nil {
		return "", err
	}
	return invited, s.Invite(ctx, who, in.ID, InviteInput{Email: in.Email, Role: in.Role, Within: in.Within, Expires: expires})
}

type memberPath struct {
	ID      string `path:"id"`
	Account string `path:"account"`
}

type changeInput struct {
	ID      string               `path:"id"`
	Account id.Account           `path:"account"`
	Role    *auth.Role           `json:"role" enum:"admin,developer,viewer"`
	Within  web.Opt[auth.Within] `json:"within" description:"null for the whole profile"`
	Expires web.Opt[string]      `json:"expires" description:"null for never"`
}

const updated = "Successfully Updated"

func (s *Service) putMemberRoute(ctx context.Context, who auth.Caller, in changeInput) (string, error) {
	return updated, s.Change(ctx, who, in.ID, in.Account, Terms{in.Role, in.Within, in.Expires})
}

func (s *Service) deleteTeam(ctx context.Context, who auth.Caller, in memberPath) (string, error) {
	return "Account Successfully Removed", s.Remove(ctx, who, in.ID, in.Account)
}

type endsToken struct {
	Profile    id.Profile      `json:"profile"`
	Name       string          `json:"name"`
	Tail       string          `json:"tail" description:"last four characters"`
	Permission auth.Permission `json:"permission"`
	LastUse    *web.Time       `json:"last_authorization"`
	CreatedAt  web.Time        `json:"created_at"`
}

type endsSession struct {
	Agent     string   `json:"agent" description:"the browser's name for itself"`
	LastUse   web.Time `json:"last_used_at"`
	CreatedAt web.Time `json:"created_at"`
}

type endsProfile struct {
	ID   id.Profile `json:"id"`
	Name string     `json:"name"`
}

type endsResult struct {
	Profiles []endsProfile `json:"profiles" description:"that the person reaches no more"`
	Tokens   []endsToken   `json:"tokens" description:"that the person made in them, and that end"`
	Sessions []endsSession `json:"sessions" description:"signed-in browsers of the person, which lose these profiles"`
}

func endsOf(e Ends) endsResult {
	out := endsResult{Profiles: []endsProfile{}, Tokens: []endsToken{}, Sessions: []endsSession{}}
	for _, p := range e.Profiles {
		out.Profiles = append(out.Profiles, endsProfile{p.ID, p.Name})
	}
	for _, t := range e.Tokens {
		out.Tokens = append(out.Tokens, endsToken{t.Profile, t.Name, t.Tail, t.Permission, maybe(t.LastUse), web.Millis(t.CreatedAt)})
	}
	for _, x := range e.Sessions {
		out.Sessions = append(out.Sessions, endsSession{x.Agent, web.Time(x.LastUsedAt), web.Time(x.CreatedAt)})
	}
	return out
}

func (s *Service) getEnds(ctx context.Context, who auth.Caller, in memberPath) (endsResult, error) {
	e, err := s.EndsIn(ctx, who, in.ID, in.Account)
	if err != nil {
		return endsResult{}, err
	}
	return endsOf(e), nil
}

type linkResult struct {
	Link      string   `json:"link"`
	Email     string   `json:"email"`
	ExpiresAt web.Time `json:"expires_at"`
}

func (s *Service) getLink(ctx context.Context, who auth.Caller, in memberPath) (linkResult, error) {
	p, who, err := s.profiles.Resolve(ctx, who, in.ID, auth.Admin)
	if err != nil {
		return linkResult{}, err
	}
	i, err := s.ofProfile(ctx, p.ID, in.Account)
	if err != nil {
		return linkResult{}, err
	}
	return s.linkOf(ctx, who, i)
}

func (s *Service) linkOf(ctx context.Context, who auth.Caller, i Invitation) (linkResult, error) {
	l, err := s.Link(ctx, who, i)
	return linkResult{l, i.Email, web.Millis(i.ExpiresAt)}, err
}

type leaveInput struct {
	ID       string `path:"id"`
	Password string `json:"password" required:"true"`
}

func (s *Service) postLeave(ctx context.Context, who auth.Caller, in leaveInput) (string, error) {
	return "Profile Successfully Left", s.Leave(ctx, who, in.ID, in.Password)
}

type secretPath struct {
	Token string `path:"token"`
}

// stranger is the caller of a GET that acts: nothing but the link counts, or a page elsewhere could make a signed-in
// browser accept by having it follow an address.
func stranger(who auth.Caller) auth.Caller {
	return auth.Caller{Kind: auth.Anonymous, Addr: who.Addr}
}

func (s *Service) getAccept(ctx context.Context, who auth.Caller, in secretPath) (string, error) {
	_, err := s.Accept(ctx, stranger(who), in.Token, nil)
	return "Invitation accepted", err
}

func (s *Service) getDecline(ctx context.Context, who auth.Caller, in secretPath) (string, error) {
	return "Invitation declined", s.Decline(ctx, stranger(who), in.Token)
}

type invitationResult struct {
	State     State        `json:"state" enum:"pending,accepted,declined,cancelled,replaced,expired"`
	Next      Next         `json:"next" enum:"accept,sign_in,sign_up,closed,letter,confirm,none" description:"what accepting takes"`
	Email     string       `json:"email,omitempty" description:"who is invited; all below only while it waits"`
	Inviter   string       `json:"inviter,omitempty"`
	Profile   string       `json:"profile,omitempty" description:"the name of the profile; none for staff"`
	Account   string       `json:"account,omitempty" description:"for staff: whose profiles"`
	Profiles  int          `json:"profiles,omitempty" description:"for staff: how many"`
	Role      auth.Role    `json:"role,omitempty"`
	Partly    bool         `json:"restricted,omitempty" description:"the person will see a part of the profile"`
	Within    *auth.Within `json:"within,omitempty" description:"which part"`
	Until     *web.Time    `json:"member_until,omitempty" description:"when the membership will end"`
	ExpiresAt *web.Time    `json:"expires_at,omitempty" description:"of the invitation"`
}

func (s *Service) getInvitation(ctx context.Context, who auth.Caller, in secretPath) (invitationResult, error) {
	v, err := s.Look(ctx, who, in.Token)
	if err != nil {
		return invitationResult{}, err
	}
	out := invitationResult{State: v.State, Next: v.Next}
	if v.State == Pending {
		out.Email, out.Inviter, out.Profile, out.Account, out.Profiles = v.Email, v.Inviter, v.Profile, v.Account, v.Reached
		out.Role, out.Partly, out.Until, out.ExpiresAt = v.Role, v.Within != nil, maybe(v.MemberUntil), maybe(v.ExpiresAt)
		out.Within = v.Within
	}
	return out, nil
}

type acceptInput struct {
	Token    string `path:"token"`
	Name     string `json:"name" description:"of a new person, with a password"`
	Password string `json:"password"`
	Timezone string `json:"timezone" example:"Europe/Berlin"`
	Language string `json:"language" example:"en"`
}

func (in acceptInput) guest() (*account.CreateInput, error) {
	if in.Name == "" && in.Password == "" {
		return nil, nil
	}
	if in.Password == "" {
		return nil, fault.Field("password", "must not be empty")
	}
	return &account.CreateInput{Name: in.Name, Password: in.Password, Timezone: in.Timezone, Language: in.Language}, nil
}

type acceptResult struct {
	Message string      `json:"message"`
	Account id.Account  `json:"account"`
	Email   string      `json:"email"`
	Profile *id.Profile `json:"profile" description:"where to go; null when staff reach no profile yet"`
	Guest   bool        `json:"guest" description:"an account was made, which owns no profile"`
}

func (s *Service) postAccept(ctx context.Context, who auth.Caller, in acceptInput) (acceptResult, error) {
	guest, err := in.guest()
	if err != nil {
		return acceptResult{}, err
	}
	j, err := s.Accept(ctx, who, in.Token, guest)
	if err != nil {
		return acceptResult{}, err
	}
	out := acceptResult{Message: "Invitation accepted", Account: j.Account.ID, Email: j.Account.Email, Guest: j.Guest}
	if j.Profile != "" {
		out.Profile = &j.Profile
	}
	return out, nil
}

func (s *Service) postDecline(ctx context.Context, who auth.Caller, in secretPath) (string, error) {
	return "Invitation declined", s.Decline(ctx, who, in.Token)
}

func (s *Service) postAsk(ctx context.Context, who auth.Caller, in secretPath) (string, error) {
	return "Whoever invited you has been asked for a new invitation", s.Ask(ctx, who, in.Token)
}

type staffRow struct {
	personRow
	Tags     []tag.Tag     `json:"tags" description:"of the profiles; empty for all"`
	Profiles []endsProfile `json:"profiles" description:"that are reached now"`
}

func (s *Service) getStaff(ctx context.Context, who auth.Caller, _ struct{}) ([]staffRow, error) {
	list, err := s.StaffList(ctx, who)
	if err != nil {
		return nil, err
	}
	out := make([]staffRow, len(list))
	for i, x := range list {
		row := staffRow{personRow: rowOf(x.Person), Tags: x.Tags, Profiles: []endsProfile{}}
		if row.Tags == nil {
			row.Tags = []tag.Tag{}
		}
		for _, p := range x.Profiles {
			row.Profiles = append(row.Profiles, endsProfile{p.ID, p.Name})
		}
		out[i] = row
	}
	return out, nil
}

type staffInput struct {
	Email   string          `json:"email" required:"true"`
	Role    auth.Role       `json:"role" enum:"admin,developer,viewer" description:"developer when left out"`
	Tags    []tag.Tag       `json:"tags" description:"in the profiles with one of these; left out for all, also future ones"`
	Expires web.Opt[string] `json:"expires" description:"when it ends: a date, or an age such as 3 months"`
}

func (s *Service) postStaff(ctx context.Context, who auth.Caller, in staffInput) (string, error) {
	expires, err := until(in.Expires, s.clock.Now())
	if err != nil {
		return "", err
	}
	return invited, s.InviteStaff(ctx, who, InviteInput{Email: in.Email, Role: in.Role, Tags: in.Tags, Expires: expires})
}

type staffPath struct {
	Account string `path:"account"`
}

type staffChange struct {
	Account id.Account      `path:"account"`
	Role    *auth.Role      `json:"role" enum:"admin,developer,viewer"`
	Tags    *[]tag.Tag      `json:"tags" description:"empty for all profiles"`
	Expires web.Opt[string] `json:"expires" description:"null for never"`
}

func (s *Service) putStaffRoute(ctx context.Context, who auth.Caller, in staffChange) (string, error) {
	return updated, s.ChangeStaff(ctx, who, in.Account, StaffTerms{in.Role, in.Tags, in.Expires})
}

func (s *Service) deleteStaffRoute(ctx context.Context, who auth.Caller, in staffPath) (endsResult, error) {
	e, err := s.RemoveStaff(ctx, who, in.Account)
	if err != nil {
		return endsResult{}, err
	}
	return endsOf(e), nil
}

func (s *Service) getStaffEnds(ctx context.Context, who auth.Caller, in staffPath) (endsResult, error) {
	e, err := s.StaffEnds(ctx, who, id.Account(in.Account))
	if err != nil {
		return endsResult{}, err
	}
	return endsOf(e), nil
}

func (s *Service) getStaffLink(ctx context.Context, who auth.Caller, in staffPath) (linkResult, error) {
	i, err := s.ofAccount(ctx, who.AccountID, in.Account)
	if err != nil {
		return linkResult{}, err
	}
	return s.linkOf(ctx, who, i)
}
