package httpd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/server/auth"
	"wavekeeper/server/live"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

const linesOfLog = 500

// unheard is how long a host that is asked may be quiet before its page says so.
const unheard = time.Minute

// upgradeOf loads the upgrade that the address names.
func (s *server) upgradeOf(r *http.Request) (store.UpgradeView, error) {
	id, err := number(r, "rollout")
	if err != nil {
		return store.UpgradeView{}, err
	}
	upgrade, err := s.Store.UpgradeID(r.Context(), id, part(r, "server"))
	if err != nil {
		return store.UpgradeView{}, err
	}
	return s.Store.Upgrade(r.Context(), upgrade)
}

func (s *server) upgrade(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	u, err := s.upgradeOf(r)
	if errors.Is(err, rollout.ErrNotFound) {
		return s.taken(w, r, err)
	}
	if err != nil {
		return err
	}
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64) // no number = the newest lines
	query := strings.TrimSpace(r.URL.Query().Get("log"))
	view, err := s.upgradeView(r.Context(), v, u)
	if err != nil {
		return err
	}
	if view.Log, err = s.logView(r.Context(), u, before, query); err != nil {
		return err
	}
	view.Frame = s.frame(r, v, u.Server, "rollouts")
	view.Frame.Stream = upgradeHref(u.Rollout, u.Server) + "/stream"
	if before > 0 || query != "" {
		view.Frame.Stream += "?log=still"
	}
	return s.render(w, r, http.StatusOK, page.UpgradePage(view))
}

// taken leads from a server that has no upgrade of its own to that of the one with
// which it goes as one, as the plan says; absent is the answer where there is none.
func (s *server) taken(w http.ResponseWriter, r *http.Request, absent error) error {
	id, err := number(r, "rollout")
	if err != nil {
		return err
	}
	o, err := s.Store.Rollout(r.Context(), id)
	if err != nil {
		return err
	}
	for _, one := range o.Content.Unit(strings.ToUpper(part(r, "server"))) {
		for _, wave := range o.Waves {
			if slices.ContainsFunc(wave.Upgrades, func(u store.UpgradeRow) bool { return u.Server == one.Name }) {
				http.Redirect(w, r, upgradeHref(id, one.Name), http.StatusSeeOther)
				return nil
			}
		}
	}
	return absent
}

func (s *server) upgradeStream(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	u, err := s.upgradeOf(r)
	if err != nil {
		return err
	}
	still := r.URL.Query().Get("log") == "still"
	topics := []string{fmt.Sprintf("upgrade:%d", u.ID), fmt.Sprintf("rollout:%d", u.Rollout)}
	return s.Live.Serve(w, r, s.streamPage(r, v, fmt.Sprintf("upgrade:%d?%t", u.ID, still), topics, func(ctx context.Context, v viewer) (live.Update, error) {
		var out live.Update
		one, err := s.Store.Upgrade(ctx, u.ID)
		if err != nil {
			return out, err
		}
		view, err := s.upgradeView(ctx, v, one)
		if err != nil {
			return out, err
		}
		if !still {
			if view.Log, err = s.logView(ctx, one, 0, ""); err != nil {
				return out, err
			}
		}
		return out, upgradeFragments(ctx, &out, view, !still)
	}))
}

func upgradeFragments(ctx context.Context, u *live.Update, view page.Upgrade, log bool) error {
	if err := fragment(ctx, u, "#upgrade-top", page.UpgradeHead(view.Top)); err != nil {
		return err
	}
	if err := fragment(ctx, u, "#steps", page.UpgradeSteps(view.Steps)); err != nil {
		return err
	}
	if err := fragment(ctx, u, "#trouble", page.UpgradeTrouble(view.Trouble)); err != nil {
		return err
	}
	if err := fragment(ctx, u, "#ledger", page.UpgradeLedger(view.Ledger, view.Repair)); err != nil {
		return err
	}
	if err := fragment(ctx, u, "#evidence", page.UpgradeEvidence(view.Evidence, view.Archive)); err != nil {
		return err
	}
	if err := fragment(ctx, u, "#findings", page.UpgradeFindings(view.Findings)); err != nil {
		return err
	}
	if !log {
		return nil
	}
	return fragment(ctx, u, "#log", page.UpgradeLog(view.Log))
}

// upgradeView is an upgrade as its page shows it, without the log.
func (s *server) upgradeView(ctx context.Context, v viewer, u store.UpgradeView) (page.Upgrade, error) {
	o, err := s.Store.Rollout(ctx, u.Rollout)
	if err != nil {
		return page.Upgrade{}, err
	}
	t, err := s.troubleOf(ctx, u)
	if err != nil {
		return page.Upgrade{}, err
	}
	clock := v.clock(s.Now())
	view := page.Upgrade{
		Crumbs: rolloutCrumbs(u.Rollout, u.PlanName), Steps: s.stepRows(u, clock), Top: s.upgradeTop(v, t, o, clock),
		Trouble: s.troubleView(v, t, o, clock), Evidence: evidenceRows(t, clock), Archive: upgradeHref(u.Rollout, u.Server) + "/evidence.zip", Repair: repairWords(t),
	}
	if view.Findings, err = s.preflightRows(ctx, v, u, clock); err != nil {
		return page.Upgrade{}, err
	}
	for _, l := range u.Ledger {
		view.Ledger = append(view.Ledger, page.LedgerRow{
			Thing: store.LedgerThing(l.Kind, l.Name) + onHost(l.Host, u.Server), Before: ledgerWords(l.Kind, l.Before), Meant: ledgerWords(l.Kind, l.Meant), Changed: clock.Moment(l.ChangedAt), Restored: clock.MomentOf(l.RestoredAt), Deviation: clean(l.Deviation),
		})
	}
	return view, nil
}

func (s *server) upgradeTop(v viewer, about trouble, o store.RolloutView, clock ui.Clock) page.UpgradeTop {
	u := about.UpgradeView
	t := page.UpgradeTop{
		Server: u.Server, What: "Build", Href: serverHref(u.Server), Roles: short(u.Roles), Site: siteWords(u.Site), State: upgradeState(u.UpgradeRow), Repaired: u.Repaired,
		From: "–", To: o.Content.Target().Target.String(), Started: clock.MomentOf(u.StartedAt), Took: took(u.StartedAt, u.EndedAt, clock.Now), Verified: clock.MomentOf(u.VerifiedAt),
		Percent: u.Percent, Phase: clean(u.Phase), Busy: s.irreversible(u.UpgradeRow), Message: clean(u.Message), Remedy: u.Remedy,
	}
	for _, one := range o.Content.Servers {
		if one.Name == u.Server {
			t.From = orDash(one.Build.String())
		}
	}
	if o.Content.Kind == rollout.OfServers {
		for _, one := range o.Content.Unit(u.Server) {
			if one.Name != u.Server {
				t.With = append(t.With, ui.Link{Href: serverHref(one.Name), Text: one.Name})
			}
		}
	}
	if o.Content.Kind == rollout.OfOrganization {
		t.What, t.From, t.To = "Organization", directoryBefore(u.UpgradeRow), levelWords(o.Content.Package)
		if t.From == "" {
			t.From = "not read yet"
		}
		if after := directoryAfter(u.UpgradeRow); after != "" {
			t.To = after
		}
	}
	t.Wave = ui.Link{Href: waveHref(u.Rollout, u.Wave), Text: fmt.Sprintf("wave %d", u.Wave)}
	t.Now = "not started"
	book := s.book(u.Runbook)
	for i, st := range book.Steps {
		if st.Name != u.Step {
			continue
		}
		t.Now = fmt.Sprintf("step %d of %d: %s", i+1, len(book.Steps), st.Words)
		if t.Busy {
			t.Silence = silence(u, st, clock)
		}
	}
	t.Slow = s.slowness(u, clock)
	t.Downtime, t.Exposed = s.spellWords(u, clock)
	if u.State == rollout.Running && !t.Busy && u.LastHeardAt != nil && clock.Now.Sub(*u.LastHeardAt) > unheard {
		t.Now += "; " + u.Server + " was heard last at " + clock.Moment(*u.LastHeardAt).Text + " and is asked again"
	}
	if u.Decision != "" {
		t.Busy, t.Slow = false, ""
		if step, ok := book.Decision(u.Decision); ok {
			t.AtWork = "By a decision of " + orDash(u.DecidedBy) + ": " + step.Words + "."
		}
	}
	switch u.State {
	case rollout.Done:
		t.Now = "done: " + doneWords(o.Content.Kind, u.UpgradeRow)
	case rollout.Skipped:
		t.Now = "out of this rollout"
	case rollout.Waiting, rollout.Held:
		for _, one := range u.Reasons {
			if !slices.Contains(t.Reasons, one.Text) { // servers of one cluster may say the same
				t.Reasons = append(t.Reasons, one.Text)
			}
			if one.Rule == "media-is-not-staged" {
				t.Media = ui.Link{Href: mediaOfWave(u.Rollout, u.Wave), Text: fmt.Sprintf("Media of wave %d", u.Wave)}
			}
		}
		if len(t.Reasons) == 0 {
			for _, w := range o.Waves {
				if w.Number == u.Wave {
					t.Reasons = []string{whyNot(o, w, u.UpgradeRow)}
				}
			}
		}
	case rollout.Failed, rollout.Interrupted, rollout.Unknown, rollout.Running, rollout.Paused, rollout.OutOfSight:
	}
	if t.Busy {
		t.Message = "" // the progress says it
	}
	t.Acts = s.upgradeActs(v, about, clock)
	return t
}

// upgradeActs is what a person can decide about an upgrade that is not in
// trouble; what can be decided in trouble stands in its own part of the page.
func (s *server) upgradeActs(v viewer, t trouble, clock ui.Clock) []ui.Act {
	if inTrouble(t.state) || ended(t.RolloutState) && t.StartedAt == nil {
		return nil
	}
	var acts []ui.Act
	for _, d := range s.decisionsAbout(v, t, store.RolloutView{}, clock) {
		if d.Act.Why == "" {
			acts = append(acts, d.Act)
		}
	}
	return acts
}

// putBackFailed reports whether a step that puts back what was changed failed.
func (s *server) putBackFailed(u store.UpgradeView) bool {
	return slices.ContainsFunc(u.Steps, func(st store.StepWork) bool {
		return st.State == rollout.Failed && slices.ContainsFunc(s.book(u.Runbook).Steps, func(row rollout.Step) bool { return row.Name == st.Name && row.PutBack })
	})
}

func (s *server) stepRows(u store.UpgradeView, clock ui.Clock) []page.StepRow {
	var rows []page.StepRow
	for _, plain := range s.book(u.Runbook).Steps {
		row := page.StepRow{Name: plain.Name, Words: plain.Words, State: ui.State{Key: string(rollout.Waiting)}, NoReturn: plain.NoReturn}
		for _, st := range u.Steps {
			if st.Name != plain.Name {
				continue
			}
			row.State, row.Message, row.Started, row.Took = stateOf(st.State), clean(st.Message), clock.MomentOf(st.StartedAt), stepTook(st, clock.Now)
			if st.Attempt > 1 {
				row.State.Note = fmt.Sprintf("attempt %d", st.Attempt)
			}
			if st.State == rollout.Running && st.StartedAt != nil {
				row.Late = clock.Now.Sub(limitsFrom(st)) > plain.Soft
			}
		}
		if row.State.Key != string(rollout.Done) {
			row.Expected = "usually " + ui.Duration(plain.Expected)
		}
		rows = append(rows, row)
	}
	for _, plain := range s.book(u.Runbook).Decisions {
		for _, st := range u.Steps {
			if st.Name == plain.Name {
				rows = append(rows, page.StepRow{
					Name: plain.Name, Words: "Decided by a person: " + strings.ToLower(plain.Words[:1]) + plain.Words[1:], State: stateOf(st.State),
					Message: clean(st.Message), Started: clock.MomentOf(st.StartedAt), Took: stepTook(st, clock.Now),
				})
			}
		}
	}
	return rows
}
