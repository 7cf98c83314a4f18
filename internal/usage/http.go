package usage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/tag"
)

// Routes are the routes of this room.
func (s *Service) Routes() []web.Route {
	return []web.Route{
		web.Handle("GET /profile/deleted", "The account's deleted profiles that can still be restored, with what they hold.", auth.OfAccount, s.deleted, web.Tags("profile")),
		web.Handle("GET /profile/preview", "What a new profile would have of the account's services, and whose allocation would shrink for it. Nothing is made.", auth.OfAccount, s.preview, web.Tags("profile")),
		web.Handle("GET /profile/{id}", "A profile with its allocation and add-ons.", profile.OfPath, s.info),
		web.Handle("GET /profile/{id}/summary", "What a profile may use, has used and holds.", profile.OfPath, s.summary),
		web.Handle("GET /profile/{id}/statistics", "What a profile had used by the end of each hour, day or month of a range.", profile.OfPath, s.statistics),
		web.Handle("GET /profile/{id}/statistics/devices", "What each device used of a service on a day, by hour.", profile.OfPath, s.deviceStatistics),
		web.Handle("GET /profile/{id}/statistics/limits", "What a profile was allowed of a service at the start of a range, and each change in it.", profile.OfPath, s.limitHistory),
		web.Handle("GET /statistics", "What every profile of the account used in each period of a range, and when each service runs out.", auth.OfAccount, s.accountStatistics, web.Tags("profile")),
		web.Handle("POST /profile/{id}/services", "Set what a profile has of the account's services.", profile.OfPath, s.postServices, web.Tags("profile")),
		web.Handle("GET /profile/{id}/policies", "What happens at the limit of each service of a profile: block, pool or overage.", profile.OfPath, s.getPolicies, web.Tags("profile")),
		web.Handle("PUT /profile/{id}/policies", "Set what happens at the limit of services of a profile; others stay.", profile.OfPath, s.putPolicies, web.Tags("profile")),
		web.Handle("GET /account/allocation", "What each profile has of the account's services.", auth.OfAccount, s.getAllocation),
		web.Handle("GET /account/allocation/table", "The account's pool at one instant, with what each profile has and has used of it.", auth.OfAccount, s.table),
		web.Handle("POST /account/allocation", "Set what profiles have of the account's services: all rows or none.", auth.OfAccount, s.postAllocation, web.MaxBody(1<<20)),
	}
}

type pathInput struct {
	ID      string `path:"id"`
	Request *web.Request
}

type deletedResult struct {
	ID        id.Profile              `json:"id"`
	Name      string                  `json:"name"`
	LogoURL   *string                 `json:"logo_url"`
	DeletedAt web.Time                `json:"deleted_at"`
	DeletedBy *id.Account             `json:"deleted_by"`
	PurgedAt  web.Time                `json:"purged_at" description:"from when on it cannot be restored"`
	Holds     map[string]float64      `json:"holds" description:"what it stores, in the units of its allocation"`
	Amounts   map[plan.Resource]int64 `json:"amounts" description:"what else it has: devices, dashboards, …"`
}

type noInput struct{ Request *web.Request }

func (s *Service) deleted(ctx context.Context, who auth.Caller, in noInput) ([]deletedResult, error) {
	list, err := s.profiles.Deleted(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	out := make([]deletedResult, len(list))
	for i, d := range list {
		r, err := s.Holds(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		out[i] = deletedResult{ID: d.ID, Name: d.Name, LogoURL: profile.Absolute(in.Request.Public, d.LogoURL), DeletedAt: web.Time(d.DeletedAt),
			PurgedAt: web.Time(d.PurgeAt), Holds: map[string]float64{}, Amounts: r.Held}
		if d.DeletedBy != "" {
			out[i].DeletedBy = &list[i].DeletedBy
		}
		for _, svc := range stockServices {
			out[i].Holds[string(svc)] = plan.Wire(svc, r.Stocks.Of(svc))
		}
	}
	return out, nil
}

type previewInput struct {
	AllocateFree bool       `query:"allocate_free_resources" description:"as for POST /profile"`
	Like         id.Profile `query:"like" description:"template.like of POST /profile"`
}

func (s *Service) preview(ctx context.Context, who auth.Caller, in previewInput) ([]Preview, error) {
	c := profile.CreateInput{AllocateFree: in.AllocateFree, Like: in.Like}
	if c.Like != "" && !id.Valid(string(c.Like)) {
		return nil, fault.Field("like", "must be the id of a profile")
	}
	if c.Like != "" && c.AllocateFree {
		return nil, fault.Field("like", "cannot be given together with allocate_free_resources")
	}
	if err := s.profiles.MayAdd(ctx, who); err != nil {
		return nil, err
	}
	return s.Preview(ctx, who.AccountID, c)
}

type infoResult struct {
	Info       info               `json:"info"`
	Allocation map[string]float64 `json:"allocation"`
	Addons     addons             `json:"addons"`
	Plan       string             `json:"account_plan"`
}

type info struct {
	ID          id.Profile `json:"id"`
	Account     id.Account `json:"account"`
	Name        string     `json:"name"`
	LogoURL     *string    `json:"logo_url"`
	BannerURL   *string    `json:"banner_url"`
	Region      string     `json:"region"`
	RPM         rpm        `json:"rpm"` // an object also when nothing is limited
	Color       *string    `json:"color" description:"#rrggbb, by which people know it; null for none"`
	Reference   *string    `json:"reference" description:"what the owner's books call the customer; null for none"`
	Tags        []tag.Tag  `json:"tags"`
	Role        auth.Role  `json:"role" description:"the caller's in the profile"`
	Paused      bool       `json:"paused"`
	PauseReason *string    `json:"pause_reason"`
	ByOperator  bool       `json:"paused_by_operator" description:"only an operator of this server can end the pause"`
	CreatedAt   web.Time   `json:"created_at"`
	UpdatedAt   web.Time   `json:"updated_at"`
}

type rpm profile.RPM

type addons struct {
	CustomDNS    bool       `json:"custom_dns"`
	Mobile       bool       `json:"mobile"`
	ControlTower bool       `json:"control_tower"`
	Profile      id.Profile `json:"profile"`
	UpdatedAt    web.Time   `json:"updated_at"`
}

// region is what the client shows as the place of a profile; there is one, this server.
const region = "local"

func (s *Service) addonsOf(ctx context.Context, p profile.Profile) (addons, error) {
	out := addons{Profile: p.ID, UpdatedAt: web.Time(p.UpdatedAt)}
	if s.addons == nil {
		return out, nil
	}
	names, err := s.addons(ctx, p.ID)
	out.CustomDNS, out.Mobile, out.ControlTower = slices.Contains(names, "custom_dns"), slices.Contains(names, "mobile"), slices.Contains(names, "control_tower")
	return out, err
}

func (s *Service) info(ctx context.Context, who auth.Caller, in pathInput) (infoResult, error) {
	p, who, err := s.profiles.Resolve(ctx, who, in.ID, auth.Viewer)
	if err != nil {
		return infoResult{}, err
	}
	a, err := s.Allocation(ctx, p.ID)
	if err != nil {
		return infoResult{}, err
	}
	pl, err := s.profiles.PlanOf(ctx, p.Account)
	if err != nil {
		return infoResult{}, err
	}
	addons, err := s.addonsOf(ctx, p)
	if err != nil {
		return infoResult{}, err
	}
	out := infoResult{
		Info: info{
			ID: p.ID, Account: p.Account, Name: p.Name, LogoURL: profile.Absolute(in.Request.Public, p.LogoURL),
			BannerURL: profile.Absolute(in.Request.Public, p.BannerURL), Region: region, Paused: p.Paused, Color: profile.Maybe(p.Color), Reference: profile.Maybe(p.Reference),
			Tags: p.Tags, Role: who.Role,
			CreatedAt: web.Time(p.CreatedAt), UpdatedAt: web.Time(p.UpdatedAt),
		},
		Allocation: a.Amounts.WireMap(), Addons: addons, Plan: pl.ReportAs,
	}
	if r := profile.RPMOf(p.RPMInput, p.RPMOutput); r != nil {
		out.Info.RPM = rpm(*r)
	}
	if p.Paused {
		out.Info.PauseReason, out.Info.ByOperator = &p.PauseReason, p.ByOperator
	}
	return out, nil
}

type summaryInput struct {
	ID         string `path:"id"`
	OnlyAmount bool   `query:"onlyAmount" description:"count resources only"`
	Request    *web.Request
}

type summaryResult struct {
	Limit     map[string]float64 `json:"limit,omitempty"`
	LimitUsed map[string]float64 `json:"limit_used,omitempty"`
	Overage   map[string]float64 `json:"overage,omitempty" description:"the part of limit_used that was accepted beyond the limit; services without are left out"`
	Amount    map[string]int64   `json:"amount"`
	Addons    *addons            `json:"addons,omitempty"`
	Run       string             `json:"tago_run,omitempty"`
}

func (s *Service) summary(ctx context.Context, who auth.Caller, in summaryInput) (summaryResult, error) {
	p, _, err := s.profiles.Resolve(ctx, who, in.ID, auth.Viewer)
	if err != nil {
		return summaryResult{}, err
	}
	held, err := s.Amounts(ctx, p.ID)
	if err != nil {
		return summaryResult{}, err
	}
	c, err := s.Used(ctx, p.ID)
	if err != nil {
		return summaryResult{}, err
	}
	out := summaryResult{Amount: map[string]int64{
		"device": held[plan.Devices], "bucket": held[plan.Devices], "dashboard": held[plan.Dashboards], "dashboard_shared": 0,
		"analysis": held[plan.Analyses], "action": held[plan.Actions], "am": held[plan.AccessPolicies],
		"run_users": c.Used.Of(plan.RunUsers), "dictionary": held[plan.Dictionaries], "connectors": held[plan.Connectors],
		"networks": held[plan.Networks], "tcore": held[plan.TagoCores], "tcore_cluster": held[plan.TagoCoreClusters],
	}}
	if in.OnlyAmount {
		return out, nil
	}
	pl, err := s.profiles.PlanOf(ctx, p.Account)
	if err != nil {
		return summaryResult{}, err
	}
	out.Limit, out.LimitUsed, out.Overage = c.Allowed.WireMap(), c.Used.WireMap(), overWire(c.Over)
	out.Limit["tcore"] = float64(pl.Cap(plan.TagoCores))
	out.LimitUsed["tcore"] = float64(held[plan.TagoCores])
	out.LimitUsed["tcore_cluster"] = float64(held[plan.TagoCoreClusters])
	out.LimitUsed[string(plan.DashboardOutput)] = float64(c.Used.Of(plan.DashboardOutput))
	a, err := s.addonsOf(ctx, p)
	if err != nil {
		return summaryResult{}, err
	}
	out.Addons, out.Run = &a, runHost(p.ID, in.Request.Public)
	return out, nil
}

// runHost is the host of a profile's portal for end users: a name of its own below the server's, where the
// server has a name.
func runHost(p id.Profile, public string) string {
	u, err := url.Parse(public)
	if err != nil || u.Host == "" {
		return string(p)
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return u.Host
	}
	return string(p) + "." + u.Host
}

// Amounts is how many of each capped resource a profile has.
func (s *Service) Amounts(ctx context.Context, p id.Profile) (map[plan.Resource]int64, error) {
	m, err := s.held(ctx, p)
	if err != nil {
		return nil, err
	}
	for r, f := range s.counts {
		if m[r], err = f(ctx, p); err != nil {
			return nil, fmt.Errorf("count %s: %w", r, err)
		}
	}
	return m, nil
}

func (s *Service) getAllocation(ctx context.Context, who auth.Caller, _ struct{}) ([]map[string]any, error) {
	as, err := s.Allocations(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, a := range as {
		row := map[string]any{"profile": a.Profile, "updated_at": web.Time(a.UpdatedAt)}
		for k, v := range a.Amounts.WireMap() {
			row[k] = v
		}
		out = append(out, row)
	}
	return out, nil
}

const allocationUpdated = "Profile resource allocation Successfully Updated"

type bodyInput struct {
	Body json.RawMessage `body:"json"`
}

func (s *Service) postAllocation(ctx context.Context, who auth.Caller, in bodyInput) (string, error) {
	changes, err := decodeAllocation(in.Body)
	if err != nil {
		return "", err
	}
	if err := s.Post(ctx, who, who.AccountID, changes); err != nil {
		return "", err
	}
	return allocationUpdated, nil
}

type servicesInput struct {
	ID   string          `path:"id"`
	Body json.RawMessage `body:"json"`
}

func (s *Service) postServices(ctx context.Context, who auth.Caller, in servicesInput) (string, error) {
	p, err := s.ofAccount(ctx, who, in.ID)
	if err != nil {
		return "", err
	}
	amounts, err := decodeServices(in.Body)
	if err != nil {
		return "", err
	}
	if err := s.Post(ctx, who, p.Account, []change{{profile: p.ID, amounts: amounts}}); err != nil {
		return "", err
	}
	return allocationUpdated, nil
}

// ofAccount resolves a profile for what belongs to its account: that takes the owner, and the reach of the account even
// for the profile's own part of it.
func (s *Service) ofAccount(ctx context.Context, who auth.Caller, ref string) (profile.Profile, error) {
	p, err := s.profiles.Owned(ctx, who, ref)
	if err == nil && who.Kind == auth.Profile && who.Reach != auth.ReachAccount {
		err = auth.LacksReach(who.Reach)
	}
	return p, err
}

func (s *Service) getPolicies(ctx context.Context, who auth.Caller, in pathInput) (map[plan.Service]Policy, error) {
	p, err := s.ofAccount(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	policies, err := s.PoliciesOf(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	out := map[plan.Service]Policy{}
	for i, svc := range plan.Services {
		out[svc] = policies[i]
	}
	return out, nil
}

func (s *Service) putPolicies(ctx context.Context, who auth.Caller, in servicesInput) (string, error) {
	p, err := s.ofAccount(ctx, who, in.ID)
	if err != nil {
		return "", err
	}
	changes, err := decodePolicies(in.Body)
	if err != nil {
		return "", err
	}
	if err := s.SetPolicies(ctx, who, p, changes); err != nil {
		return "", err
	}
	return "Profile policies Successfully Updated", nil
}

// decodeBody reads a body that must be there and not null: what says what it must be.
func decodeBody[T any](body []byte, what string) (v T, err error) {
	if t := bytes.TrimSpace(body); len(t) == 0 || string(t) == "null" {
		return v, fault.Field("body", "must be %s", what)
	}
	return v, web.DecodeJSON(body, &v)
}

// decodePolicies reads the policies an owner sets. It returns Invalid faults that name the service and the value.
func decodePolicies(body []byte) (map[plan.Service]Policy, error) {
	row, err := decodeBody[map[string]json.RawMessage](body, "an object of services")
	if err != nil {
		return nil, err
	}
	out := map[plan.Service]Policy{}
	for _, key := range slices.Sorted(maps.Keys(row)) {
		field := key
		if len(field) > 60 {
			field = "…"
		}
		if !slices.Contains(plan.Services, plan.Service(key)) {
			return nil, fault.Field(field, "is not a service with a policy")
		}
		var v *Policy
		if err := json.Unmarshal(row[key], &v); err != nil || v == nil {
			return nil, fault.Field(field, "must be block, pool or overage")
		}
		switch *v {
		case Block, Pool, Overage:
			out[plan.Service(key)] = *v
		default:
			value := string(*v)
			if len(value) > 60 {
				value = "…"
			}
			return nil, fault.Field(field, "%q is not block, pool or overage", value)
		}
	}
	return out, nil
}

// decodeAllocation reads the rows an owner posts. It returns Invalid faults that name the row.
func decodeAllocation(body []byte) ([]change, error) {
	rows, err := decodeBody[[]map[string]json.RawMessage](body, "a list of allocations")
	if err != nil {
		return nil, err
	}
	return decodeRows("", rows)
}

// decodeRows reads rows of allocations that stand in a field of the body; "" is the body itself.
func decodeRows(field string, rows []map[string]json.RawMessage) ([]change, error) {
	seen := map[id.Profile]bool{}
	out := make([]change, 0, len(rows))
	for i, row := range rows {
		c := change{row: fmt.Sprintf("%s[%d]", field, i), amounts: map[plan.Service]int64{}}
		if err := json.Unmarshal(row["profile"], &c.profile); err != nil || !id.Valid(string(c.profile)) {
			return nil, fault.Field(c.row+".profile", "must be the id of a profile")
		}
		if seen[c.profile] {
			return nil, fault.Field(c.row+".profile", "is there twice")
		}
		seen[c.profile] = true
		for _, key := range slices.Sorted(maps.Keys(row)) {
			if key == "profile" || key == "updated_at" { // as GET gives them
				continue
			}
			svc, n, err := amount(c.row+".", key, row[key])
			if err != nil {
				return nil, err
			}
			c.amounts[svc] = n
		}
		out = append(out, c)
	}
	return out, nil
}

// decodeServices reads the services of one profile: a number each, or an object with the number as limit.
func decodeServices(body []byte) (map[plan.Service]int64, error) {
	row, err := decodeBody[map[string]json.RawMessage](body, "an object of services")
	if err != nil {
		return nil, err
	}
	out := map[plan.Service]int64{}
	for _, key := range slices.Sorted(maps.Keys(row)) {
		value, name := row[key], key
		var nested map[string]json.RawMessage
		if json.Unmarshal(value, &nested) == nil && nested != nil {
			limit, ok := nested["limit"]
			if !ok || len(nested) > 1 {
				return nil, fault.Field(key, "must be a number or an object with the member limit only")
			}
			value, name = limit, key
		}
		svc, n, err := amount("", name, value)
		if err != nil {
			return nil, err
		}
		out[svc] = n
	}
	return out, nil
}

// amount reads the amount of one service in the unit of the wire.
func amount(prefix, key string, value json.RawMessage) (plan.Service, int64, error) {
	svc := plan.Service(key)
	field := prefix + key
	if !slices.Contains(plan.Services, svc) {
		if len(field) > 60 {
			field = prefix + "…"
		}
		return "", 0, fault.Field(field, "is not a service that profiles share")
	}
	var v *float64
	if err := json.Unmarshal(value, &v); err != nil || v == nil {
		return "", 0, fault.Field(field, "must be a number")
	}
	n, ok := plan.FromWire(svc, *v)
	switch {
	case *v < 0:
		return "", 0, fault.Field(field, "must not be negative")
	case !ok:
		return "", 0, fault.Field(field, "must be a whole number")
	}
	return svc, n, nil
}
