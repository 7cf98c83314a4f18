package billing

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"paddock/internal/account"
	"paddock/internal/audit"
	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/crash"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/sqldb"
	"paddock/internal/notify"
	"paddock/internal/plan"
)

// Payment is how accounts pay for what they are subscribed to.
type Payment string

const (
	NoPayment     Payment = "none"   // costs are computed and shown; nothing is asked for
	ManualPayment Payment = "manual" // invoices are issued, and an operator marks them paid
)

// DefaultDueDays is how long after its issue an invoice falls due.
const DefaultDueDays = 14

// Status is what has become of an invoice.
type Status string

const (
	Open    Status = "open"    // to be paid; overdue from its due date on
	Settled Status = "paid"    // by the word of an operator, or because it asks for nothing
	Void    Status = "void"    // an operator took it back: another invoice corrects it
	Credit  Status = "credit"  // it owes the account something; an operator marks it paid, too
	overdue Status = "overdue" // as a filter: open and due
)

// Invoice asks an account for the sum of the charges that name it. Its content is never changed.
type Invoice struct {
	ID          id.Invoice
	Number      int64 // of the installation, from 1 on without a gap
	Account     id.Account
	Key         string // unique in the account
	Cents       int64
	Currency    string
	Period      stretch // the cycle that it was issued in
	IssuedAt    int64
	DueAt       int64 // 0 for one that asks for nothing
	BillTo      BillTo
	Corrects    id.Invoice // that it takes back, else ""
	Status      Status
	SettledAt   int64  // when it became paid or void; 0 before
	SettledBy   string // the operator's account; "" for Paddock itself
	Note        string // of who settled it
	CorrectedBy id.Invoice
	Told        int64 // whom it was told: 0 nobody, 1 its account, 2 also that it is overdue
}

// BillTo is whom an invoice is made out to, as it was known when it was issued.
type BillTo struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Company  string `json:"company"`
	Country  string `json:"country"`
	State    string `json:"state"`
	City     string `json:"city"`
	Street   string `json:"street"`
	ZipCode  string `json:"zip_code"`
	Comments string `json:"comments"`
}

const invoiceColumns = `id, number, account, key, cents, currency, period_start, period_end, issued_at, due_at, bill_to, corrects, status, settled_at, settled_by, note, corrected_by, told`

func scanInvoice(r sqldb.Scanner) (x Invoice, err error) {
	var to string
	if err := r.Scan(&x.ID, &x.Number, &x.Account, &x.Key, &x.Cents, &x.Currency, &x.Period.from, &x.Period.to, &x.IssuedAt, &x.DueAt, &to, &x.Corrects,
		&x.Status, &x.SettledAt, &x.SettledBy, &x.Note, &x.CorrectedBy, &x.Told); err != nil {
		return x, err
	}
	if err := json.Unmarshal([]byte(to), &x.BillTo); err != nil {
		return x, fmt.Errorf("invoice %s: %w", x.ID, err)
	}
	return x, nil
}

// invoiceNow writes charges of a subscription and, where invoices are issued, one with them for each currency. It returns the number of the
// first, or 0 for none. It needs a transaction.
func (s *Service) invoiceNow(ctx context.Context, st state, key string, period stretch, charges []Charge) (int64, error) {
	var bills []dues
	currencies, of := byCurrencies(charges, st.cat.Currency())
	for i, currency := range currencies {
		b := dues{st: st, key: key, period: period, charges: of[currency]}
		if i > 0 {
			b.key += ":" + currency
		}
		bills = append(bills, b)
	}
	numbers, err := s.invoiceAll(ctx, bills)
	if err != nil {
		return 0, err
	}
	return cmp.Or(numbers...), nil
}

// dues are what an account is to be charged: all in one currency, that of the catalogue where charges have none.
type dues struct {
	st       state
	key      string
	period   stretch
	charges  []Charge
	corrects id.Invoice
}

// invoiceAll is invoiceNow for several. Numbers are given last, since from then on nobody else gets one until the commit.
func (s *Service) invoiceAll(ctx context.Context, bills []dues) ([]int64, error) {
	var out []Invoice
	var at []int // in bills
	for i, b := range bills {
		if len(b.charges) == 0 {
			continue
		}
		x := Invoice{ID: id.New[id.Invoice](), Account: b.st.acc.ID, Key: b.key, Currency: cmp.Or(b.charges[0].Currency, b.st.cat.Currency()), Period: b.period, IssuedAt: b.st.now, Corrects: b.corrects, Status: Open}
		for i := range b.charges {
			c := &b.charges[i]
			c.Account = b.st.acc.ID
			c.Currency = x.Currency
			if b.corrects == "" {
				c.Catalogue = b.st.cat.Version()
			}
			if s.config.Payment == ManualPayment {
				c.Invoice = x.ID
			}
		}
		made, err := s.AddCharges(ctx, b.charges...)
		if err != nil {
			return nil, err
		}
		if s.config.Payment != ManualPayment || len(made) == 0 {
			continue
		}
		switch x.Cents = sumOf(made); {
		case x.Cents > 0:
			x.DueAt = x.IssuedAt + int64(s.config.DueDays)*24*hour
		case x.Cents == 0:
			x.Status, x.SettledAt, x.Note = Settled, x.IssuedAt, "nothing to pay"
		default:
			x.Status = Credit
		}
		if x.BillTo, err = s.billTo(ctx, b.st.acc); err != nil {
			return nil, err
		}
		out, at = append(out, x), append(at, i)
	}
	numbers := make([]int64, len(bills))
	if len(out) == 0 {
		return numbers, nil
	}
	last, _, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `UPDATE invoice_count SET last = last + $1 WHERE name = 'invoice' RETURNING last`, int64(len(out)))
	if err != nil {
		return nil, fmt.Errorf("number invoices: %w", err)
	}
	for i := range out {
		x := &out[i]
		x.Number = last - int64(len(out)) + int64(i) + 1
		numbers[at[i]] = x.Number
		to, err := json.Marshal(x.BillTo)
		if err != nil {
			return nil, err
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO invoice (`+invoiceColumns+`) VALUES `+sqldb.Rows(1, 1, 18), string(x.ID), x.Number, string(x.Account), x.Key, x.Cents,
			x.Currency, x.Period.from, x.Period.to, x.IssuedAt, x.DueAt, string(to), string(x.Corrects), string(x.Status), x.SettledAt, x.SettledBy, x.Note, "", int64(0)); err != nil {
			return nil, fmt.Errorf("write an invoice: %w", err)
		}
	}
	return numbers, nil
}

// billTo is whom invoices of an account are made out to now.
func (s *Service) billTo(ctx context.Context, acc account.Account) (BillTo, error) {
	b, _, err := s.billing(ctx, acc)
	b.Name, b.Email = acc.Name, acc.Email
	return b, err
}

var invoiceNotFound = fault.New(fault.NotFound, "Invoice Not Found")

// invoice is one by its id; of an account, or of any when that is "".
func (s *Service) invoice(ctx context.Context, a id.Account, i id.Invoice) (Invoice, error) {
	x, ok, err := sqldb.One(ctx, s.db, scanInvoice, `SELECT `+invoiceColumns+` FROM invoice WHERE id = $1`, string(i))
	if err != nil {
		return x, fmt.Errorf("read an invoice: %w", err)
	}
	if !ok || a != "" && x.Account != a {
		return x, invoiceNotFound
	}
	return x, nil
}

// invoices are those that a filter lets through, latest first. Empty parts of it let everything through.
func (s *Service) invoices(ctx context.Context, a id.Account, status Status, before int64, amount, offset int64) ([]Invoice, error) {
	w := sqldb.NewWhere("number > ?", int64(0))
	if a != "" {
		w.And("account = ?", string(a))
	}
	switch status {
	case "":
	case overdue:
		w.And("status = ?", string(Open)).And("due_at <= ?", s.now())
	default:
		w.And("status = ?", string(status))
	}
	if before > 0 {
		w.And("number < ?", before)
	}
	q := `SELECT ` + invoiceColumns + ` FROM invoice` + w.SQL() + ` ORDER BY number DESC LIMIT `
	q += w.Arg(amount) + ` OFFSET ` + w.Arg(offset)
	out, err := sqldb.All(ctx, s.db, scanInvoice, q, w.Args()...)
	if err != nil {
		return nil, fmt.Errorf("list invoices: %w", err)
	}
	return out, nil
}

// lines are the charges of an invoice, in order.
func (s *Service) lines(ctx context.Context, i id.Invoice) ([]Charge, error) {
	out, err := sqldb.All(ctx, s.db, scanCharge, `SELECT `+chargeColumns+` FROM charge WHERE invoice = $1 ORDER BY made_at, id`, string(i))
	if err != nil {
		return nil, fmt.Errorf("read the lines of an invoice: %w", err)
	}
	slices.SortStableFunc(out, func(a, b Charge) int {
		x, y := thing{a.Kind, a.Item, a.Profile}, thing{b.Kind, b.Item, b.Profile}
		if a.Kind == b.Kind && plan.Index(plan.Service(a.Item)) == plan.Index(plan.Service(b.Item)) { // what is given back after what it is given back for
			return cmp.Or(cmp.Compare(len(a.GivesBack), len(b.GivesBack)), compareThings(x, y), cmp.Compare(a.ID, b.ID))
		}
		return compareThings(x, y)
	})
	return out, nil
}

// pastDue is what an account owes that is due, by currency, that of the invoice that was due first before the others, and that invoice.
func (s *Service) pastDue(ctx context.Context, a id.Account) (owed []balance, first id.Invoice, err error) {
	xs, err := sqldb.All(ctx, s.db, scanInvoice, `SELECT `+invoiceColumns+` FROM invoice WHERE account = $1 AND status = 'open' AND due_at <= $2 ORDER BY due_at, number`, string(a), s.now())
	if err != nil {
		return nil, "", fmt.Errorf("read what is due: %w", err)
	}
	for i, x := range xs {
		if i == 0 {
			first = x.ID
		}
		at := slices.IndexFunc(owed, func(b balance) bool { return b.Currency == x.Currency })
		if at < 0 {
			owed, at = append(owed, balance{Currency: x.Currency}), len(owed)
		}
		owed[at].Amount += x.Cents
	}
	return owed, first, nil
}

// holdInvoice is invoice for a transaction that will settle it.
func (s *Service) holdInvoice(ctx context.Context, i id.Invoice) (Invoice, error) {
	if _, err := s.db.Exec(ctx, `UPDATE invoice SET told = told + 0 WHERE id = $1`, string(i)); err != nil {
		return Invoice{}, fmt.Errorf("hold an invoice: %w", err)
	}
	return s.invoice(ctx, "", i)
}

// markPaid says that an invoice was paid, or a credit paid out. Once more it changes nothing. It returns conflict for one
// that is void.
func (s *Service) markPaid(ctx context.Context, who auth.Caller, i id.Invoice, note string) (string, error) {
	var answer string
	err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		x, err := s.holdInvoice(ctx, i)
		if err != nil {
			return err
		}
		switch x.Status {
		case Settled:
			answer = fmt.Sprintf("Invoice %d is paid already", x.Number)
			return nil
		case Void:
			return fault.New(fault.Conflict, "Invoice %d is void: it cannot be paid", x.Number)
		}
		answer = fmt.Sprintf("Invoice %d is paid", x.Number)
		return s.settleInvoice(ctx, who, x, Settled, note, "", "paid")
	})
	return answer, err
}

// settleInvoice writes the end of an invoice that is held.
func (s *Service) settleInvoice(ctx context.Context, who auth.Caller, x Invoice, to Status, note string, by id.Invoice, word string) error {
	if _, err := s.db.Exec(ctx, `UPDATE invoice SET status = $1, settled_at = $2, settled_by = $3, note = $4, corrected_by = $5 WHERE id = $6`,
		string(to), s.now(), string(who.AccountID), note, string(by), string(x.ID)); err != nil {
		return fmt.Errorf("settle an invoice: %w", err)
	}
	after := map[string]any{"status": to, "note": note}
	if by != "" {
		after["corrected_by"] = by
	}
	return s.audit.Write(ctx, operatorOf(who), audit.Event{Account: x.Account, Resource: "invoice", ResourceID: string(x.ID),
		Message: fmt.Sprintf("Invoice %d marked %s", x.Number, word), Before: map[string]any{"status": x.Status}, After: after})
}

// void takes an invoice back by another one with its lines negated. It returns conflict for one that is a correction itself,
// or of which a later invoice has given something back: that one must be taken back first.
func (s *Service) void(ctx context.Context, who auth.Caller, i id.Invoice, reason string) (string, error) {
	var answer string
	err := s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) error {
		x, err := s.invoice(ctx, "", i)
		if err != nil {
			return err
		}
		if err := s.profiles.Lock(ctx, x.Account); err != nil { // nobody upgrades meanwhile
			return err
		}
		if x, err = s.holdInvoice(ctx, i); err != nil {
			return err
		}
		switch {
		case x.Status == Void:
			answer = fmt.Sprintf("Invoice %d is void already", x.Number)
			return nil
		case x.Corrects != "":
			return fault.New(fault.Conflict, "Invoice %d corrects another one: it stays", x.Number)
		}
		later, ok, err := sqldb.One(ctx, s.db, sqldb.Value[int64], `SELECT invoice.number FROM charge AS line, charge AS back, invoice WHERE line.invoice = $1
			AND back.account = line.account AND back.end_at = line.end_at AND back.gives_back = line.id AND invoice.id = back.invoice AND invoice.status <> 'void' ORDER BY invoice.number DESC LIMIT 1`, string(i))
		if err != nil {
			return fmt.Errorf("find what was given back: %w", err)
		}
		if ok {
			return fault.New(fault.Conflict, "Invoice %d gives back a part of invoice %d: void that one first", later, x.Number)
		}
		old, err := s.lines(ctx, i)
		if err != nil {
			return err
		}
		var lines []Charge
		for _, c := range old {
			c.Key, c.GivesBack, c.Cents, c.ID = "void:"+string(c.ID), c.ID, -c.Cents, ""
			lines = append(lines, c)
		}
		acc, err := s.accounts.Get(ctx, x.Account)
		if fault.Is(err, fault.NotFound) { // its books stay
			acc, err = account.Account{ID: x.Account, Name: x.BillTo.Name, Email: x.BillTo.Email}, nil
		}
		if err != nil {
			return err
		}
		number, by, err := s.correct(ctx, who, acc, x, lines)
		if err != nil {
			return err
		}
		crash.At("invoice corrected, not void")
		answer = fmt.Sprintf("Invoice %d is void; invoice %d corrects it", x.Number, number)
		if err := s.settleInvoice(ctx, who, x, Void, reason, by, "void"); err != nil {
			return err
		}
		return s.notify.Raise(ctx, notify.Event{To: []id.Account{x.Account}, Kind: notify.Billing, Title: fmt.Sprintf("Invoice %d is void", x.Number),
			Items: []notify.Item{{Message: fmt.Sprintf("Invoice %d over %s was taken back: %s. Invoice %d corrects it.", x.Number, money(x.Cents, x.Currency), reason, number)}},
			Page:  invoicePage, Action: "See the invoices"})
	})
	return answer, err
}

// correct issues the invoice that takes another one back. The two settle each other, unless the other one was paid: then this
// one is owed.
func (s *Service) correct(ctx context.Context, who auth.Caller, acc account.Account, x Invoice, lines []Charge) (int64, id.Invoice, error) {
	st := state{acc: acc, cat: s.plans.Now(), now: s.now()}
	key := "void:" + string(x.ID)
	numbers, err := s.invoiceAll(ctx, []dues{{st: st, key: key, period: x.Period, charges: lines, corrects: x.ID}})
	if err != nil {
		return 0, "", err
	}
	by, _, err := sqldb.One(ctx, s.db, sqldb.Value[id.Invoice], `SELECT id FROM invoice WHERE account = $1 AND key = $2`, string(x.Account), key)
	if err != nil {
		return 0, "", fmt.Errorf("read an invoice: %w", err)
	}
	if x.Status != Settled {
		if _, err := s.db.Exec(ctx, `UPDATE invoice SET status = $1, settled_at = $2, settled_by = $3, note = $4, due_at = $5, told = $6 WHERE id = $7`, string(Void), st.now,
			string(who.AccountID), fmt.Sprintf("takes back invoice %d, which was not paid", x.Number), int64(0), int64(1), string(by)); err != nil {
			return 0, "", fmt.Errorf("settle an invoice: %w", err)
		}
	}
	return numbers[0], by, nil
}

// Tell tells accounts of new invoices, and accounts and operators of those that are overdue, each once: also of what is due at once
// not before it is a day old.
func (s *Service) Tell(ctx context.Context) error {
	ctx = sqldb.As(ctx, tenant)
	if err := s.tellAll(ctx, `SELECT `+invoiceColumns+` FROM invoice WHERE told = 0 AND number > $1 ORDER BY number LIMIT 200`, 1); err != nil {
		return err
	}
	return s.tellAll(ctx, `SELECT `+invoiceColumns+` FROM invoice WHERE status = 'open' AND told < 2 AND due_at <= `+fmt.Sprint(s.now())+` AND issued_at <= `+fmt.Sprint(s.now()-24*hour)+` AND number > $1 ORDER BY number LIMIT 200`, 2)
}

func (s *Service) tellAll(ctx context.Context, q string, what int64) error {
	for last := int64(0); ; {
		xs, err := sqldb.All(ctx, s.db, scanInvoice, q, last)
		if err != nil {
			return fmt.Errorf("find invoices to tell: %w", err)
		}
		for _, x := range xs {
			last = x.Number
			if err := s.tell(ctx, x, what); err != nil {
				return err
			}
			crash.At("invoice told")
		}
		if len(xs) == 0 {
			return nil
		}
	}
}

func (s *Service) tell(ctx context.Context, x Invoice, what int64) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		q := `UPDATE invoice SET told = $1 WHERE id = $2 AND told < $3`
		if what == 2 {
			q += ` AND status = 'open'`
		}
		n, err := s.db.Exec(ctx, q, what, string(x.ID), what)
		if err != nil || n == 0 {
			return err
		}
		sum := money(x.Cents, x.Currency)
		e := notify.Event{To: []id.Account{x.Account}, Kind: notify.Billing, Title: fmt.Sprintf("Invoice %d over %s", x.Number, sum), Page: invoicePage, Action: "See the invoices"}
		message := fmt.Sprintf("Invoice %d over %s was issued.", x.Number, sum)
		if x.DueAt > 0 {
			message = fmt.Sprintf("Invoice %d over %s was issued. It is due on %s.", x.Number, sum, day(x.DueAt))
		}
		if what == 2 {
			e.Title = fmt.Sprintf("Invoice %d is overdue", x.Number)
			message = fmt.Sprintf("Invoice %d of %s over %s was due on %s and is not marked as paid. Nothing stops by itself.", x.Number, addressee(x.BillTo), sum, day(x.DueAt))
			operators, err := s.accounts.Operators(ctx)
			if err != nil {
				return err
			}
			e.To = append(e.To, operators...)
		}
		e.Items = []notify.Item{{Message: message, Data: map[string]any{"invoice": x.ID, "number": x.Number, "total": x.Cents, "currency": x.Currency, "due_at": x.DueAt}}}
		return s.notify.Raise(ctx, e)
	})
}

// addressee is whom an invoice is made out to, in a sentence.
func addressee(b BillTo) string {
	if b.Company != "" {
		return b.Company
	}
	return b.Name
}

// tenant is whose turn the work of this room's jobs takes.
const tenant = "billing"

// operatorOf marks who acts for the installation, so that the log does not take them for a member.
func operatorOf(who auth.Caller) auth.Caller {
	if who.Kind != auth.System {
		who.Kind = audit.Operator
	}
	return who
}
