//go:build !race

package runbook_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
)

// struckAt walks a table once; due is told of every tick but those that put back,
// and says at which one the attempt is given up.
func (f *fixture) struckAt(t *testing.T, table runbook.Table, due func(s runbook.Step, tick int) bool) (string, runbook.Outcome) {
	t.Helper()
	unwinding := false
	f.unwinding = false
	ended, last := "", runbook.Outcome{}
	for _, s := range table.Steps {
		if unwinding && !s.PutBack {
			continue
		}
		given := false
		out := f.strike(t, s, func(tick int) bool {
			given = !unwinding && due(s, tick)
			return given
		})
		switch {
		case given, out.Kind == runbook.Failed && !unwinding:
			unwinding, ended, last = true, s.Name, out
			f.unwinding = true
		case out.Kind == runbook.Done && !unwinding:
			ended, last = s.Name, out
		case out.Kind != runbook.Done:
			return s.Name, out
		}
	}
	return ended, last
}

// strike repeats a step's tick until it ends, or before says that it is given up.
func (f *fixture) strike(t *testing.T, s runbook.Step, before func(tick int) bool) runbook.Outcome {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for tick := 0; ; tick++ {
		if time.Now().After(deadline) {
			t.Fatalf("step %s: no end after %d ticks, last: %s %s", s.Name, tick, f.out[s.Name].Kind, f.out[s.Name].Message)
		}
		if before(tick) {
			return runbook.Outcome{Kind: runbook.Failed, Message: "given up"}
		}
		w := f.work(s.Name)
		ctx, cancel := context.WithTimeout(context.Background(), 28*time.Second)
		out, err := s.Tick(ctx, w)
		cancel()
		if err != nil {
			t.Fatalf("step %s, tick %d: %v", s.Name, tick, err)
		}
		f.memory[s.Name], f.out[s.Name] = w.Memory, out
		if out.Kind != runbook.Again && out.Kind != runbook.OutOfSight {
			return out
		}
		pause(context.Background(), 15*time.Millisecond)
	}
}

// Whatever hits the host, and whenever: afterwards nothing is left changed for a
// while, or a decision is open; and who runs it again, as often as it takes, comes
// to the target, with all else on the host as it was.
func TestBlowsAtOrganizationAndRollup(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		make  func(*testing.T) *fixture
		right func(*testing.T, *fixture)
	}{
		{"organization", func(t *testing.T) *fixture {
			return organizationFixture(t, func(o *twin.Options) { o.Organization.Delay = time.Minute })
		}, func(t *testing.T, f *fixture) {
			schema, version, domains := f.fleet.Directory()
			if schema != 11116 || version != 11221 || domains["lab.test"] != 11221 || domains["child.lab.test"] != 11221 || domains["new.lab.test"] != 11221 {
				t.Errorf("schema %d, organization %d, domains %v", schema, version, domains)
			}
			if f.journal.count(t, "organization-violation") > 0 {
				t.Error("Setup changed the organization unasked")
			}
		}},
		{"standalone-rollup", func(t *testing.T) *fixture { return rollupFixture(t, nil) }, func(t *testing.T, f *fixture) {
			if got := f.out[runbook.RollupVerify].Build; got != "8.1.375.2" {
				t.Errorf("build %s", got)
			}
		}},
	} {
		table, ok := runbook.ByName(c.name)
		if !ok {
			t.Fatalf("no runbook %s", c.name)
		}
		var all []blow
		for i, s := range table.Steps {
			if s.Hook != "" || s.PutBack {
				continue
			}
			for _, node := range []string{"MBX1", ""} {
				for _, tick := range []int{0, 3, 8, 15} {
					if tick > 0 && node == "" && table.Steps[i+1].PutBack {
						continue // no step comes after it that could be given up instead
					}
					all = append(all, blow{s.Name, tick, node})
				}
			}
		}
		for _, b := range sampleOfBlows(t, all, 4) {
			t.Run(fmt.Sprintf("%s %s", c.name, b), func(t *testing.T) {
				f := c.make(t)
				before := shot(t, f.fleet, "MBX1")
				hit := false
				due := b.at(func() {
					hit = true
					if b.node == "" {
						return
					}
					if err := f.fleet.PowerLoss(b.node); err != nil {
						t.Error(err)
					}
				})
				for attempt := 1; ; attempt++ {
					step, out := f.struckAt(t, table, func(s runbook.Step, tick int) bool {
						return (b.node != "" || !s.PutBack) && due(s.Name, tick) && b.node == ""
					})
					decision := out.Kind == runbook.Failed || out.Kind == runbook.Interrupted || out.Kind == runbook.Unknown
					if open := f.book.open(); len(open) > 0 && !decision {
						t.Errorf("attempt %d ended in %s as %s with open entries: %+v", attempt, step, out.Kind, open)
					}
					if step == "tidy" && out.Kind == runbook.Done {
						break
					}
					more := []string{}
					if out.Kind == runbook.Interrupted || out.Kind == runbook.Unknown {
						more = append(more, whileDue)
					}
					asBefore(t, fmt.Sprintf("attempt %d ended %s in %s", attempt, out.Kind, step), f.fleet, f.journal, "MBX1", before, f.book, more...)
					if attempt == 5 {
						t.Fatalf("attempt %d ended in %s: %s %s", attempt, step, out.Kind, out.Message)
					}
					for _, s := range table.Steps {
						f.attempt[s.Name]++
					}
				}
				if !hit {
					t.Error("the blow never came")
				}
				c.right(t, f)
				asBefore(t, "in the end", f.fleet, f.journal, "MBX1", before, f.book, wentThrough)
				f.clean(t)
			})
		}
	}
}
