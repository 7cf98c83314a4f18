package billing

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"paddock/internal/kit/clock"
)

var (
	//go:embed statement.html
	statementHTML string
	//go:embed statement.css
	statementCSS string

	statementTemplate = template.Must(template.New("statement").Parse(statementHTML))
)

// pagePolicy lets the page have its own style and pictures that lie in it, and nothing else: no script, no request.
var pagePolicy = func() string {
	h := sha256.Sum256([]byte(statementCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'"
}()

type printedLine struct{ Text, Quantity, Included, Price, Amount string }

// page writes the statement as a page to print. It works from a file too: nothing is loaded.
func (s *Service) page(ctx context.Context, to io.Writer, st Statement) error {
	logo, err := s.pictureOf(ctx, st.Account, st.Logo)
	if err != nil {
		return err
	}
	first, last := st.span()
	d := struct {
		S                              Statement
		Policy, Title, Heading         string
		Style                          template.CSS
		Logo                           template.URL // drawn by us
		First, Last, Issued, Currency  string
		Lines                          []printedLine
		Subtotal, Tax, TaxLabel, Total string
	}{S: st, Currency: strings.ToUpper(st.Currency), Policy: pagePolicy, Style: template.CSS(statementCSS), Logo: template.URL(logo), First: first, Last: last,
		Issued:   clock.FromMillis(st.IssuedAt).UTC().Format(printedDay + ", 15:04 UTC"),
		Subtotal: grouped(decimal(st.Subtotal, 2)), TaxLabel: st.taxLabel(), Total: grouped(decimal(st.Total, 2))}
	d.Heading = fmt.Sprintf("Statement %d for %s", st.Number, st.Month)
	if st.Kind == OfCorrected {
		d.Heading = fmt.Sprintf("Correcting statement %d", st.Number)
	}
	d.Title = d.Heading + " – " + st.Name
	if st.TaxBP > 0 || st.TaxText != "" {
		d.Tax = grouped(decimal(st.Tax, 2))
	}
	for _, e := range st.Lines {
		l := printedLine{Text: e.Text, Quantity: grouped(e.amount(e.Quantity)), Price: e.price(), Amount: grouped(decimal(e.Cents, 2))}
		if u := e.unit(d.Currency); u != "" {
			l.Quantity += " " + u
		}
		if e.Kind == EntryService {
			if e.Included > 0 {
				l.Included = grouped(e.amount(e.Included))
			}
			if e.Per > 1 {
				l.Price += " per " + grouped(fmt.Sprint(e.Per))
			}
		}
		if e.Kind == EntryFee {
			l.Price += " a month"
		}
		d.Lines = append(d.Lines, l)
	}
	return statementTemplate.Execute(to, d)
}

// grouped puts commas between thousands of a number.
func grouped(n string) string {
	sign := ""
	if strings.HasPrefix(n, "-") {
		sign, n = "-", n[1:]
	}
	whole, part, fraction := strings.Cut(n, ".")
	var b strings.Builder
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	if fraction {
		return sign + b.String() + "." + part
	}
	return sign + b.String()
}
