package billing

import (
	"context"
	"fmt"
	"strings"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/check"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/kit/web"
)

func (s *Service) paymentRoutes() []web.Route {
	billing := web.Tags("billing")
	return []web.Route{
		web.Handle("GET /account/payment_method", "The card on record: there is none, and the balance of credits that were not paid out.", ofOwner, s.getMethod, billing),
		web.Handle("POST /account/payment_method", "Refuses a card, with the reason: this server takes none.", ofOwner, s.postMethod, billing),
		web.Handle("DELETE /account/payment_method", "Would remove a card: there is none.", ofOwner, s.deleteMethod, billing),
		web.Handle("GET /account/billing", "Whom invoices are made out to.", ofOwner, s.getBilling, billing),
		web.Handle("PUT /account/billing", "Changes whom invoices are made out to: what is absent stays, null or an empty text clears. Issued invoices stay as they are.", ofOwner, s.putBilling, billing),
		web.Handle("GET /account/payment_history", "The invoices of the account, latest first.", ofOwner, s.getHistory, billing),
	}
}

type card struct{}

type methodResult struct {
	Card     *card     `json:"card"`
	Balance  balance   `json:"balance" description:"in the currency of the catalogue"`
	Balances []balance `json:"balances" description:"of every currency that something is owed in"`
}

type balance struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

func (s *Service) getMethod(ctx context.Context, who auth.Caller, _ struct{}) (methodResult, error) {
	owed, err := sqldb.All(ctx, s.db, func(r sqldb.Scanner) (b balance, err error) { return b, r.Scan(&b.Amount, &b.Currency) },
		`SELECT CAST(SUM(-cents) AS BIGINT), currency FROM invoice WHERE account = $1 AND status = 'credit' GROUP BY currency ORDER BY currency`, string(who.AccountID))
	if err != nil {
		return methodResult{}, fmt.Errorf("read credits: %w", err)
	}
	out := methodResult{Balance: balance{Currency: s.plans.Currency()}, Balances: append([]balance{}, owed...)}
	for _, b := range owed {
		if b.Currency == out.Balance.Currency {
			out.Balance = b
		}
	}
	return out, nil
}

type methodInput struct {
	Name  *string `json:"name"`
	Token *string `json:"token"`
}

func (s *Service) postMethod(_ context.Context, _ auth.Caller, in methodInput) (string, error) {
	if in.Token == nil || *in.Token == "" {
		return "", fault.Field("token", "is missing")
	}
	if s.config.Payment == ManualPayment {
		return "", fault.New(fault.Conflict, "This server takes no cards: it issues invoices, which are paid to whoever runs it")
	}
	return "", fault.New(fault.Conflict, "This server takes no cards: nothing has to be paid here")
}

func (s *Service) deleteMethod(context.Context, auth.Caller, struct{}) (string, error) {
	return "", fault.New(fault.NotFound, "Payment Method Not Found: this server takes no cards")
}

// billing is what an account has said about itself for its invoices, and when; its company is that of the account until it says otherwise.
func (s *Service) billing(ctx context.Context, acc account.Account) (b BillTo, at int64, err error) {
	type saved struct {
		BillTo
		at int64
	}
	x, ok, err := sqldb.One(ctx, s.db, func(r sqldb.Scanner) (x saved, err error) {
		return x, r.Scan(&x.Company, &x.Country, &x.State, &x.City, &x.Street, &x.ZipCode, &x.Comments, &x.at)
	}, `SELECT company, country, state, city, street, zip_code, comments, updated_at FROM billing_information WHERE account = $1`, string(acc.ID))
	if err != nil {
		return b, 0, fmt.Errorf("read billing information: %w", err)
	}
	if !ok && acc.Company != nil {
		x.Company = *acc.Company
	}
	if !ok {
		x.at = acc.CreatedAt.UnixMilli()
	}
	return x.BillTo, x.at, nil
}

// Information is GET /account/billing.
type Information struct {
	Account   id.Account    `json:"account"`
	Company   string        `json:"company"`
	Country   *string       `json:"country"`
	State     *string       `json:"state"`
	City      *string       `json:"city"`
	Street    *string       `json:"street"`
	ZipCode   *string       `json:"zip_code"`
	Comments  *string       `json:"comments"`
	Method    *methodResult `json:"payment_method"`
	UpdatedAt web.Time      `json:"updated_at"`
}

func maybe(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (s *Service) getBilling(ctx context.Context, who auth.Caller, _ struct{}) (Information, error) {
	acc, err := s.accounts.Get(ctx, who.AccountID)
	if err != nil {
		return Information{}, err
	}
	b, at, err := s.billing(ctx, acc)
	return Information{Account: acc.ID, Company: b.Company, Country: maybe(b.Country), State: maybe(b.State), City: maybe(b.City), Street: maybe(b.Street),
		ZipCode: maybe(b.ZipCode), Comments: maybe(b.Comments), UpdatedAt: web.Millis(at)}, err
}

type billingInput struct {
	Company  web.Opt[string] `json:"company"`
	Country  web.Opt[string] `json:"country"`
	State    web.Opt[string] `json:"state"`
	City     web.Opt[string] `json:"city"`
	Street   web.Opt[string] `json:"street"`
	ZipCode  web.Opt[string] `json:"zip_code"`
	Comments web.Opt[string] `json:"comments"`
}

const (
	maxBilling  = 200
	maxComments = 2000
)

func (s *Service) putBilling(ctx context.Context, who auth.Caller, in billingInput) (string, error) {
	err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		if err := s.profiles.Lock(ctx, who.AccountID); err != nil {
			return err
		}
		acc, err := s.accounts.Get(ctx, who.AccountID)
		if err != nil {
			return err
		}
		b, _, err := s.billing(ctx, acc)
		if err != nil {
			return err
		}
		old := b
		for _, f := range []struct {
			name string
			in   web.Opt[string]
			to   *string
		}{{"company", in.Company, &b.Company}, {"country", in.Country, &b.Country}, {"state", in.State, &b.State}, {"city", in.City, &b.City},
			{"street", in.Street, &b.Street}, {"zip_code", in.ZipCode, &b.ZipCode}} {
			if !f.in.Set {
				continue
			}
			v := strings.TrimSpace(f.in.Value)
			if err := check.Line(f.name, v, 0, maxBilling); err != nil {
				return err
			}
			*f.to = v
		}
		if in.Comments.Set {
			if err := check.Prose("comments", in.Comments.Value, maxComments); err != nil {
				return err
			}
			b.Comments = strings.TrimSpace(in.Comments.Value)
		}
		if b == old {
			return nil
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO billing_information (account, company, country, state, city, street, zip_code, comments, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (account) DO UPDATE SET company = excluded.company, country = excluded.country, state = excluded.state,
			city = excluded.city, street = excluded.street, zip_code = excluded.zip_code, comments = excluded.comments, updated_at = excluded.updated_at`,
			string(acc.ID), b.Company, b.Country, b.State, b.City, b.Street, b.ZipCode, b.Comments, s.now()); err != nil {
			return fmt.Errorf("write billing information: %w", err)
		}
		return s.audit.Write(ctx, who, audit.Event{Account: acc.ID, Resource: "billing", ResourceID: string(acc.ID), Message: "Billing information changed", Before: old, After: b})
	})
	return "Billing Information Successfully Updated", err
}

type historyEntry struct {
	ID        id.Invoice `json:"stripe_id" description:"the invoice's id; the name is the client's"`
	Number    string     `json:"invoice_number"`
	Total     int64      `json:"total" description:"whole cents"`
	Currency  string     `json:"currency"`
	URL       string     `json:"receipt_url" description:"the printable page, for who is signed in"`
	Paid      bool       `json:"paid"`
	Status    Status     `json:"status"`
	Card      *card      `json:"card"`
	CreatedAt web.Time   `json:"created_at"`
}

const (
	historyAmount = 10
	mostHistory   = 1000
)

func (s *Service) getHistory(ctx context.Context, who auth.Caller, in struct {
	Amount  *int   `query:"amount" description:"at most so many; 10 unless said otherwise"`
	LastID  string `query:"last_id" description:"the last one that was seen"`
	Request *web.Request
}) ([]historyEntry, error) {
	amount := historyAmount
	if in.Amount != nil {
		if amount = *in.Amount; amount < 1 || amount > mostHistory {
			return nil, fault.Field("amount", "must be from 1 to %d", mostHistory)
		}
	}
	var before int64
	if in.LastID != "" {
		last, err := s.invoice(ctx, who.AccountID, id.Invoice(in.LastID))
		if fault.Is(err, fault.NotFound) {
			return nil, fault.Field("last_id", "%.40q is not an invoice of this account", in.LastID)
		}
		if err != nil {
			return nil, err
		}
		before = last.Number
	}
	xs, err := s.invoices(ctx, who.AccountID, "", before, int64(amount), 0)
	out := []historyEntry{}
	for _, x := range xs {
		out = append(out, historyEntry{ID: x.ID, Number: fmt.Sprint(x.Number), Total: x.Cents, Currency: x.Currency, Paid: x.Status == Settled, Status: x.Status,
			URL: in.Request.Public + "/account/invoice/" + string(x.ID) + "/page", CreatedAt: web.Millis(x.IssuedAt)})
	}
	return out, err
}
