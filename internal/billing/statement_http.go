package billing

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
)

// statementRoutes are those of statements.
func (s *Service) statementRoutes() []web.Route {
	tags := web.Tags("billing")
	return []web.Route{
		web.Handle("GET /billing/statement", "What a month comes to, by profile, of some profiles or of all: statements as they were issued, and drafts of those that were not.", ofOwner, s.getMonth, tags),
		web.Handle("POST /billing/statement", "Issue the statements of a month that is over, of some profiles or of all. Those that are issued already come back as they are.", ofOwner, s.postStatements, tags),
		web.Handle("GET /billing/statement/issued", "List the statements that were issued, latest first; filter by profile and month.", ofOwner, s.listIssued, tags),
		web.Handle("GET /billing/statement/zip", "The statements of a month, of some profiles or of all, as one ZIP: a summary, and each as CSV and as page.", ofOwner, s.getZip, tags),
		web.Handle("GET /billing/statement/{id}", "A statement, as JSON or, by format, as csv or as a page to print (html).", ofOwner, s.getStatement, tags),
		web.Handle("POST /billing/statement/{id}/correction", "Put a statement right by a line of the profile's next one, or at once by a statement of its own.", ofOwner, s.postCorrection, tags),
	}
}

// entryInfo is a line on the wire. Quantities are in units.
type entryInfo struct {
	Kind     EntryKind `json:"kind"`
	Item     string    `json:"item" description:"the service, or the id of a correction"`
	Text     string    `json:"text"`
	Quantity *float64  `json:"quantity" description:"in units; null for a correction"`
	Unit     string    `json:"unit"`
	Included *float64  `json:"included,omitzero" description:"units that are free"`
	Price    *int64    `json:"price_micro,omitzero" description:"millionths of the currency for as many units as per says"`
	Per      *int64    `json:"per,omitzero"`
	Fee      *int64    `json:"fee_cents,omitzero" description:"for the whole month"`
	Cost     *int64    `json:"cost_micro,omitzero" description:"millionths of the currency that the profile cost"`
	Markup   *int64    `json:"markup_bp,omitzero"`
	Cents    int64     `json:"cents"`
}

func wireEntry(e Entry, currency string) entryInfo {
	w := entryInfo{Kind: e.Kind, Item: e.Item, Text: e.Text, Unit: e.unit(currency), Cents: e.Cents}
	number := func(v float64) *float64 { return &v }
	switch e.Kind {
	case EntryFee:
		w.Quantity, w.Fee = number(float64(e.Quantity)), &e.Price
	case EntryService:
		svc := plan.Service(e.Item)
		w.Quantity, w.Included, w.Price, w.Per = number(plan.Wire(svc, e.Quantity)), number(plan.Wire(svc, e.Included)), &e.Price, &e.Per
	case EntryCost:
		w.Quantity, w.Cost, w.Markup = number(float64(e.Quantity)/1e6), &e.Quantity, &e.Price
	}
	return w
}

// statementInfo is a statement on the wire.
type statementInfo struct {
	ID        *id.Statement    `json:"id" description:"null for a draft"`
	Number    *int64           `json:"number" description:"counts the statements of the account; null for a draft"`
	Kind      StatementKind    `json:"kind"`
	Corrects  *id.Statement    `json:"corrects" description:"the statement that a correcting one puts right"`
	Profile   id.Profile       `json:"profile"`
	Name      string           `json:"profile_name"`
	Month     string           `json:"month"`
	Zone      string           `json:"timezone"`
	From      web.Time         `json:"from"`
	To        web.Time         `json:"to"`
	Hours     int64            `json:"hours" description:"of the month that the profile was the account's"`
	Of        int64            `json:"hours_of_month"`
	Card      id.Card          `json:"card"`
	Version   int64            `json:"card_version"`
	Currency  string           `json:"currency"`
	Sender    string           `json:"sender"`
	Reference string           `json:"customer_reference"`
	Customer  string           `json:"customer_name"`
	Address   string           `json:"customer_address"`
	Notes     string           `json:"notes"`
	Lines     []entryInfo      `json:"lines"`
	Subtotal  int64            `json:"subtotal_cents" description:"what the lines add up to"`
	TaxText   string           `json:"tax_text"`
	TaxBP     int64            `json:"tax_bp"`
	Tax       int64            `json:"tax_cents"`
	Total     int64            `json:"total_cents"`
	IssuedAt  *web.Time        `json:"issued_at"`
	Hash      string           `json:"hash" description:"SHA-256 of the statement as it is kept"`
	Fixes     []correctionInfo `json:"corrections,omitzero"`
}

func wireStatement(st Statement) statementInfo {
	w := statementInfo{Kind: st.Kind, Profile: st.Profile, Name: st.Name, Month: st.Month, Zone: st.Zone, From: web.Millis(st.From), To: web.Millis(st.To),
		Hours: st.Hours, Of: st.Of, Card: st.Card, Version: st.Version, Currency: st.Currency, Sender: st.Sender, Reference: st.Customer.Reference,
		Customer: st.Customer.Name, Address: st.Customer.Address, Notes: st.Notes, Lines: []entryInfo{}, Subtotal: st.Subtotal, TaxText: st.TaxText, TaxBP: st.TaxBP, Tax: st.Tax,
		Total: st.Total, Hash: st.hash}
	if st.Number > 0 {
		w.ID, w.Number, w.IssuedAt = &st.ID, &st.Number, web.MaybeMillis(&st.IssuedAt)
	}
	if st.Corrects != "" {
		w.Corrects = &st.Corrects
	}
	for _, e := range st.Lines {
		w.Lines = append(w.Lines, wireEntry(e, st.Currency))
	}
	return w
}

type correctionInfo struct {
	ID     id.Correction `json:"id"`
	Text   string        `json:"text"`
	Cents  int64         `json:"cents"`
	MadeAt web.Time      `json:"created_at"`
	On     *id.Statement `json:"statement" description:"the statement that has it as a line; null while none has"`
}

func wireCorrection(c Correction) correctionInfo {
	w := correctionInfo{ID: c.ID, Text: c.Text, Cents: c.Cents, MadeAt: web.Millis(c.MadeAt)}
	if c.On != "" {
		w.On = &c.On
	}
	return w
}

// monthRow is a profile of a month.
type monthRow struct {
	Profile   id.Profile     `json:"profile"`
	Name      string         `json:"name"`
	Status    string         `json:"status" enum:"issued,draft,none" description:"none: no statement can be made; reason says why"`
	Reason    string         `json:"reason,omitempty"`
	Statement *statementInfo `json:"statement"`
}

type monthInfo struct {
	Month    string           `json:"month"`
	From     web.Time         `json:"from"`
	To       web.Time         `json:"to"`
	Due      web.Time         `json:"issue_from" description:"when its statements can be issued"`
	Count    int              `json:"count" description:"profiles that were the account's in the month, or were named"`
	Profiles []monthRow       `json:"profiles" description:"of this page"`
	Totals   map[string]int64 `json:"totals_cents" description:"of this page, by currency"`
}

// mostDrafts is how many profiles a page of a month has: each is measured.
const mostDrafts = 100

// mostNamed is how many profiles a query may name: an address with that many goes through the usual proxies.
const mostNamed = 200

// namedIn are the profiles that a query is about.
type namedIn struct {
	Profiles []id.Profile `query:"profiles" description:"ids, at most 200; absent for all"`
}

// Validate leaves out empty ids: the client library sends null as one.
func (in *namedIn) Validate() error {
	in.Profiles = slices.DeleteFunc(in.Profiles, func(p id.Profile) bool { return p == "" })
	if len(in.Profiles) > mostNamed {
		return fault.Field("profiles", "must have at most %d", mostNamed)
	}
	return nil
}

type monthQuery struct {
	Month string `query:"month" required:"true" example:"2026-11"`
	namedIn
	web.List
}

func (s *Service) getMonth(ctx context.Context, who auth.Caller, in monthQuery) (monthInfo, error) {
	b, err := s.billOfMonth(ctx, who.AccountID, in.Month)
	if err != nil {
		return monthInfo{}, err
	}
	cs, err := b.customers(ctx, in.Profiles)
	if err != nil {
		return monthInfo{}, err
	}
	out := monthInfo{Month: b.name(), From: web.Millis(b.whole.from), To: web.Millis(b.whole.to), Due: web.Millis(b.whole.to + settled), Count: len(cs),
		Profiles: []monthRow{}, Totals: map[string]int64{}}
	in.Cap(mostDrafts)
	cs = cs[min(int64(len(cs)), in.Offset()):]
	cs = cs[:min(len(cs), in.Amount)]
	old, err := s.issuedOf(ctx, b.account.ID, b.name(), cs)
	if err != nil {
		return monthInfo{}, err
	}
	ds, err := b.drafts(ctx, slices.DeleteFunc(slices.Clone(cs), func(c customer) bool { _, ok := old[c.profile]; return ok }))
	if err != nil {
		return monthInfo{}, err
	}
	for _, c := range cs {
		row := monthRow{Profile: c.profile, Name: c.name, Status: "issued"}
		st, ok := old[c.profile]
		if !ok {
			d := ds[slices.IndexFunc(ds, func(d drafted) bool { return d.customer.profile == c.profile })]
			st, row.Reason, row.Status = d.state, d.reason, "draft"
			if d.reason != "" {
				row.Status = "none"
				out.Profiles = append(out.Profiles, row)
				continue
			}
		}
		w := wireStatement(st)
		row.Statement = &w
		out.Totals[st.Currency] += st.Total
		out.Profiles = append(out.Profiles, row)
	}
	return out, nil
}

type issueIn struct {
	Month    string       `json:"month" required:"true" example:"2026-11"`
	Profiles []id.Profile `json:"profiles" description:"absent or empty for all"`
}

type issuedInfo struct {
	New        int             `json:"issued" description:"by this request"`
	Old        int             `json:"issued_before"`
	Left       int             `json:"left" description:"profiles that the same request, sent again, will come to"`
	Statements []statementLine `json:"statements" description:"also those that were issued before; at most a thousand"`
	Skipped    []Skipped       `json:"skipped"`
}

// statementLine is a statement in a list.
type statementLine struct {
	ID       id.Statement  `json:"id"`
	Number   int64         `json:"number"`
	Kind     StatementKind `json:"kind"`
	Profile  id.Profile    `json:"profile"`
	Name     string        `json:"profile_name"`
	Month    string        `json:"month"`
	Total    int64         `json:"total_cents"`
	Currency string        `json:"currency"`
	IssuedAt web.Time      `json:"issued_at"`
	Hash     string        `json:"hash"`
}

func listed(st Statement) statementLine {
	return statementLine{st.ID, st.Number, st.Kind, st.Profile, st.Name, st.Month, st.Total, st.Currency, web.Millis(st.IssuedAt), st.hash}
}

func (s *Service) postStatements(ctx context.Context, who auth.Caller, in issueIn) (issuedInfo, error) {
	if len(in.Profiles) > mostIssued {
		return issuedInfo{}, fault.Field("profiles", "must have at most %d", mostIssued)
	}
	got, err := s.Issue(ctx, who, in.Month, in.Profiles)
	if err != nil {
		return issuedInfo{}, err
	}
	out := issuedInfo{New: got.New, Old: got.Old, Left: got.Left, Statements: []statementLine{}, Skipped: got.Skipped}
	for _, st := range got.Statements {
		out.Statements = append(out.Statements, listed(st))
	}
	return out, nil
}

func (s *Service) listIssued(ctx context.Context, who auth.Caller, in listIn) ([]statementLine, error) {
	in.Cap(200)
	w := sqldb.NewWhere("account = ?", string(who.AccountID))
	if p := in.Filter.Get("profile"); p != "" {
		w.And("profile = ?", p)
	}
	if m := in.Filter.Get("month"); m != "" {
		if _, err := parseMonth(m); err != nil {
			return nil, fault.Field("filter[month]", "must be a month such as 2026-11")
		}
		w.And("month = ?", m)
	}
	sts, err := sqldb.All(ctx, s.db, scanStatement, `SELECT document, hash FROM statement`+w.SQL()+` ORDER BY number DESC LIMIT `+w.Arg(in.Limit())+` OFFSET `+w.Arg(in.Offset()), w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("list statements: %w", err)
	}
	out := []statementLine{}
	for _, st := range sts {
		out = append(out, listed(st))
	}
	return out, nil
}

type zipIn struct {
	Month string `query:"month" required:"true" example:"2026-11"`
	namedIn
}

func (s *Service) getZip(ctx context.Context, who auth.Caller, in zipIn) (web.Raw, error) {
	from, err := s.Archive(ctx, who.AccountID, in.Month, in.Profiles)
	if err != nil {
		return web.Raw{}, err
	}
	return web.Raw{Type: "application/zip", From: from, Header: http.Header{"Content-Disposition": {`attachment; filename="statements-` + in.Month + `.zip"`}}}, nil
}

type statementIn struct {
	ID     id.Statement `path:"id"`
	Format string       `query:"format" enum:"json,csv,html"`
}

// getStatement answers in one of three forms, so what it returns is the envelope's result or a web.Raw.
func (s *Service) getStatement(ctx context.Context, who auth.Caller, in statementIn) (any, error) {
	if !slices.Contains([]string{"", "json", "csv", "html"}, in.Format) {
		return nil, fault.Field("format", "must be json, csv or html")
	}
	st, err := s.Statement(ctx, who.AccountID, in.ID)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	switch in.Format {
	case "csv":
		if err := st.table(&out); err != nil {
			return nil, err
		}
		return web.Raw{Type: "text/csv; charset=utf-8", Body: out.Bytes(), Header: http.Header{"Content-Disposition": {`attachment; filename="` + st.file("csv") + `"`}}}, nil
	case "html":
		if err := s.page(ctx, &out, st); err != nil {
			return nil, err
		}
		return web.Raw{Type: "text/html; charset=utf-8", Body: out.Bytes(), Header: http.Header{"Content-Security-Policy": {pagePolicy + "; frame-ancestors 'none'"}}}, nil
	}
	fixes, err := s.correctionsOf(ctx, st.Account, st.ID)
	if err != nil {
		return nil, err
	}
	w := wireStatement(st)
	w.Fixes = []correctionInfo{}
	for _, c := range fixes {
		w.Fixes = append(w.Fixes, wireCorrection(c))
	}
	return w, nil
}

type correctionIn struct {
	ID    id.Statement `path:"id"`
	Text  string       `json:"text" required:"true" description:"what it is for: one line"`
	Cents int64        `json:"cents" required:"true" description:"what is added; negative for what is given back"`
	Key   string       `json:"key" description:"makes the same request, sent again, the same correction"`
	Own   bool         `json:"own" description:"issue a statement of its own at once"`
}

func (in *correctionIn) Validate() error {
	in.Text = strings.TrimSpace(in.Text)
	if err := check.Line("text", in.Text, 1, maxLine); err != nil {
		return err
	}
	if in.Cents == 0 || in.Cents < -maxCorrection || in.Cents > maxCorrection {
		return fault.Field("cents", "must be a whole number other than 0, from -%d to %d", int64(maxCorrection), int64(maxCorrection))
	}
	return check.Line("key", in.Key, 0, 64)
}

func (s *Service) postCorrection(ctx context.Context, who auth.Caller, in correctionIn) (correctionInfo, error) {
	c, err := s.Correct(ctx, who, in.ID, Correction{Text: in.Text, Cents: in.Cents, Key: in.Key}, in.Own)
	if err != nil {
		return correctionInfo{}, err
	}
	return wireCorrection(c), nil
}
