package jobs

import (
	"wavekeeper/agentless/runbook"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// table returns the runbook of that name; false when this program has none.
func (e *Engine) table(name string) (runbook.Table, bool) {
	if e.instead.Name == name && name != "" {
		return e.instead, true
	}
	return runbook.ByName(name)
}

// Book makes the engine the rollout.Books of the store.
func (e *Engine) Book(name string) (rollout.Runbook, bool) {
	t, ok := e.table(name)
	if !ok {
		return rollout.Runbook{}, false
	}
	return t.Plain(), true
}

// plain is the runbook by which an upgrade goes; one that this program does not
// have is empty.
func (e *Engine) plain(w store.UpgradeWork) rollout.Runbook {
	book, ok := e.Book(w.Runbook)
	if !ok {
		book.Name = w.Runbook
	}
	return book
}
