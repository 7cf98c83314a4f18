package billing

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"paddock/internal/kit/clock"
	"paddock/internal/kit/web"
	"paddock/internal/plan"
)

// entryUnits are what quantities of a service are counted in. Stocks are averages of the month, so they are counted in months of a unit.
var entryUnits = map[plan.Service]string{
	plan.Input: "inputs", plan.Output: "outputs", plan.Analysis: "minutes", plan.DataRecords: "record-months", plan.SMS: "SMS", plan.Email: "e-mails",
	plan.RunUsers: "user-months", plan.PushNotification: "messages", plan.FileStorage: "MB-months", plan.DashboardOutput: "rows shown",
}

// unit is what the quantity of a line is counted in.
func (e Entry) unit(currency string) string {
	switch e.Kind {
	case EntryFee:
		return "hours"
	case EntryService:
		return entryUnits[plan.Service(e.Item)]
	case EntryCost:
		return currency
	}
	return ""
}

// amount writes base units of a line as its unit has them; "" for a line without a quantity.
func (e Entry) amount(n int64) string {
	switch e.Kind {
	case EntryFee:
		return strconv.FormatInt(n, 10)
	case EntryService:
		u := plan.Unit(plan.Service(e.Item))
		if u == 1 {
			return strconv.FormatInt(n, 10)
		}
		return strconv.FormatFloat(plan.Wire(plan.Service(e.Item), n), 'f', -1, 64)
	case EntryCost:
		return decimal(n, 6)
	}
	return ""
}

// price is what a unit, or as many as the line says, costs; "" where a line has no price.
func (e Entry) price() string {
	switch e.Kind {
	case EntryFee:
		return decimal(e.Price, 2)
	case EntryService:
		return decimal(e.Price, 6)
	}
	return ""
}

// span is the first and the last day of the statement, in its time zone, as its page has them.
func (s Statement) span() (first, last string) {
	loc, err := time.LoadLocation(s.Zone)
	if err != nil {
		loc = time.UTC
	}
	return clock.FromMillis(s.From).In(loc).Format(printedDay), clock.FromMillis(s.To - 1).In(loc).Format(printedDay)
}

var tableHead = []string{"statement", "issued_at", "month", "profile", "profile_name", "customer_reference", "customer_name", "kind", "item", "text",
	"quantity", "unit", "included", "unit_price", "per", "amount", "currency"}

// table writes a statement as CSV: its lines, then tax and total.
func (s Statement) table(to io.Writer) error {
	w := csv.NewWriter(to)
	_ = w.Write(tableHead)
	row := func(e Entry, kind, item, text string, amount int64) {
		included, per := "", ""
		if e.Kind == EntryService {
			included, per = e.amount(e.Included), strconv.FormatInt(e.Per, 10)
		}
		_ = w.Write([]string{strconv.FormatInt(s.Number, 10), s.issued(), s.Month, string(s.Profile), web.Cell(s.Name), web.Cell(s.Customer.Reference), web.Cell(s.Customer.Name),
			kind, item, web.Cell(text), e.amount(e.Quantity), e.unit(s.Currency), included, e.price(), per, decimal(amount, 2), s.Currency})
	}
	for _, e := range s.Lines {
		row(e, string(e.Kind), e.Item, e.Text, e.Cents)
	}
	if s.TaxBP > 0 || s.TaxText != "" {
		row(Entry{}, "tax", "", s.taxLabel(), s.Tax)
	}
	row(Entry{}, "total", "", "Total", s.Total)
	w.Flush()
	return w.Error()
}

func (s Statement) taxLabel() string {
	if s.TaxText != "" {
		return s.TaxText
	}
	return "Tax " + percent(s.TaxBP)
}

func (s Statement) issued() string {
	if s.IssuedAt == 0 {
		return ""
	}
	return clock.FromMillis(s.IssuedAt).UTC().Format("2006-01-02T15:04:05.000Z")
}

var summaryHead = []string{"statement", "issued_at", "kind", "month", "profile", "profile_name", "customer_reference", "customer_name", "subtotal", "tax", "total", "currency", "file"}

// summary is a statement as a row of the summary of a month.
func (s Statement) summary() []string {
	return []string{strconv.FormatInt(s.Number, 10), s.issued(), string(s.Kind), s.Month, string(s.Profile), web.Cell(s.Name), web.Cell(s.Customer.Reference), web.Cell(s.Customer.Name),
		decimal(s.Subtotal, 2), decimal(s.Tax, 2), decimal(s.Total, 2), s.Currency, s.file("html")}
}

// file is the name of a statement's file: nothing in it comes from people but letters and digits of the profile's name.
func (s Statement) file(ext string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s.Name) {
		switch {
		case b.Len() >= 40:
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := strings.TrimSuffix(b.String(), "-")
	if name != "" {
		name = "-" + name
	}
	number := strconv.FormatInt(s.Number, 10)
	return s.Month + "-" + strings.Repeat("0", max(0, 4-len(number))) + number + name + "." + ext
}
