package billing

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
	"paddock/internal/profile"
)

func (s *Service) invoiceRoutes() []web.Route {
	billing := web.Tags("billing")
	return []web.Route{
		web.Handle("GET /account/invoice", "The invoices of the account, latest first.", ofOwner, s.listInvoices, billing),
		web.Handle("GET /account/invoice/{id}", "An invoice with its lines, which are charges.", ofOwner, s.getInvoice, billing),
		web.Handle("GET /account/invoice/{id}/page", "An invoice as a page to print.", ofOwner, s.getInvoicePage, billing),
		web.Handle("GET /billing/invoice", "All invoices of the installation, latest first. For operators, signed in.", auth.SessionOnly, s.operatorInvoices, billing),
		web.Handle("GET /billing/invoice/{id}", "An invoice of any account with its lines. For operators, signed in.", auth.SessionOnly, s.operatorInvoice, billing),
		web.Handle("POST /billing/invoice/{id}/paid", "Marks an invoice as paid, or a credit as paid out. For operators, signed in.", auth.SessionOnly, s.postPaid, billing),
		web.Handle("POST /billing/invoice/{id}/void", "Takes an invoice back: another one with negative lines corrects it. For operators, signed in.", auth.SessionOnly, s.postVoid, billing),
	}
}

// InvoiceRow is an invoice in a list.
type InvoiceRow struct {
	ID          id.Invoice  `json:"id"`
	Number      int64       `json:"number"`
	Account     id.Account  `json:"account"`
	Total       int64       `json:"total" description:"whole cents"`
	Currency    string      `json:"currency"`
	Status      Status      `json:"status" enum:"open,paid,void,credit"`
	Overdue     bool        `json:"overdue"`
	Period      cycleResult `json:"period" description:"the cycle it was issued in"`
	IssuedAt    web.Time    `json:"issued_at"`
	DueAt       *web.Time   `json:"due_at" description:"null for one that asks for nothing"`
	SettledAt   *web.Time   `json:"settled_at" description:"when it was paid or taken back"`
	Note        *string     `json:"note" description:"of who settled it"`
	Corrects    *id.Invoice `json:"corrects" description:"the one it takes back"`
	CorrectedBy *id.Invoice `json:"corrected_by"`
	BillTo      BillTo      `json:"bill_to"`
}

// InvoiceResult is an invoice with its lines.
type InvoiceResult struct {
	InvoiceRow
	Lines []InvoiceLine `json:"lines"`
}

// InvoiceLine is a charge on an invoice.
type InvoiceLine struct {
	ID        id.Charge  `json:"id"`
	Text      string     `json:"text"`
	Kind      Kind       `json:"kind" enum:"plan,service,addon,figure,discount"`
	Item      string     `json:"item"`
	Profile   id.Profile `json:"profile" description:"of an add-on"`
	Amount    float64    `json:"amount" description:"of a service: the tier"`
	Cents     int64      `json:"cents" description:"negative for what is given back"`
	Start     web.Time   `json:"start"`
	End       web.Time   `json:"end"`
	GivesBack id.Charge  `json:"gives_back" description:"the charge of which this gives back the rest"`
}

func optional[T ~string](s T) *T {
	if s == "" {
		return nil
	}
	return &s
}

func optionalTime(ms int64) *web.Time {
	if ms == 0 {
		return nil
	}
	t := web.Millis(ms)
	return &t
}

func (s *Service) invoiceRow(x Invoice) InvoiceRow {
	return InvoiceRow{ID: x.ID, Number: x.Number, Account: x.Account, Total: x.Cents, Currency: x.Currency, Status: x.Status,
		Overdue: x.Status == Open && x.DueAt <= s.now(), Period: cycleResult{web.Millis(x.Period.from), web.Millis(x.Period.to)}, IssuedAt: web.Millis(x.IssuedAt),
		DueAt: optionalTime(x.DueAt), SettledAt: optionalTime(x.SettledAt), Note: optional(x.Note), Corrects: optional(x.Corrects), CorrectedBy: optional(x.CorrectedBy), BillTo: x.BillTo}
}

func (s *Service) invoiceResult(ctx context.Context, x Invoice) (InvoiceResult, error) {
	out := InvoiceResult{InvoiceRow: s.invoiceRow(x), Lines: []InvoiceLine{}}
	cs, err := s.lines(ctx, x.ID)
	if err != nil {
		return out, err
	}
	names, err := s.namesOf(ctx, cs)
	if err != nil {
		return out, err
	}
	for _, c := range cs {
		l := InvoiceLine{ID: c.ID, Text: lineText(c, names[c.Profile]), Kind: c.Kind, Item: c.Item, Profile: c.Profile, Cents: c.Cents, Start: web.Millis(c.Start), End: web.Millis(c.End), GivesBack: c.GivesBack}
		if c.Kind == ServiceFee || c.Kind == Figure {
			l.Amount = plan.Wire(plan.Service(c.Item), c.Amount)
		}
		out.Lines = append(out.Lines, l)
	}
	return out, nil
}

// namesOf are the names of profiles that charges name; those that are gone have none.
func (s *Service) namesOf(ctx context.Context, cs []Charge) (map[id.Profile]string, error) {
	out := map[id.Profile]string{}
	for _, c := range cs {
		if c.Profile == "" || out[c.Profile] != "" {
			continue
		}
		p, err := s.profiles.Get(ctx, c.Profile)
		if fault.Is(err, fault.NotFound) {
			p, err = profile.Profile{Name: string(c.Profile)}, nil
		}
		if err != nil {
			return nil, err
		}
		out[c.Profile] = p.Name
	}
	return out, nil
}

// lineText says what a charge pays for.
func lineText(c Charge, profile string) string {
	var text string
	switch c.Kind {
	case PlanFee:
		text = "Plan " + c.Item
	case ServiceFee:
		svc := plan.Service(c.Item)
		text = fmt.Sprintf("%s up to %s", svc.Name(), plan.Show(svc, c.Amount))
		switch svc {
		case plan.Analysis:
			text += " minutes"
		case plan.FileStorage:
			text += " MB"
		}
	case AddonFee:
		item, once := strings.CutSuffix(c.Item, onceMark)
		text = "Add-on " + item
		if once {
			text += ", set up once,"
		}
		text += " for " + profile
	default:
		text = c.Item
	}
	if c.GivesBack != "" {
		text += ", given back"
	}
	return text
}

type invoicePath struct {
	ID      string `path:"id"`
	Request *web.Request
}

func (s *Service) listInvoices(ctx context.Context, who auth.Caller, in struct{ List web.List }) ([]InvoiceRow, error) {
	return s.rows(ctx, who.AccountID, "", in.List)
}

func (s *Service) rows(ctx context.Context, a id.Account, status Status, l web.List) ([]InvoiceRow, error) {
	l.Cap(mostHistory)
	xs, err := s.invoices(ctx, a, status, 0, l.Limit(), l.Offset())
	out := []InvoiceRow{}
	for _, x := range xs {
		out = append(out, s.invoiceRow(x))
	}
	return out, err
}

func (s *Service) getInvoice(ctx context.Context, who auth.Caller, in invoicePath) (InvoiceResult, error) {
	x, err := s.invoice(ctx, who.AccountID, id.Invoice(in.ID))
	if err != nil {
		return InvoiceResult{}, err
	}
	return s.invoiceResult(ctx, x)
}

//go:embed invoice.html
var invoiceHTML string

var invoiceTemplate = template.Must(template.New("invoice").Funcs(template.FuncMap{"money": money, "day": func(t web.Time) string { return t.Time().UTC().Format(printedDay) },
	"upper": strings.ToUpper}).Parse(invoiceHTML))

func (s *Service) getInvoicePage(ctx context.Context, who auth.Caller, in invoicePath) (web.Raw, error) {
	x, err := s.invoice(ctx, who.AccountID, id.Invoice(in.ID))
	if err != nil {
		return web.Raw{}, err
	}
	r, err := s.invoiceResult(ctx, x)
	if err != nil {
		return web.Raw{}, err
	}
	corrects := int64(0)
	if x.Corrects != "" {
		c, err := s.invoice(ctx, "", x.Corrects)
		if err != nil {
			return web.Raw{}, err
		}
		corrects = c.Number
	}
	var page bytes.Buffer
	if err := invoiceTemplate.Execute(&page, map[string]any{"Seller": s.config.Name, "Invoice": r, "Corrects": corrects}); err != nil {
		return web.Raw{}, err
	}
	return web.Raw{Type: "text/html; charset=utf-8", Body: page.Bytes(), Header: http.Header{
		"Cache-Control": {"private, no-store"}, "Content-Security-Policy": {"default-src 'none'; style-src 'unsafe-inline'"},
	}}, nil
}

// operator refuses every session but those of operators.
func operator(who auth.Caller) error {
	if !who.Operator { // the rule of the routes lets sessions only in
		return auth.LacksOperator()
	}
	return nil
}

func (s *Service) operatorInvoices(ctx context.Context, who auth.Caller, in struct {
	Status  Status     `query:"status" enum:"open,overdue,paid,void,credit"`
	Account id.Account `query:"account"`
	List    web.List
}) ([]InvoiceRow, error) {
	if err := operator(who); err != nil {
		return nil, err
	}
	switch in.Status {
	case "", Open, overdue, Settled, Void, Credit:
	default:
		return nil, fault.Field("status", "must be open, overdue, paid, void or credit")
	}
	return s.rows(ctx, in.Account, in.Status, in.List)
}

func (s *Service) operatorInvoice(ctx context.Context, who auth.Caller, in invoicePath) (InvoiceResult, error) {
	if err := operator(who); err != nil {
		return InvoiceResult{}, err
	}
	x, err := s.invoice(ctx, "", id.Invoice(in.ID))
	if err != nil {
		return InvoiceResult{}, err
	}
	return s.invoiceResult(ctx, x)
}

const maxReason = 500

func (s *Service) postPaid(ctx context.Context, who auth.Caller, in struct {
	ID   string `path:"id"`
	Note string `json:"note" description:"such as the reference of a bank transfer"`
}) (string, error) {
	if err := operator(who); err != nil {
		return "", err
	}
	if err := check.Line("note", in.Note, 0, maxReason); err != nil {
		return "", err
	}
	return s.markPaid(ctx, who, id.Invoice(in.ID), in.Note)
}

func (s *Service) postVoid(ctx context.Context, who auth.Caller, in struct {
	ID     string `path:"id"`
	Reason string `json:"reason" required:"true" description:"the account reads it"`
}) (string, error) {
	if err := operator(who); err != nil {
		return "", err
	}
	reason, err := reasonOf(in.Reason)
	if err != nil {
		return "", err
	}
	return s.void(ctx, who, id.Invoice(in.ID), reason)
}

// reasonOf returns Invalid for a reason that is missing or no line of text.
func reasonOf(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", fault.Field("reason", "is missing: the account is told why")
	}
	return text, check.Line("reason", text, 1, maxReason)
}
