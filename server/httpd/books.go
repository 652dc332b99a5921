package httpd

import (
	"slices"
	"strings"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// book is the runbook by which an upgrade goes; one that this program does not
// have, since another version began the upgrade, has no steps.
func (s *server) book(name string) rollout.Runbook {
	book, _ := s.Runbooks.Book(name)
	return book
}

// columns are the steps of a wave's matrix: those of all its runbooks, each in
// its order, with the steps of a cluster's nodes as one.
func (s *server) columns(w store.WaveView) []page.MatrixStep {
	var steps []page.MatrixStep
	seen := map[string]bool{}
	for _, u := range w.Upgrades {
		if seen[u.Runbook] {
			continue
		}
		seen[u.Runbook] = true
		at := 0 // a step that others do not have comes after the one before it
		for _, st := range s.book(u.Runbook).Steps {
			name := column(st)
			if known := slices.IndexFunc(steps, func(c page.MatrixStep) bool { return c.Name == name }); known >= 0 {
				at = max(at, known+1)
				continue
			}
			steps = slices.Insert(steps, at, page.MatrixStep{Name: name, Words: st.Words, Short: shortStep(name)})
			at++
		}
	}
	return steps
}

// column is the name under which a step is in the matrix: that of a node's step
// is without the node.
func column(st rollout.Step) string { return strings.TrimSuffix(st.Name, st.Turn()) }

// matrixCell is a server's cell in one column: of several steps the one that
// moves or is in trouble, else how far they are.
func (s *server) matrixCell(book rollout.Runbook, u store.UpgradeRow, col page.MatrixStep) page.MatrixCell {
	var of []store.StepWork
	words := col.Words
	for _, st := range book.Steps {
		if column(st) != col.Name {
			continue
		}
		row := store.StepWork{Name: st.Name, State: rollout.Waiting}
		if at := slices.IndexFunc(u.Steps, func(w store.StepWork) bool { return w.Name == st.Name }); at >= 0 {
			row = u.Steps[at]
		}
		of, words = append(of, row), st.Words
	}
	if len(of) == 0 {
		return page.MatrixCell{State: string(rollout.Skipped), Title: col.Words + ": no step of " + u.Server}
	}
	shown, ended := of[0], 0
	for _, st := range of {
		switch st.State {
		case rollout.Done, rollout.Skipped:
			ended++
		case rollout.Waiting, rollout.Held:
		case rollout.Running, rollout.Paused, rollout.OutOfSight, rollout.Interrupted, rollout.Unknown, rollout.Failed:
			shown = st
		}
	}
	if s := shown.State; ended < len(of) && (s == rollout.Done || s == rollout.Skipped) {
		shown = store.StepWork{State: rollout.Waiting}
	}
	cell := page.MatrixCell{State: string(shown.State), Title: words + ": " + ui.State{Key: string(shown.State)}.Word()}
	if len(of) > 1 && ended > 0 && ended < len(of) {
		cell.Title += ", " + ui.Digits(ended) + " of " + ui.Digits(len(of)) + " done"
	}
	if d := stepTook(shown, s.Now()); d != "" {
		cell.Title += ", " + d
	}
	return cell
}

// irreversible reports whether an upgrade is at a step without return that runs.
func (s *server) irreversible(u store.UpgradeRow) bool {
	step, ok := s.book(u.Runbook).Step(u.Step)
	return ok && step.NoReturn && u.State == rollout.Running
}
