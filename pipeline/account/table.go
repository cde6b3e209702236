package account

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ByteOrderMark at the beginning of a table tells spreadsheets that a table is UTF-8; without it they show "§" as two other letters.
const ByteOrderMark = "\ufeff"

// Table writes rows as CSV (RFC 4180). A cell that a spreadsheet would take for a formula begins with an apostrophe.
func Table(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	for _, row := range rows {
		cells := slices.Clone(row)
		for i := range cells {
			cells[i] = noFormula(cells[i])
		}
		if err := w.Write(cells); err != nil {
			return nil, fmt.Errorf("write table: %w", err)
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// noFormula keeps a spreadsheet from computing a cell: also where the sign comes after spaces, is a wide one, or stands behind
// a separator that some other program splits at.
func noFormula(cell string) string {
	starts := func(s string) bool {
		s = strings.TrimLeft(s, " \t\r\n\u00a0\"'")
		return strings.IndexAny(s, "=+-@|%\uff1d\uff0b\uff0d\uff20\u2212") == 0
	}
	split := func(r rune) bool { return strings.ContainsRune(";,\t\r\n", r) }
	parts := strings.FieldsFunc(cell, split)
	switch {
	case len(parts) > 1 && slices.ContainsFunc(parts[1:], starts):
		return "'" + strings.NewReplacer(";", " ", ",", " ", "\t", " ", "\n", " ", "\r", " ").Replace(cell)
	case starts(cell):
		return "'" + cell
	}
	return cell
}

// CSV is the log's table: one line for each entry, times in seconds and as HH:MM:SS.mmm, shares from 0 to 1.
func (e Exemptions) CSV() ([]byte, error) {
	rows := [][]string{strings.Fields(`number kind what track from_frame from from_seconds to_frame to to_seconds
		x y width height code basis frames share seconds`)}
	for _, x := range e.Entries {
		rows = append(rows, slices.Concat([]string{strconv.Itoa(x.Number), x.Kind, x.What, optional(x.Track)},
			x.From.cells(), x.To.cells(), rectCells(x.Area), []string{x.Code, x.Basis, strconv.Itoa(x.Frames), number(x.Share), number(x.Seconds)}))
	}
	return marked(rows)
}

// CSV is the worklist's table.
func (w Worklist) CSV() ([]byte, error) {
	rows := [][]string{strings.Fields(`number rank kind track finding from_frame from from_seconds to_frame to to_seconds
		x y width height count score text decided reason by`)}
	for _, x := range w.Items {
		score := ""
		if x.Score > 0 {
			score = number(x.Score)
		}
		rows = append(rows, slices.Concat([]string{strconv.Itoa(x.Number), strconv.Itoa(x.Rank), x.Kind, optional(x.Track), x.Finding},
			x.From.cells(), x.To.cells(), rectCells(x.Rect),
			[]string{optional(x.Count), score, x.Text, strconv.FormatBool(x.Decided), x.Reason, x.By}))
	}
	return marked(rows)
}

func marked(rows [][]string) ([]byte, error) {
	b, err := Table(rows)
	return append([]byte(ByteOrderMark), b...), err
}

func (m Moment) cells() []string {
	return []string{strconv.Itoa(m.Frame), m.Time, number(m.Seconds)}
}

func rectCells(r [4]int) []string {
	if r[2] == 0 {
		return make([]string, 4)
	}
	return []string{strconv.Itoa(r[0]), strconv.Itoa(r[1]), strconv.Itoa(r[2]), strconv.Itoa(r[3])}
}

// optional is a number, or nothing for 0.
func optional(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
