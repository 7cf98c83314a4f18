package billing

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/job"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
	"paddock/internal/usage"
)

// ofOwner is the rule of what an account costs: its owner signed in, or a full token of theirs that reaches the account.
var ofOwner = auth.OfAccount.Deleting()

func (s *Service) costRoutes() []web.Route {
	cost := web.Tags("cost")
	account := web.Handle("GET /account/cost", "What the account costs in a range, by profile, service and day; the lines add up to the charges.", ofOwner, s.getCost, cost)
	account.Out = reflect.TypeFor[costAnswer]()
	return []web.Route{
		account,
		web.Handle("GET /account/cost/detail", "The hours, units or allocations and charges behind a line of the account's cost on one day.", ofOwner, s.getDetail, cost),
		web.Handle("GET /account/cost/check", "Compute the cost of a range again, by allocation and by use, and say what differs.", ofOwner, s.getCheck, cost),
		web.Handle("GET /account/cost/figure", "Show what everything costs a month, as the owner has said.", ofOwner, s.getFigure, cost),
		web.Handle("PUT /account/cost/figure", "Say what everything costs a month and how many per cent fall to each service.", ofOwner, s.putFigure, cost),
		web.Handle("DELETE /account/cost/figure", "Take the figure away from the next hour on.", ofOwner, s.deleteFigure, cost),
		web.Handle("GET /account/cost/setting", "Show how costs are shown.", ofOwner, s.getChoice, cost),
		web.Handle("PUT /account/cost/setting", "Choose how costs are shown: their basis, and how what belongs to no profile is spread.", ofOwner, s.putChoice, cost),
		web.Handle("GET /profile/{id}/cost", "What a profile costs: this cycle to date, a day, at the end of the cycle, and the last cycle.", profile.OfPath.Deleting(), s.getProfileCost, cost),
	}
}

// costJobs names the periodic work: charging figures, and sharing by use what hours that are over cost.
func (s *Service) costJobs(r *job.Runner) {
	r.Every("cost of hours", 5*time.Minute, func(ctx context.Context) error {
		if err := s.ChargeFigures(ctx); err != nil {
			return err
		}
		return s.Rate(ctx)
	})
}

const (
	mostRange = 397 * 24 * hour
	mostCells = 500_000 // sums that a question by day adds up
	mostRows  = 200_000 // of a CSV
	maxLines  = 10_000  // of a page
	lastPage  = 1_000_000_000
)

type costInput struct {
	From     string `query:"from" description:"first instant or day; the start of the running cycle when not given"`
	To       string `query:"to" description:"where it ends, or its last day; now when not given"`
	GroupBy  string `query:"group_by" description:"profile, service, day, or several of them with commas; profile when not given"`
	Basis    string `query:"basis" enum:"allocation,use" description:"by what profiles share; by itself use where a figure is set or the plan is house, else allocation"`
	Spread   string `query:"spread" enum:"none,even,cost" description:"how what belongs to no profile is divided among profiles; not with days"`
	Currency string `query:"currency" description:"where charges of the range have several; the latest when not given"`
	Profile  string `query:"profile" description:"only lines of this profile, or of none; the sums stay those of all"`
	Service  string `query:"service" description:"only lines of this service; the sums stay those of all"`
	Format   string `query:"format" enum:"json,csv" description:"json when not given"`
	Page     int    `query:"page" description:"of lines, from 1"`
	Amount   int    `query:"amount" description:"lines of a page, at most 10000 and that when not given"`
}

type costAnswer struct {
	From        web.Time   `json:"from"`
	To          web.Time   `json:"to"`
	Timezone    string     `json:"timezone"`
	Basis       Basis      `json:"basis"`
	Spread      Spread     `json:"spread"`
	GroupBy     []string   `json:"group_by"`
	Currency    string     `json:"currency"`
	Currencies  []string   `json:"currencies" description:"of all charges in the range; an answer is of one"`
	Total       int64      `json:"total_micro" description:"ten thousandths of a cent, as everything that ends in _micro"`
	Charges     int64      `json:"charges_micro" description:"what the hours of the range are worth, counted from the charges"`
	AddsUp      bool       `json:"adds_up" description:"whether the two are the same"`
	Profiles    int64      `json:"profiles_micro" description:"what profiles have of services"`
	Unallocated int64      `json:"unallocated_micro" description:"what no profile has of services"`
	Addons      int64      `json:"addons_micro"`
	Plan        int64      `json:"plan_micro"`
	Discounts   int64      `json:"discounts_micro"`
	RatedTo     *web.Time  `json:"rated_to" description:"by use: how far hours have been shared; null when nothing is left to share"`
	Lines       []costLine `json:"lines"`
	Rows        int        `json:"rows" description:"lines of all pages"`
	Pages       int        `json:"pages"`
}

type costLine struct {
	Kind    string     `json:"kind" enum:"service,unallocated,addon,plan,discount"`
	Profile id.Profile `json:"profile,omitempty"`
	Name    string     `json:"name,omitempty" description:"of the profile"`
	Service string     `json:"service,omitempty"`
	Item    string     `json:"item,omitempty" description:"the plan, the add-on, or why there is a discount"`
	Day     string     `json:"day,omitempty"`
	Micro   int64      `json:"micro"`
}

// wireKind is the word for a kind of line; a figure is shared like a service's price.
func wireKind(k Kind) string {
	if k == Figure {
		k = ServiceFee
	}
	return string(k)
}

var kindWords = []string{string(ServiceFee), string(Unallocated), string(AddonFee), string(PlanFee), string(Discount)}

// grouping is by what lines are added up.
type grouping struct{ profile, service, day bool }

func parseGrouping(text string) (g grouping, words []string, err error) {
	for word := range strings.SplitSeq(cmp.Or(text, "profile"), ",") {
		var to *bool
		switch word {
		case "profile":
			to = &g.profile
		case "service":
			to = &g.service
		case "day":
			to = &g.day
		default:
			return g, nil, fault.Field("group_by", "must be profile, service, day, or several of them with commas")
		}
		if *to {
			return g, nil, fault.Field("group_by", "has %s twice", word)
		}
		*to = true
		words = append(words, word)
	}
	return g, words, nil
}

// group adds up lines of one currency.
func (g grouping) group(c Cost, currency string, loc *time.Location) []costLine {
	names := map[id.Profile]string{}
	if g.profile {
		for _, o := range c.Profiles {
			names[o.Profile] = o.Name
		}
	}
	type key struct {
		kind    string
		profile id.Profile
		item    string
		day     int64
	}
	sums := make(map[key]int64, len(c.Lines))
	for _, l := range c.Lines {
		if l.Currency != currency {
			continue
		}
		k := key{kind: wireKind(l.Kind), item: l.Item, day: l.Day}
		if g.profile {
			k.profile = l.Profile
		}
		if !g.service && (k.kind == string(ServiceFee) || k.kind == string(Unallocated)) {
			k.item = ""
		}
		sums[k] += l.Micro
	}
	maps.DeleteFunc(sums, func(_ key, micro int64) bool { return micro == 0 }) // what adds up to nothing is no line
	keys := make([]key, 0, len(sums))
	for k := range sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(slices.Index(kindWords, a.kind), slices.Index(kindWords, b.kind)),
			cmp.Compare(sums[b], sums[a]), cmp.Compare(a.profile, b.profile), cmp.Compare(a.item, b.item))
	})
	out := make([]costLine, len(keys))
	var day int64
	var date string
	for i, k := range keys {
		x := costLine{Kind: k.kind, Profile: k.profile, Name: names[k.profile], Micro: sums[k]}
		if k.kind == string(ServiceFee) || k.kind == string(Unallocated) {
			x.Service = k.item
		} else {
			x.Item = k.item
		}
		if g.day {
			if k.day != day || date == "" {
				day, date = k.day, clock.FromMillis(k.day).In(loc).Format(time.DateOnly)
			}
			x.Day = date
		}
		out[i] = x
	}
	return out
}

// parseRange reads from and to: the running cycle to date when nothing is given. By use, days count whole, where they do not begin or end with a
// cycle.
func (s *Service) parseRange(acc account.Account, from, to string, basis Basis) (int64, int64, error) {
	now := s.clock.Now()
	loc := acc.Location()
	first, last := int64(0), clock.Millis(now)
	if to != "" {
		t, err := web.ParseTimeEnd(to, now, loc)
		if err != nil {
			return 0, 0, fault.Field("to", "%v", err)
		}
		if last = clock.Millis(t); last%1000 == 999 { // the last millisecond of a day
			last++
		}
	}
	if from == "" {
		first, _ = usage.Cycle(acc, max(last-1, 0))
	} else {
		t, err := web.ParseTime(from, now, loc)
		if err != nil {
			return 0, 0, fault.Field("from", "%v", err)
		}
		first = clock.Millis(t)
	}
	if first < 0 {
		return 0, 0, fault.Field("from", "must be after 1970")
	}
	if first >= last {
		return 0, 0, fault.Field("to", "must be after from")
	}
	if last-first > mostRange {
		return 0, 0, fault.Field("from", "the range is too long: at most 13 months")
	}
	if basis == ByUse {
		if c, _ := usage.Cycle(acc, first); c != first {
			first, _ = usage.DayOf(first, loc)
		}
		if c, _ := usage.Cycle(acc, last); c != last {
			if start, end := usage.DayOf(last, loc); start != last {
				last = end
			}
		}
	}
	return first, last, nil
}

// parseBasis reads basis, or takes what the account has chosen.
func (s *Service) parseBasis(ctx context.Context, a id.Account, text string, c Choice) (Basis, error) {
	switch b := Basis(text); b {
	case ByAllocation, ByUse:
		return b, nil
	case "":
		return s.basisOf(ctx, a, c)
	}
	return "", fault.Field("basis", "must be allocation or use")
}

// currencies are those of charges, and the one an answer is in: the wanted, or that of the latest charge.
func (s *Service) currencies(charges []Charge, wanted string) (all []string, one string, err error) {
	all, one = []string{}, s.plans.Currency()
	for _, c := range charges {
		all = append(all, c.Currency)
		one = c.Currency
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if wanted != "" {
		one = strings.ToLower(wanted)
		if !currencyForm.MatchString(one) {
			return nil, "", fault.Field("currency", "must be three letters such as eur")
		}
		if len(all) > 0 && !slices.Contains(all, one) {
			return nil, "", fault.Field("currency", "charges of the range are in %s", strings.Join(all, ", "))
		}
	}
	return all, one, nil
}

func (s *Service) getCost(ctx context.Context, who auth.Caller, in costInput) (any, error) {
	acc, err := s.accounts.Get(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	choice, err := s.choiceOf(ctx, acc.ID)
	if err != nil {
		return nil, err
	}
	basis, err := s.parseBasis(ctx, acc.ID, in.Basis, choice)
	if err != nil {
		return nil, err
	}
	g, words, err := parseGrouping(in.GroupBy)
	if err != nil {
		return nil, err
	}
	how, err := parseSpread(in.Spread, choice, g)
	if err != nil {
		return nil, err
	}
	switch {
	case in.Format != "" && in.Format != "json" && in.Format != "csv":
		return nil, fault.Field("format", "must be json or csv")
	case in.Profile != "" && !g.profile:
		return nil, fault.Field("profile", "takes profile in group_by")
	case in.Profile != "" && in.Profile != "none" && !id.Valid(in.Profile):
		return nil, fault.Field("profile", "must be the id of a profile, or none")
	case in.Service != "" && !g.service:
		return nil, fault.Field("service", "takes service in group_by")
	case in.Page < 0:
		return nil, fault.Field("page", "must not be negative")
	case in.Page > lastPage:
		return nil, fault.Field("page", "must be at most %d", lastPage)
	case in.Amount < 0:
		return nil, fault.Field("amount", "must not be negative")
	}
	from, to, err := s.parseRange(acc, in.From, in.To, basis)
	if err != nil {
		return nil, err
	}
	if g.day {
		ps, err := s.profiles.Ownerships(ctx, acc.ID, from, to)
		if err != nil {
			return nil, err
		}
		if days := (to-from)/(24*hour) + 1; int64(len(ps))*days > mostCells {
			return nil, fault.Field("group_by", "%d profiles on %d days are too many for one answer: ask for fewer days", len(ps), days)
		}
	}
	c, err := s.costOf(ctx, acc, from, to, basis, g.day)
	if err != nil {
		return nil, err
	}
	all, currency, err := s.currencies(c.charges, in.Currency)
	if err != nil {
		return nil, err
	}
	a := costAnswer{
		From: web.Millis(c.From), To: web.Millis(max(c.From, c.To)), Timezone: acc.Location().String(), Basis: basis, Spread: how, GroupBy: words,
		Currency: currency, Currencies: all, Charges: c.Charged[currency], Lines: []costLine{},
	}
	for _, l := range c.Lines {
		if l.Currency != currency {
			continue
		}
		a.Total += l.Micro
		switch l.Kind {
		case Unallocated:
			a.Unallocated += l.Micro
		case AddonFee:
			a.Addons += l.Micro
		case PlanFee:
			a.Plan += l.Micro
		case Discount:
			a.Discounts += l.Micro
		default:
			a.Profiles += l.Micro
		}
	}
	c.spread(how)
	lines := g.group(c, currency, acc.Location())
	var sum int64
	for _, l := range lines {
		sum += l.Micro
	}
	a.AddsUp = sum == a.Charges && a.Total == a.Charges
	if in.Profile != "" || in.Service != "" {
		lines = slices.DeleteFunc(lines, func(l costLine) bool {
			return in.Profile != "" && string(l.Profile) != strings.TrimPrefix(in.Profile, "none") || in.Service != "" && l.Service != in.Service
		})
	}
	if in.Format == "csv" {
		return s.costCSV(acc, a, g, lines)
	}
	if basis == ByUse {
		if a.RatedTo, err = s.ratedTo(ctx, acc.ID); err != nil {
			return nil, err
		}
	}
	amount := min(cmp.Or(in.Amount, maxLines), maxLines)
	first := min((max(in.Page, 1)-1)*amount, len(lines))
	a.Rows, a.Pages = len(lines), (len(lines)+amount-1)/amount
	a.Lines = append(a.Lines, lines[first:min(first+amount, len(lines))]...)
	return a, nil
}

func parseSpread(text string, c Choice, g grouping) (Spread, error) {
	how := Spread(text)
	switch how {
	case "":
		if g.day {
			return SpreadNone, nil
		}
		return cmp.Or(c.Spread, SpreadNone), nil
	case SpreadNone, SpreadEven, SpreadCost:
		if g.day && how != SpreadNone {
			return "", fault.Field("spread", "days have what belongs to no profile as lines of their own: leave day out of group_by")
		}
		return how, nil
	}
	return "", fault.Field("spread", "must be none, even or cost")
}

// ratedTo is how far the charges of an account have been shared by use; nil when no hour is left.
func (s *Service) ratedTo(ctx context.Context, a id.Account) (*web.Time, error) {
	var at *int64
	if err := s.db.QueryRow(ctx, `SELECT MIN(next_at) FROM cost_rated WHERE account = $1 AND next_at < $2`, a, allRated).Scan(&at); err != nil {
		return nil, fmt.Errorf("read how far charges are rated: %w", err)
	}
	if at == nil {
		return nil, nil
	}
	t := web.Millis(*at - hour)
	return &t, nil
}

// cents is micro-units as cents with four more places.
func cents(micro int64) string {
	sign := ""
	if micro < 0 {
		sign, micro = "-", -micro
	}
	return fmt.Sprintf("%s%d.%04d", sign, micro/microPerCent, micro%microPerCent)
}

// costCSV is lines as RFC 4180 has it.
func (s *Service) costCSV(acc account.Account, a costAnswer, g grouping, lines []costLine) (any, error) {
	if len(lines) > mostRows {
		return nil, fault.Field("format", "%d rows are too many for one file: ask for fewer days", len(lines))
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	w.Write([]string{"day", "kind", "profile", "name", "service", "item", "currency", "cents"})
	for _, l := range lines {
		w.Write([]string{l.Day, l.Kind, string(l.Profile), web.Cell(l.Name), l.Service, web.Cell(l.Item), a.Currency, cents(l.Micro)})
	}
	w.Flush()
	name := fmt.Sprintf("cost-%s-%s.csv", a.From.Time().In(acc.Location()).Format(time.DateOnly), a.To.Time().Add(-time.Millisecond).In(acc.Location()).Format(time.DateOnly))
	return web.Raw{Type: "text/csv; charset=utf-8; header=present", Body: b.Bytes(), Header: http.Header{
		"Content-Disposition": {`attachment; filename=` + strconv.Quote(name)}, "Cache-Control": {"no-store"},
	}}, w.Error()
}

type figureInput struct {
	Amount   int64                  `json:"amount" required:"true" description:"whole cents a month"`
	Currency string                 `json:"currency" required:"true" description:"three letters, such as eur"`
	Shares   map[plan.Service]int64 `json:"shares" required:"true" description:"per cent by service, together 100"`
}

type figureAnswer struct {
	Amount    int64                  `json:"amount"`
	Currency  string                 `json:"currency"`
	Shares    map[plan.Service]int64 `json:"shares"`
	UpdatedAt web.Time               `json:"updated_at"`
}

func (s *Service) getFigure(ctx context.Context, who auth.Caller, _ struct{}) (*figureAnswer, error) {
	f, found, err := s.OwnFigure(ctx, who.AccountID)
	if err != nil || !found {
		return nil, err
	}
	return &figureAnswer{f.Amount, f.Currency, f.Shares, web.Millis(f.Updated)}, nil
}

func (s *Service) putFigure(ctx context.Context, who auth.Caller, in figureInput) (string, error) {
	return "Figure Successfully Updated", s.SetFigure(ctx, who, who.AccountID, OwnFigure{Amount: in.Amount, Currency: in.Currency, Shares: in.Shares})
}

func (s *Service) deleteFigure(ctx context.Context, who auth.Caller, _ struct{}) (string, error) {
	return "Figure Successfully Removed", s.EndFigure(ctx, who, who.AccountID)
}

type choiceInput struct {
	Basis  web.Opt[string] `json:"basis" description:"allocation, use, or null for by itself"`
	Spread web.Opt[string] `json:"spread" description:"none, even, cost, or null for none"`
}

type choiceAnswer struct {
	Basis  *Basis `json:"basis" description:"null when it is by itself"`
	Spread Spread `json:"spread"`
	Now    Basis  `json:"basis_now"`
}

func (s *Service) getChoice(ctx context.Context, who auth.Caller, _ struct{}) (choiceAnswer, error) {
	c, err := s.choiceOf(ctx, who.AccountID)
	if err != nil {
		return choiceAnswer{}, err
	}
	out := choiceAnswer{Spread: cmp.Or(c.Spread, SpreadNone)}
	if c.Basis != "" {
		out.Basis = &c.Basis
	}
	out.Now, err = s.basisOf(ctx, who.AccountID, c)
	return out, err
}

func (s *Service) putChoice(ctx context.Context, who auth.Caller, in choiceInput) (string, error) {
	return "Setting Successfully Updated", s.choose(ctx, who, who.AccountID, func(c *Choice) error {
		if in.Basis.Set {
			switch c.Basis = Basis(in.Basis.Or("")); c.Basis {
			case "", ByAllocation, ByUse:
			default:
				return fault.Field("basis", "must be allocation, use or null")
			}
		}
		if in.Spread.Set {
			switch c.Spread = Spread(in.Spread.Or("")); c.Spread {
			case "", SpreadNone, SpreadEven, SpreadCost:
			default:
				return fault.Field("spread", "must be none, even, cost or null")
			}
		}
		return nil
	})
}

type profileCostInput struct {
	ID       string `path:"id"`
	Basis    string `query:"basis" enum:"allocation,use"`
	Currency string `query:"currency"`
}

type cycleAnswer struct {
	From web.Time `json:"from"`
	To   web.Time `json:"to"`
}

type profileCostAnswer struct {
	Profile    id.Profile          `json:"profile"`
	Name       string              `json:"name"`
	Timezone   string              `json:"timezone"`
	Basis      Basis               `json:"basis"`
	Currency   string              `json:"currency"`
	Currencies []string            `json:"currencies"`
	Cycle      cycleAnswer         `json:"cycle"`
	Last       cycleAnswer         `json:"last_cycle"`
	ToDate     int64               `json:"to_date_micro"`
	Day        int64               `json:"average_day_micro" description:"of the cycle to date"`
	Forecast   int64               `json:"forecast_micro" description:"at the end of the cycle: the charges that are known, and for the hours that are left the present shares"`
	LastMicro  int64               `json:"last_cycle_micro"`
	Lines      []profileCostOfItem `json:"lines" description:"by service and add-on; the plan's fee is the account's"`
}

type profileCostOfItem struct {
	Kind     string `json:"kind" enum:"service,addon"`
	Item     string `json:"item"`
	ToDate   int64  `json:"to_date_micro"`
	Forecast int64  `json:"forecast_micro"`
	Last     int64  `json:"last_cycle_micro"`
}

func (s *Service) getProfileCost(ctx context.Context, who auth.Caller, in profileCostInput) (profileCostAnswer, error) {
	var out profileCostAnswer
	p, err := s.profiles.Owned(ctx, who, in.ID)
	if err == nil && who.Kind == auth.Profile && who.Reach != auth.ReachAccount {
		err = auth.LacksReach(who.Reach)
	}
	if err != nil {
		return out, err
	}
	acc, err := s.accounts.Get(ctx, p.Account)
	if err != nil {
		return out, err
	}
	choice, err := s.choiceOf(ctx, acc.ID)
	if err != nil {
		return out, err
	}
	basis, err := s.parseBasis(ctx, acc.ID, in.Basis, choice)
	if err != nil {
		return out, err
	}
	f, err := s.forecast(ctx, acc, basis)
	if err != nil {
		return out, err
	}
	from, to := usage.Cycle(acc, f.From-1)
	last, err := s.costOf(ctx, acc, from, to, basis, false)
	if err != nil {
		return out, err
	}
	all, currency, err := s.currencies(append(slices.Clone(last.charges), f.Sofar.charges...), in.Currency)
	if err != nil {
		return out, err
	}
	out = profileCostAnswer{Profile: p.ID, Name: p.Name, Timezone: acc.Location().String(), Basis: basis, Currency: currency, Currencies: all,
		Cycle: cycleAnswer{web.Millis(f.From), web.Millis(f.To)}, Last: cycleAnswer{web.Millis(from), web.Millis(to)}, Lines: []profileCostOfItem{}}
	type key struct{ kind, item string }
	sums := map[key]*profileCostOfItem{}
	each := func(lines []Line, do func(x *profileCostOfItem, micro int64)) {
		for _, l := range lines {
			if l.Profile != p.ID || l.Currency != currency {
				continue
			}
			k := key{wireKind(l.Kind), l.Item}
			if sums[k] == nil {
				sums[k] = &profileCostOfItem{Kind: k.kind, Item: k.item}
			}
			do(sums[k], l.Micro)
		}
	}
	each(f.Sofar.Lines, func(x *profileCostOfItem, n int64) { x.ToDate += n; x.Forecast += n })
	each(f.Rest, func(x *profileCostOfItem, n int64) { x.Forecast += n })
	each(last.Lines, func(x *profileCostOfItem, n int64) { x.Last += n })
	for _, x := range sums {
		out.Lines = append(out.Lines, *x)
		out.ToDate += x.ToDate
		out.Forecast += x.Forecast
		out.LastMicro += x.Last
	}
	slices.SortFunc(out.Lines, func(a, b profileCostOfItem) int {
		return cmp.Or(cmp.Compare(slices.Index(kindWords, a.Kind), slices.Index(kindWords, b.Kind)), cmp.Compare(b.Forecast, a.Forecast), cmp.Compare(a.Item, b.Item))
	})
	if hours := (s.now() - f.From) / hour; hours > 0 {
		out.Day = out.ToDate * 24 / hours
	}
	return out, nil
}
