package web

import "strings"

// Cell is a text as a cell of a CSV: one that a spreadsheet would take for a formula gets an apostrophe before it.
func Cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}
