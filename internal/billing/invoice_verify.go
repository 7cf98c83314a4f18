package billing

import (
	"context"
	"fmt"

	"paddock/internal/id"
	"paddock/internal/kit/sqldb"
)

// VerifyInvoices checks that every invoice is the sum of the charges that name it and is numbered without a gap, that charges name
// invoices there are, that a void one and its correction cancel each other, and that nothing was given back beyond what was charged.
// Findings are never nil.
func (s *Service) VerifyInvoices(ctx context.Context) ([]Finding, error) {
	out := []Finding{}
	scan := func(what string) func(r sqldb.Scanner) (Finding, error) {
		return func(r sqldb.Scanner) (f Finding, err error) {
			var n, is, want int64
			if err := r.Scan(&f.Account, &n, &is, &want); err != nil {
				return f, err
			}
			f.What = fmt.Sprintf(what, n, is, want)
			return f, nil
		}
	}
	for _, c := range []struct{ what, q string }{
		{"invoice %d is over %d cents and its charges over %d", `SELECT account, number, cents, total FROM (
			SELECT invoice.account AS account, invoice.number AS number, invoice.cents AS cents, COALESCE(SUM(charge.cents), 0) AS total
			FROM invoice LEFT JOIN charge ON charge.invoice = invoice.id AND charge.account = invoice.account AND charge.currency = invoice.currency
			GROUP BY invoice.account, invoice.number, invoice.cents) AS sums WHERE cents <> total ORDER BY number`},
		{"invoice %d is void over %d cents, and what corrects it is over %d", `SELECT x.account, x.number, x.cents, COALESCE(y.cents, 0) FROM invoice AS x
			LEFT JOIN invoice AS y ON y.id = x.corrected_by AND y.corrects = x.id WHERE x.status = 'void' AND x.corrects = '' AND (y.id IS NULL OR x.cents + y.cents <> 0) ORDER BY x.number`},
		{"%d charges, over %d cents in all, name an invoice that is not there (%d)", `SELECT charge.account, COUNT(*), CAST(SUM(charge.cents) AS BIGINT), 0 FROM charge
			WHERE charge.invoice <> '' AND NOT EXISTS (SELECT 1 FROM invoice WHERE invoice.id = charge.invoice) GROUP BY charge.account ORDER BY charge.account`},
		{"%d times more is given back than the %d cents charged: %d", `SELECT account, 1, cents, back FROM (SELECT charge.account AS account, charge.cents AS cents, CAST(SUM(b.cents) AS BIGINT) AS back
			FROM charge JOIN charge AS b ON b.account = charge.account AND b.gives_back = charge.id AND NOT EXISTS (SELECT 1 FROM charge AS undo
			WHERE undo.account = b.account AND undo.end_at = b.end_at AND undo.gives_back = b.id) WHERE charge.cents > 0 GROUP BY charge.id, charge.account, charge.cents) AS given
			WHERE cents + back < 0 ORDER BY account`},
	} {
		found, err := sqldb.All(ctx, s.db, scan(c.what), c.q)
		if err != nil {
			return nil, fmt.Errorf("verify invoices: %w", err)
		}
		out = append(out, found...)
	}
	var invoices, last, counted int64
	if err := s.db.QueryRow(ctx, `SELECT COUNT(*), COALESCE(MAX(number), 0), COALESCE((SELECT last FROM invoice_count WHERE name = 'invoice'), 0) FROM invoice`).Scan(&invoices, &last, &counted); err != nil {
		return nil, fmt.Errorf("verify invoices: %w", err)
	}
	if invoices != last || last != counted {
		out = append(out, Finding{id.Account("of all invoices"), fmt.Sprintf("there are %d, numbered up to %d, and %d numbers were given", invoices, last, counted)})
	}
	return out, nil
}
