package httpd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"wavekeeper/server/auth"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
)

// recoveries lists the kinds of trouble that there is something to read about.
func (s *server) recoveries(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	view := page.Recoveries{Frame: s.frame(r, v, "Recovery", "rollouts")}
	for _, one := range exchange.Recoveries() {
		view.Rows = append(view.Rows, recoveryText(one))
	}
	return s.render(w, r, http.StatusOK, page.RecoveriesPage(view))
}

// recovery says all that is known of one kind of trouble.
func (s *server) recovery(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	one, ok := exchange.RecoveryByName(chi.URLParam(r, "name"))
	if !ok {
		return rollout.NotFound("There is no page of that name about recovery.")
	}
	return s.render(w, r, http.StatusOK, page.RecoveryPage(page.Recovery{Frame: s.frame(r, v, one.Title, "rollouts"), RecoveryText: recoveryText(one)}))
}

func recoveryHref(name string) string { return "/recovery/" + name }

func recoveryText(r exchange.Recovery) page.RecoveryText {
	out := page.RecoveryText{Title: r.Title, Href: recoveryHref(r.Name), Lead: r.Lead, Known: sourcedOf(r.Known), Safe: sourcedOf(r.Safe), Sources: sourcedOf(r.Sources)}
	for _, c := range r.Choices {
		out.Choices = append(out.Choices, page.RecoveryChoice{Text: c.Text, Why: c.Why, Last: c.Last})
	}
	return out
}

func sourcedOf(points []exchange.Point) []page.Sourced {
	out := make([]page.Sourced, 0, len(points))
	for _, p := range points {
		out = append(out, page.Sourced{Text: p.Text, Source: p.Source})
	}
	return out
}

// setupErrorsKind is the kind of evidence that holds what was recognised in the
// setup log: a list of exchange.LogError.
const setupErrorsKind = "setup-errors"

// readLogErrors reads that evidence; what cannot be read tells nothing.
func readLogErrors(file store.EvidenceContent) []exchange.LogError {
	var all []exchange.LogError
	if json.Unmarshal(file.Data, &all) != nil {
		return nil
	}
	return all
}

// logErrorRows are the errors of the setup log with what helps.
func logErrorRows(all []exchange.LogError) []page.LogErrorRow {
	var rows []page.LogErrorRow
	for _, e := range all {
		row := page.LogErrorRow{Line: fmt.Sprintf("line %d of this attempt's log", e.Line), Words: "The last error in the log, which is not a known one"}
		for line := range strings.SplitSeq(e.Text, "\n") {
			row.Lines = append(row.Lines, clean(line))
		}
		if known, ok := exchange.KnownErrorByRule(e.Rule); ok {
			row.Words, row.Remedy, row.Source = known.Words, known.Remedy, known.Source
		}
		rows = append(rows, row)
	}
	return rows
}

// restartedNote is what a step remembers where Windows was started anew while its
// program ran.
const restartedNote = "restarted"

// distressOf is an upgrade in trouble as recoveries are told apart: by states,
// codes and what was read, never by the words of a message.
func (s *server) distressOf(t trouble) exchange.Distress {
	d := exchange.Distress{
		Step: t.Step, Cluster: strings.HasPrefix(t.Runbook, "ccr-") || strings.HasPrefix(t.Runbook, "scc-"), Markers: len(t.marks.list) > 0, Interrupted: t.state == rollout.Interrupted,
		OutOfSight: t.state == rollout.OutOfSight && !s.watches(t) || t.inVain, Untold: t.state == rollout.Unknown,
		Services: t.state == rollout.Failed && (t.Step == "verify" || strings.HasPrefix(t.Step, "put-back")),
	}
	for _, e := range t.errors {
		d.Rules = append(d.Rules, e.Rule)
	}
	if _, work, ok := s.stepNow(t.UpgradeRow); ok {
		d.Restarted = work.Memory[restartedNote] == "yes"
	}
	if plain, work, ok := s.stepNow(t.UpgradeRow); ok && work.StartedAt != nil && t.state == rollout.OutOfSight && plain.Silence > 0 {
		quiet := limitsFrom(work)
		if t.OutputAt != nil && t.OutputAt.After(quiet) {
			quiet = *t.OutputAt
		}
		d.Silent = s.Now().Sub(quiet) > plain.Silence
	}
	return d
}

// recoveriesOf are the kinds of trouble that an upgrade is in, at most two: the
// others stand on the list.
func (s *server) recoveriesOf(t trouble) []page.RecoveryText {
	var out []page.RecoveryText
	for _, r := range slices.Clip(s.distressOf(t).Recover()) {
		if len(out) == 2 {
			break
		}
		out = append(out, recoveryText(r))
	}
	return out
}
