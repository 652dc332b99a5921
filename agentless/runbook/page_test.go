package runbook_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/rollout"
)

var update = flag.Bool("update", false, "write RUNBOOKS.md instead of comparing it")

// TestRunbooksPage holds RUNBOOKS.md to the tables; with -update it is written.
func TestRunbooksPage(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# Runbooks\n\nGenerated from the tables by `make generate`; do not edit. Times are how long a step is expected to take, after how long\n" +
		"it is slow, after how long it has failed or is a person's to decide, and how long it may say nothing.\n")
	tables := []runbook.Table{}
	for _, name := range runbook.Names() {
		table, ok := runbook.ByName(name)
		if !ok {
			t.Fatalf("no runbook %s", name)
		}
		tables = append(tables, table)
	}
	for _, name := range []string{"scc-2-1-service-pack", "scc-2-1-rollup", "scc-2-1-service-pack-and-rollup"} { // of those that are made for their numbers
		if table, ok := runbook.ByName(name); ok {
			tables = append(tables, table)
		}
	}
	for _, table := range tables {
		fmt.Fprintf(&b, "\n## %s, version %d\n\n%s.\n\n| step | what | on | expected | slow | limit | silent | |\n|---|---|---|---|---|---|---|---|\n", table.Name, table.Version, table.Words)
		for _, s := range table.Plain().Steps {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", s.Name, s.Words, s.On, minutes(s.Expected), minutes(s.Soft), minutes(s.Hard), minutes(s.Silence), marks(s))
		}
	}
	if *update {
		if err := os.WriteFile("RUNBOOKS.md", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("RUNBOOKS.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Error("RUNBOOKS.md is not what the tables say: run make generate")
	}
}

// marks are what a person has to know of a step beside its times.
func marks(s rollout.Step) string {
	var words []string
	if s.NoReturn {
		words = append(words, "**point of no return**")
	}
	if s.Undone {
		words = append(words, "put back at the end")
	}
	if s.PutBack {
		words = append(words, "ends every attempt")
	}
	if s.Second {
		words = append(words, "second package")
	}
	if s.Clock != "" {
		words = append(words, string(s.Clock))
	}
	return strings.Join(words, ", ")
}

func minutes(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s", int(d/time.Second))
	}
	if d%time.Hour == 0 {
		return fmt.Sprintf("%d h", int(d/time.Hour))
	}
	return fmt.Sprintf("%d min", int(d/time.Minute))
}
