package windows_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"wavekeeper/agentless/windows"
)

const (
	readmeFile     = "../../README.md"
	constantsBegin = "<!-- constants:begin -->\n"
	constantsEnd   = "<!-- constants:end -->"
)

// TestReadmeConstants holds the README's table to the constants; with -update it
// writes it.
func TestReadmeConstants(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(raw), constantsBegin)
	have, after, ends := strings.Cut(rest, constantsEnd)
	if !begins || !ends {
		t.Fatalf("%s has no lines %q and %q", readmeFile, constantsBegin, constantsEnd)
	}
	want := constantsTable()
	if have == want {
		return
	}
	if !windows.Updating() {
		t.Fatalf("the constants in %s are not those of the program; run make generate", readmeFile)
	}
	if err := os.WriteFile(readmeFile, []byte(before+constantsBegin+want+constantsEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// constantsTable is the table, the surest standing first.
func constantsTable() string {
	cell := strings.NewReplacer("|", `\|`, "\n", " ")
	code := func(s string) string { return "`" + strings.ReplaceAll(s, "|", `\|`) + "`" }
	var b strings.Builder
	b.WriteString("\n| standing | constant | what for | rests on | Windows |\n|---|---|---|---|---|\n")
	counts := []string{}
	for _, standing := range windows.Standings() {
		n := 0
		for _, c := range windows.Constants() {
			if c.Standing != standing {
				continue
			}
			n++
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", standing, code(c.Value), cell.Replace(c.What), cell.Replace(c.Source), c.Versions())
		}
		counts = append(counts, fmt.Sprintf("%d %s", n, standing))
	}
	fmt.Fprintf(&b, "\nIn all: %s.\n\n", strings.Join(counts, ", "))
	return b.String()
}
