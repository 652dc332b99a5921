package exchange

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Columns lists the inventory's columns in the order in which it is written.
// Only server and roles are required.
func Columns() []string {
	return []string{
		"server", "fqdn", "roles", "site", "internet_facing", "build", "os", "language", "arch", "cluster",
		"nodes", "address", "port", "profile", "mailboxes", "um_languages", "services", "tags",
	}
}

// Inventory is what an inventory file says. A column that is absent says
// nothing about the servers; an empty cell of a present column clears.
type Inventory struct {
	Servers []Server // the good lines, defaults filled in
	Lines   []int    // the physical line on which each server begins
	Columns []string // the columns that were present, in the file's order
}

// Present reports whether the file had the column.
func (i Inventory) Present(column string) bool { return slices.Contains(i.Columns, column) }

// LineError is one thing that is wrong in an inventory file.
type LineError struct {
	Line   int    `json:"line"`   // physical line on which the row begins; 1 is the header
	Column string `json:"column"` // "" when the whole line is meant
	Value  string `json:"value"`
	Want   string `json:"want"` // what would be right
}

// Error reads "line 3, column os: 2012, 2003, 2008 or 2008R2", always on one
// line and of a length that a page can show.
func (e LineError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("line %d: %s, %s", e.Line, oneLine(e.Value), e.Want)
	}
	return fmt.Sprintf("line %d, column %s: %s, %s", e.Line, oneLine(e.Column), oneLine(e.Value), e.Want)
}

// oneLine makes a cell fit into a message.
func oneLine(cell string) string {
	const most = 100
	if cell == "" {
		return "(empty)"
	}
	text := []rune(strings.NewReplacer("\r\n", `\n`, "\n", `\n`, "\r", `\n`, "\t", `\t`).Replace(cell))
	if len(text) > most {
		text = append(text[:most:most], '…')
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '�'
		}
		return r
	}, string(text))
}

// ReadInventory reads an inventory: CSV in UTF-8 with or without a byte order
// mark, comma or semicolon (whichever the header uses), columns in any order.
// It returns the good lines and every fault in the file's order; a file whose
// header is wrong has no good lines.
func ReadInventory(r io.Reader) (Inventory, []LineError) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return Inventory{}, []LineError{{Line: 1, Value: err.Error(), Want: "a file that can be read to its end"}}
	}
	raw = lineFeeds(bytes.TrimPrefix(raw, []byte("\uFEFF")))
	if header, _, _ := bytes.Cut(raw, []byte("\n")); !utf8.Valid(header) || bytes.IndexByte(header, 0) >= 0 {
		return Inventory{}, []LineError{{Line: 1, Value: "bytes that are not UTF-8", Want: "a file saved as UTF-8"}}
	}
	rows, faults := readRows(raw)
	if len(rows) == 0 {
		return Inventory{}, append(faults, LineError{Line: 1, Want: "a header line with at least the columns server and roles"})
	}
	columns, wrong := readHeader(rows[0])
	if len(wrong) > 0 {
		return Inventory{}, append(wrong, faults...)
	}
	inv := Inventory{Columns: columns}
	all := make([]parsedLine, 0, len(rows))
	for _, row := range rows[1:] {
		if blank(row.cells) {
			continue
		}
		all = append(all, parseLine(row, columns))
	}
	checkLines(all)
	for _, l := range all {
		faults = append(faults, l.faults...)
		if len(l.faults) == 0 {
			inv.Servers = append(inv.Servers, l.server)
			inv.Lines = append(inv.Lines, l.line)
		}
	}
	slices.SortStableFunc(faults, func(a, b LineError) int { return a.Line - b.Line })
	return inv, faults
}

// row is one record with the physical line on which it begins.
type row struct {
	line  int
	cells []string
}

// readRows splits the file. A record with broken quotes is one fault; the
// lines after it are still read.
func readRows(raw []byte) ([]row, []LineError) {
	reader := csv.NewReader(bytes.NewReader(raw))
	reader.Comma = separator(raw)
	reader.FieldsPerRecord = -1
	var rows []row
	var faults []LineError
	for {
		cells, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return rows, faults
		}
		if err != nil {
			line := 1
			var broken *csv.ParseError
			if errors.As(err, &broken) {
				line = broken.StartLine
			}
			column := "" // the fields before the broken one were read
			if len(rows) > 0 && len(cells) < len(rows[0].cells) {
				column = strings.ToLower(strings.TrimSpace(rows[0].cells[len(cells)]))
			}
			faults = append(faults, LineError{line, column, "broken quotes", `a field in double quotes, with "" for a quote inside it`})
			continue
		}
		line, _ := reader.FieldPos(0)
		rows = append(rows, row{line, cells})
	}
}

// separator is the one of comma and semicolon that the header has more of.
func separator(raw []byte) rune {
	header := raw
	if end := bytes.IndexAny(raw, "\r\n"); end >= 0 {
		header = raw[:end]
	}
	if bytes.Count(header, []byte(";")) > bytes.Count(header, []byte(",")) {
		return ';'
	}
	return ','
}

// lineFeeds ends lines with line feeds where a file has carriage returns alone,
// as old spreadsheets on the Macintosh write them.
func lineFeeds(raw []byte) []byte {
	if bytes.IndexByte(raw, '\n') >= 0 {
		return raw
	}
	return bytes.ReplaceAll(raw, []byte("\r"), []byte("\n"))
}

func readHeader(header row) ([]string, []LineError) {
	var columns []string
	var faults []LineError
	for i, cell := range header.cells {
		name := strings.ToLower(strings.TrimSpace(cell))
		switch {
		case name == "":
			faults = append(faults, LineError{header.line, strconv.Itoa(i + 1), "", "a column's name, or no such column"})
		case slices.Contains(columns, name):
			faults = append(faults, LineError{header.line, name, cell, "each column once"})
		case !slices.Contains(Columns(), name):
			faults = append(faults, LineError{header.line, name, cell, "unknown column" + strings.ReplaceAll(Near(name, Columns(), ", the nearest known one is"), `"`, "")})
		}
		columns = append(columns, name)
	}
	for _, required := range []string{"server", "roles"} {
		if !slices.Contains(columns, required) {
			faults = append(faults, LineError{header.line, required, "", "this column is required"})
		}
	}
	return columns, faults
}

func blank(cells []string) bool {
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}

// plainCell takes back the apostrophe that an export puts before a cell that a
// spreadsheet would take for a formula.
func plainCell(cell string) string {
	if len(cell) > 1 && cell[0] == '\'' && strings.ContainsRune("=+-@\t\r", rune(cell[1])) {
		cell = cell[1:]
	}
	return strings.TrimSpace(cell)
}
