package billing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"paddock/internal/id"
	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/plan"
	"paddock/internal/usage"
)

// Statement is what a customer is told of a month. Once issued it is never changed: what was wrong is put right by a line
// of a later one. Its JSON is the document that is kept, with its hash.
type Statement struct {
	ID       id.Statement  `json:"id"`
	Account  id.Account    `json:"account"`
	Number   int64         `json:"number"` // counts the account's statements from 1 without gaps; 0 for a draft
	Kind     StatementKind `json:"kind"`
	Corrects id.Statement  `json:"corrects,omitempty"` // of a correcting one
	Profile  id.Profile    `json:"profile"`
	Name     string        `json:"name"`  // of the profile
	Month    string        `json:"month"` // 2026-11
	Zone     string        `json:"zone"`  // the time zone whose month it is
	From     int64         `json:"from"`  // UTC ms; where the statement of the month before ended
	To       int64         `json:"to"`
	Hours    int64         `json:"hours"` // that the profile was the account's
	Of       int64         `json:"of"`    // hours of the month
	Card     id.Card       `json:"card"`
	Version  int64         `json:"card_version"`
	Currency string        `json:"currency"`
	Sender   string        `json:"sender"`
	Customer Customer      `json:"customer"`
	Logo     string        `json:"logo"` // the hash of a picture; "" for none
	Notes    string        `json:"notes"`
	Lines    []Entry       `json:"lines"`
	Subtotal int64         `json:"subtotal_cents"`
	TaxText  string        `json:"tax_text"`
	TaxBP    int64         `json:"tax_bp"`
	Tax      int64         `json:"tax_cents"`
	Total    int64         `json:"total_cents"`
	IssuedAt int64         `json:"issued_at"` // UTC ms; 0 for a draft

	hash string // of the document as it is kept; "" for a draft
}

// StatementKind says whether a statement is of a month's usage or only puts an earlier one right.
type StatementKind string

const (
	OfMonth     StatementKind = "month"
	OfCorrected StatementKind = "correction"
)

// Entry is a line of a statement: its cents follow from the other numbers.
type Entry struct {
	Kind     EntryKind `json:"kind"`
	Item     string    `json:"item"`     // the service, or the id of a correction
	Text     string    `json:"text"`     // for people
	Quantity int64     `json:"quantity"` // base units of a service, hours of the fee, micro-units of cost
	Included int64     `json:"included"` // base units that are free
	Price    int64     `json:"price"`    // micro for Per units; of the fee cents a month; of cost the markup
	Per      int64     `json:"per"`      // units; of the fee the hours of the month
	Cents    int64     `json:"cents"`
}

// Hash is the SHA-256 of the document as it is kept, in hex; "" for a draft.
func (s Statement) Hash() string { return s.hash }

// EntryKind says what a line is for.
type EntryKind string

const (
	EntryFee        EntryKind = "fee"
	EntryService    EntryKind = "service"
	EntryCost       EntryKind = "cost"
	EntryCorrection EntryKind = "correction"
)

// Measured is what of a month a statement bills.
type Measured struct {
	Hours, Of int64        // that the profile was the account's, of those of the month
	Amounts   plan.Amounts // base units: flows that it used, averages of stocks over the whole month
	Cost      int64        // micro-units
}

var errTooMuch = fault.New(fault.Conflict, "The amount is larger than a statement can hold: look at the prices of the rate card")

// mostOfLine bounds the cents of a line, so that no sum of lines overflows.
const mostOfLine = int64(1_000_000_000_000_000)

// quotient is a·b ÷ (c·d), rounded to the nearest whole number, halves away from zero. The divisors are above 0.
func quotient(a, b, c, d int64) (int64, error) {
	n := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	div := new(big.Int).Mul(big.NewInt(c), big.NewInt(d))
	negative := n.Sign() < 0
	n.Abs(n).Lsh(n, 1).Add(n, div)
	n.Quo(n, div.Lsh(div, 1))
	if !n.IsInt64() || n.Int64() > mostOfLine {
		return 0, errTooMuch
	}
	if negative {
		return -n.Int64(), nil
	}
	return n.Int64(), nil
}

// cents computes a line anew from its numbers. Every line is rounded once, from the exact product to whole cents.
func (e Entry) cents() (int64, error) {
	switch e.Kind {
	case EntryFee:
		return quotient(e.Price, e.Quantity, e.Per, 1)
	case EntryService:
		return quotient(max(0, e.Quantity-e.Included), e.Price, e.Per*plan.Unit(plan.Service(e.Item)), microPerCent)
	case EntryCost:
		return quotient(e.Quantity, 10_000+e.Price, 10_000, microPerCent)
	}
	return e.Cents, nil
}

// entries turns what was measured into lines by the terms of a card: the fee, services in the order of the catalogue, then the
// cost that is passed on. What has neither price nor use has no line.
func (t Terms) entries(m Measured) ([]Entry, error) {
	out := []Entry{}
	add := func(e Entry) (err error) {
		if e.Cents, err = e.cents(); err == nil {
			out = append(out, e)
		}
		return err
	}
	if t.Fee > 0 {
		e := Entry{Kind: EntryFee, Text: "Monthly fee", Quantity: m.Hours, Price: t.Fee, Per: m.Of}
		if m.Hours < m.Of {
			e.Text = fmt.Sprintf("Monthly fee for %d of %d hours", m.Hours, m.Of)
		}
		if err := add(e); err != nil {
			return nil, err
		}
	}
	for i, svc := range plan.Metered {
		p, ok := t.Services[svc]
		if !ok || m.Amounts[i] == 0 && p.Included == 0 {
			continue
		}
		e := Entry{Kind: EntryService, Item: string(svc), Text: svc.Name(), Quantity: m.Amounts[i], Included: p.Included * plan.Unit(svc), Price: p.Price, Per: p.Per}
		if !plan.Flow(svc) {
			e.Text += ", average of the month"
		}
		if err := add(e); err != nil {
			return nil, err
		}
	}
	if t.Markup != nil {
		e := Entry{Kind: EntryCost, Text: "Cost of the platform", Quantity: m.Cost, Price: t.Markup.BP}
		if t.Markup.BP > 0 {
			e.Text += " and " + percent(t.Markup.BP)
		}
		if err := add(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sum adds up the lines and the tax on them, which is rounded once.
func (s *Statement) sum() (err error) {
	s.Subtotal = 0
	for _, e := range s.Lines {
		s.Subtotal += e.Cents
	}
	if s.Tax, err = quotient(s.Subtotal, s.TaxBP, 10_000, 1); err != nil {
		return err
	}
	s.Total = s.Subtotal + s.Tax
	return nil
}

// draft is a statement by a card, before corrections and number.
func (c Card) draft(m Measured) (Statement, error) {
	t := c.Terms
	lines, err := t.entries(m)
	if err != nil {
		return Statement{}, err
	}
	s := Statement{Account: c.Account, Kind: OfMonth, Hours: m.Hours, Of: m.Of, Card: c.ID, Version: c.Version, Currency: t.Currency, Sender: t.Sender,
		Customer: t.Customer, Notes: t.Notes, Lines: lines, TaxText: t.TaxText, TaxBP: t.TaxBP}
	return s, s.sum()
}

// document is the statement as it is kept.
func (s Statement) document() (string, error) {
	b, err := json.Marshal(s)
	return string(b), err
}

func hashOf(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

var monthForm = regexp.MustCompile(`^([12][0-9]{3})-(0[1-9]|1[0-2])$`)

// parseMonth reads a month such as 2026-11. It returns Invalid naming the field month.
func parseMonth(text string) (time.Time, error) {
	m := monthForm.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}, fault.Field("month", "must be a month such as 2026-11")
	}
	y, _ := strconv.Atoi(m[1])
	n, _ := strconv.Atoi(m[2])
	if y < 1970 {
		return time.Time{}, fault.Field("month", "must be after 1970")
	}
	return time.Date(y, time.Month(n), 1, 0, 0, 0, 0, time.UTC), nil
}

// monthIn is a calendar month in a time zone, as cycles of counters are.
func monthIn(month time.Time, loc *time.Location) (from, to int64) {
	return usage.Month(clock.Millis(time.Date(month.Year(), month.Month(), 15, 12, 0, 0, 0, loc)), loc)
}

// hoursBetween are the starts of the hours of a period and its end. The last hour may be shorter.
func hoursBetween(from, to int64) []int64 {
	out := make([]int64, 0, (to-from)/hour+2)
	for at := from; at < to; at += hour {
		out = append(out, at)
	}
	return append(out, to)
}

// percent writes basis points: 1,950 is "19.5 %".
func percent(bp int64) string {
	s := strconv.FormatInt(bp/100, 10)
	if r := bp % 100; r != 0 {
		s += strings.TrimRight(fmt.Sprintf(".%02d", r), "0")
	}
	return s + " %"
}

// decimal writes n ÷ 10^places without losing anything, with at least two decimals: byCurrency.
func decimal(n int64, places int) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	s := fmt.Sprintf("%0*d", places+1, n)
	whole, part := s[:len(s)-places], s[len(s)-places:]
	for len(part) > 2 && part[len(part)-1] == '0' {
		part = part[:len(part)-1]
	}
	return sign + whole + "." + part
}
