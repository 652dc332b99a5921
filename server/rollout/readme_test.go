package rollout

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated part of the README")

const (
	readme        = "../../README.md"
	diagramsBegin = "<!-- diagrams:begin -->\n"
	diagramsEnd   = "<!-- diagrams:end -->"
)

// TestReadmeDiagrams holds the README's state diagrams to the tables; with
// -update it writes them.
func TestReadmeDiagrams(t *testing.T) {
	raw, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), diagramsBegin)
	if !ok {
		t.Fatalf("%s has no line %q", readme, diagramsBegin)
	}
	have, after, ok := strings.Cut(rest, diagramsEnd)
	if !ok {
		t.Fatalf("%s has no line %q", readme, diagramsEnd)
	}
	want := drawn()
	if have == want {
		return
	}
	if !*update {
		t.Fatalf("the diagrams in %s are not those of the tables; run make generate", readme)
	}
	if err := os.WriteFile(readme, []byte(before+diagramsBegin+want+diagramsEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// drawn is the generated part: one diagram under its heading for each table.
func drawn() string {
	diagrams := Diagrams()
	var text strings.Builder
	for _, name := range []string{"Upgrade and step", "Wave", "Rollout", "Plan"} {
		text.WriteString("\n### " + name + "\n\n```mermaid\n" + strings.TrimSpace(diagrams[name]) + "\n```\n")
	}
	return text.String() + "\n"
}
