package httpd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// shortStep is a step's name as the matrix has room for it.
func shortStep(name string) string {
	switch name {
	case "stop-services":
		return "Stop"
	case "":
		return ""
	default:
		words := strings.Split(name, "-")
		for i, word := range words {
			if slices.Contains([]string{"ad", "cms", "um"}, word) {
				words[i] = strings.ToUpper(word)
			}
		}
		name = strings.Join(words, " ")
		return strings.ToUpper(name[:1]) + name[1:]
	}
}

// matrix is the rows of server x step by wave: waves that are on first open,
// those that are done folded; at most 200 rows after the given upgrade.
func (s *server) matrix(o store.RolloutView, after int64, moved map[string]time.Time, clock ui.Clock) (groups []page.MatrixGroup, more string) {
	rows, begun := 0, after == 0
	var last int64
	for _, w := range o.Waves {
		g := page.MatrixGroup{ID: "g" + ui.Digits(w.Number), Title: "Wave " + ui.Digits(w.Number), State: waveState(o.State, w.State), Words: ui.Count(len(w.Upgrades), "server", "servers"), Open: w.State != rollout.WaveDone, Steps: s.columns(w)}
		for _, u := range w.Upgrades {
			if !begun {
				begun = u.ID == after
				continue
			}
			if rows == rowsPerPage {
				more = fmt.Sprintf("%s?after=%d", rolloutHref(o.ID), last)
				break
			}
			rows++
			last = u.ID
			g.Rows = append(g.Rows, s.matrixRow(o, w, u, g.Steps, moved[u.Server], clock))
		}
		if len(g.Rows) > 0 {
			groups = append(groups, g)
		}
	}
	return groups, more
}

func (s *server) matrixRow(o store.RolloutView, w store.WaveView, u store.UpgradeRow, columns []page.MatrixStep, moved time.Time, clock ui.Clock) page.MatrixRow {
	row := page.MatrixRow{
		ID: ui.Digits(int(u.ID)), Server: u.Server, Href: upgradeHref(o.ID, u.Server), Roles: short(u.Roles), Site: siteWords(u.Site), State: upgradeState(u),
		Message: clean(s.rowMessage(o, w, u)), Since: troubleSince(u, moved, clock), Percent: u.Percent, Busy: s.irreversible(u),
	}
	book := s.book(u.Runbook)
	row.Times = rowTimes(u.Spells(s.Runbooks, ended(o.State), clock.Now))
	for _, column := range columns {
		row.Cells = append(row.Cells, s.matrixCell(book, u, column))
	}
	return row
}

func upgradeState(u store.UpgradeRow) ui.State {
	state := ui.State{Key: string(u.State)}
	switch {
	case u.Decision != "":
		state.Note = "decision"
	case u.Repaired && u.State == rollout.Done:
		state.Note = "repaired"
	case u.Attempt > 1 && !u.State.Decided():
		state.Note = fmt.Sprintf("attempt %d", u.Attempt)
	}
	return state
}

func stepTook(st store.StepWork, now time.Time) string {
	if st.State == rollout.Waiting || st.State.Broken() && st.EndedAt == nil {
		return "" // when something ended that was found broken is not known
	}
	return took(st.StartedAt, st.EndedAt, now)
}

// troubleSince says since when a server is in trouble or, out of sight, when it
// was heard last.
func troubleSince(u store.UpgradeRow, moved time.Time, clock ui.Clock) string {
	switch {
	case u.State == rollout.OutOfSight && u.LastHeardAt != nil:
		return "last heard " + clock.Moment(*u.LastHeardAt).Text
	case inTrouble(u.State) && !moved.IsZero():
		return "since " + clock.Moment(moved).Text
	default:
		return ""
	}
}

// rowMessage says what a server does, or why it does not start.
func (s *server) rowMessage(o store.RolloutView, w store.WaveView, u store.UpgradeRow) string {
	switch u.State {
	case rollout.Done:
		words := doneWords(o.Content.Kind, u)
		return strings.ToUpper(words[:1]) + words[1:]
	case rollout.Held, rollout.Waiting:
		return whyNot(o, w, u)
	case rollout.Running:
		if step, ok := s.book(u.Runbook).Decision(u.Decision); ok {
			return "By a decision of " + orDash(u.DecidedBy) + ": " + step.Words
		}
		text := u.Message
		if u.Phase != "" && s.irreversible(u) {
			text = u.Phase
		}
		if text == "" {
			for _, st := range s.book(u.Runbook).Steps {
				if st.Name == u.Step {
					text = st.Words
				}
			}
		}
		if u.Unwinding {
			text = "Putting back what was changed: " + text
		}
		return text
	case rollout.Paused, rollout.OutOfSight, rollout.Interrupted, rollout.Unknown, rollout.Failed, rollout.Skipped:
		return u.Message
	}
	return u.Message
}

func whyNot(o store.RolloutView, w store.WaveView, u store.UpgradeRow) string {
	if o.State == rollout.RolloutStopped {
		return "The rollout is stopped"
	}
	if len(u.Reasons) > 0 {
		text := u.Reasons[0].Text
		if n := len(u.Reasons) - 1; n > 0 {
			text += fmt.Sprintf(" (and %s)", ui.Count(n, "more reason", "more reasons"))
		}
		return text
	}
	switch {
	case o.State == rollout.RolloutPaused:
		return "The rollout is paused"
	case w.State == rollout.WaveWaiting:
		return fmt.Sprintf("Wave %d is not approved", w.Number)
	case w.State == rollout.WaveApproved:
		return "Starts when the wave before is done"
	case w.State == rollout.WaveStopped:
		return fmt.Sprintf("Wave %d is stopped", w.Number)
	case w.State == rollout.WavePaused:
		return fmt.Sprintf("Wave %d is paused", w.Number)
	default:
		return "Starts as soon as limits allow"
	}
}
