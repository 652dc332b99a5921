package runbook

import (
	"regexp"
	"testing"

	"wavekeeper/agentless/windows"
	rules "wavekeeper/server/preflight"
)

// TestAnswersNameStepsThatThereAre: every step that the table of the founding
// document names is one of a runbook.
func TestAnswersNameStepsThatThereAre(t *testing.T) {
	t.Parallel()
	turn := regexp.MustCompile(`-\d+$`)
	steps := map[string]bool{}
	for _, name := range append(Names(), "scc-3-2-service-pack") {
		table, ok := ByName(name)
		if !ok {
			t.Errorf("there is no runbook %s", name)
			continue
		}
		for _, s := range table.Steps {
			steps[s.Name], steps[turn.ReplaceAllString(s.Name, "")] = true, true
		}
	}
	for _, a := range rules.Answers() {
		for _, step := range a.Steps {
			if !steps[step] {
				t.Errorf("%q is answered by step %s, which no runbook has", a.German, step)
			}
		}
	}
}

// TestFactsOfTheTableAreThoseThatRulesRead: what agentless/windows tells and what
// rules know are the same names.
func TestFactsOfTheTableAreThoseThatRulesRead(t *testing.T) {
	t.Parallel()
	told := map[string]bool{}
	for _, name := range windows.FactNames() {
		told[name] = true
	}
	for _, name := range rules.FactNames() {
		if !told[name] {
			t.Errorf("no line of the table tells fact %s", name)
		}
	}
}
