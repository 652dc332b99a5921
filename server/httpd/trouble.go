package httpd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// trouble is an upgrade in trouble with what was read from its host.
type trouble struct {
	store.UpgradeView
	state    rollout.State // in which a person decides: while a decision is carried out, the one that it returns to
	since    time.Time     // zero = not known
	inVain   bool          // it is put back, and the host is silent: it may be left as it is
	evidence []store.EvidenceRow
	cleared  []store.MarkerRow
	marks    marks    // Action and Watermark as read last
	here     []string // who was logged on
	hereAt   time.Time
	offered  []store.Pin         // certificates of its hosts that wait for a person
	errors   []exchange.LogError // what its setup log shows
}

// inTrouble reports whether a person has to know about a state and may decide.
func inTrouble(s rollout.State) bool { return s == rollout.OutOfSight || s.Broken() }

// troubleState is the state in which a person decides about an upgrade: while
// his decision is carried out it is where that returns to.
func troubleState(u store.UpgradeRow) rollout.State {
	if u.Decision != "" && u.Returns != "" {
		return u.Returns
	}
	return u.State
}

// troubleOf loads what is known of an upgrade in trouble.
func (s *server) troubleOf(ctx context.Context, u store.UpgradeView) (trouble, error) {
	t := trouble{UpgradeView: u, state: troubleState(u.UpgradeRow)}
	var err error
	if t.evidence, err = s.Store.Evidence(ctx, u.ID); err != nil {
		return t, err
	}
	if t.cleared, err = s.Store.Markers(ctx, u.ID); err != nil {
		return t, err
	}
	if u.State == rollout.Running && u.Unwinding && u.Decision == "" {
		if t.inVain, err = s.Store.UnwindsInVain(ctx, u.ID); err != nil {
			return t, err
		}
	}
	if u.Decision == "" && !inTrouble(u.State) && !t.inVain {
		return t, nil
	}
	if t.offered, err = s.offeredBy(ctx, u.Server); err != nil {
		return t, err
	}
	if t.since, err = s.movedAt(ctx, u); err != nil {
		return t, err
	}
	here, cleared := t.ofHost()
	if row, ok := newest(here, "registry"); ok {
		file, err := s.Store.EvidenceFile(ctx, u.ID, row.ID)
		if err != nil {
			return t, err
		}
		t.marks = readMarks(file).after(cleared)
	}
	if row, ok := newest(here, setupErrorsKind); ok {
		file, err := s.Store.EvidenceFile(ctx, u.ID, row.ID)
		if err != nil {
			return t, err
		}
		t.errors = readLogErrors(file)
	}
	if row, ok := newest(here, "sessions"); ok {
		file, err := s.Store.EvidenceFile(ctx, u.ID, row.ID)
		if err != nil {
			return t, err
		}
		t.here, t.hereAt = linesOf(asText(file.Data)), row.At
	}
	return t, nil
}

// node is the host on which the step in trouble works; empty while that is not
// known, and of a server that is its own host.
func (t trouble) node() string {
	for _, st := range t.Steps {
		if st.Name == t.Step && !strings.EqualFold(st.Node, t.Server) {
			return st.Node
		}
	}
	return ""
}

// where names the host in trouble: of a cluster its node.
func (t trouble) where() string {
	if node := t.node(); node != "" {
		return node
	}
	return t.Server
}

// ofHost is what was read from the host in trouble and cleared there: what an
// earlier step met on another node of its cluster says nothing about it.
func (t trouble) ofHost() (read []store.EvidenceRow, cleared []store.MarkerRow) {
	node := t.node()
	if node == "" {
		return t.evidence, t.cleared
	}
	for _, e := range t.evidence {
		if strings.EqualFold(e.Host, node) {
			read = append(read, e)
		}
	}
	for _, m := range t.cleared {
		if strings.EqualFold(m.Host, node) {
			cleared = append(cleared, m)
		}
	}
	return read, cleared
}

// withoutWMI stands in evidence between what was read and what WMI answered.
const withoutWMI = " without WMI: "

// hereOf splits the evidence of sessions: who is on the host, and in one sentence
// what was read without WMI when that did not answer. WMI's own words stay in the
// evidence.
func hereOf(lines []string) (here []string, without string) {
	var nouns []string
	for _, line := range lines {
		noun, _, found := strings.Cut(line, withoutWMI)
		if !found {
			here = append(here, clean(line))
			continue
		}
		nouns = append(nouns, clean(noun))
	}
	if len(nouns) > 0 {
		without = "WMI did not answer on the host. Read without it: " + strings.Join(nouns, ", ") + "."
	}
	return here, without
}

// newest returns the last piece of evidence of a kind.
func newest(all []store.EvidenceRow, kind string) (store.EvidenceRow, bool) {
	for _, e := range slices.Backward(all) {
		if e.Kind == kind {
			return e, true
		}
	}
	return store.EvidenceRow{}, false
}

// movedAt is when an upgrade came to the state it is in, by its events.
func (s *server) movedAt(ctx context.Context, u store.UpgradeView) (time.Time, error) {
	events, err := s.Store.LatestEvents(ctx, u.Rollout, 200)
	if err != nil {
		return time.Time{}, err
	}
	if at, ok := movedLast(events)[u.Server]; ok {
		return at, nil
	}
	if u.LastHeardAt != nil {
		return *u.LastHeardAt, nil
	}
	return time.Time{}, nil
}

// movedLast is since when each server's upgrade is in its state, as far as the
// events go; they come the newest first. A decision that ends where it began
// does not count.
func movedLast(events []store.Event) map[string]time.Time {
	last, states, over := map[string]time.Time{}, map[string]any{}, map[string]bool{}
	for _, e := range events {
		if e.Kind != store.EventUpgrade || e.Server == "" || over[e.Server] {
			continue
		}
		state, seen := states[e.Server]
		if seen && state != e.Data["state"] {
			over[e.Server] = true
			continue
		}
		states[e.Server], last[e.Server] = e.Data["state"], e.At
	}
	return last
}

// troubleView is the part of an upgrade's page about its trouble; nil = none.
func (s *server) troubleView(v viewer, t trouble, o store.RolloutView, clock ui.Clock) *page.Trouble {
	if t.Decision == "" && !inTrouble(t.State) && !t.inVain {
		return nil
	}
	out := &page.Trouble{
		State: stateOf(t.state), Lead: s.troubleLead(t), Known: s.troubleKnown(t, clock), Limits: s.limitsOf(t, clock),
		Safe: s.troubleSafe(t, o, clock), Decisions: s.decisionsAbout(v, t, o, clock),
		Errors: logErrorRows(t.errors), Recoveries: s.recoveriesOf(t),
	}
	if !t.marks.at.IsZero() && t.marks.fault == "" {
		out.Markers, out.MarksAsOf = t.marks.rows(), clock.Moment(t.marks.at).Text
	}
	if !t.hereAt.IsZero() {
		out.HereAsOf = clock.Moment(t.hereAt).Text
		out.Here, out.Without = hereOf(t.here)
	}
	for _, m := range t.cleared {
		out.Cleared = append(out.Cleared, page.ClearedRow{
			MarkerRow: markerRow(m.Marker), By: m.ClearedBy + onHost(m.Host, t.Server), At: clock.Moment(m.ClearedAt), PutBack: clock.MomentOf(m.PutBackAt), Open: m.Open,
		})
	}
	if t.Decision != "" {
		out.Quiet = fmt.Sprintf("A decision of %s is carried out on the host now. When it has ended, %s is %s again.", orDash(t.DecidedBy), t.Server, strings.ToLower(stateOf(t.Returns).Word()))
		if t.Returns == rollout.Running {
			out.Quiet = fmt.Sprintf("A decision of %s is carried out on the host now. When it has ended, the step %s goes on.", orDash(t.DecidedBy), shortStep(t.Step))
		}
	}
	return out
}

// watches reports whether what is out of sight waits for a Setup that runs on a
// host that answers: in a step that can be repeated nothing else is out of sight.
func (s *server) watches(t trouble) bool {
	plain, _, ok := s.stepNow(t.UpgradeRow)
	return ok && plain.Repeatable && t.state == rollout.OutOfSight
}

func (s *server) troubleLead(t trouble) string {
	step := shortStep(t.Step)
	if t.inVain {
		return fmt.Sprintf("%s does not answer, and what was changed on it cannot be put back meanwhile.", t.where())
	}
	switch t.state {
	case rollout.OutOfSight:
		if s.watches(t) {
			return fmt.Sprintf("A Setup runs on %s; the step %s waits for its end.", t.where(), step)
		}
		if len(t.offered) > 0 {
			return fmt.Sprintf("%s shows a certificate that is not trusted, so nothing is asked of it; the step %s may go on there.", t.where(), step)
		}
		return fmt.Sprintf("%s does not answer; the step %s may go on there.", t.where(), step)
	case rollout.Interrupted:
		return fmt.Sprintf("%s says that the step %s began, did not end, and nothing of it runs.", hostWords(t), step)
	case rollout.Unknown:
		return fmt.Sprintf("It cannot be said whether the step %s did its work.", step)
	case rollout.Failed:
		return fmt.Sprintf("The step %s ended without reaching its goal.", step)
	case rollout.Waiting, rollout.Held, rollout.Running, rollout.Paused, rollout.Skipped, rollout.Done:
	}
	return fmt.Sprintf("%s is asked how the step %s stands.", hostWords(t), step)
}

// hostWords begins a sentence about the host in trouble.
func hostWords(t trouble) string {
	if node := t.node(); node != "" {
		return node
	}
	return "The host"
}

// onHost says on which host something is, where the server is not its own host.
func onHost(host, server string) string {
	if host == "" || strings.EqualFold(host, server) {
		return ""
	}
	return " on " + host
}

func (s *server) troubleKnown(t trouble, clock ui.Clock) []page.Item {
	moment := func(at *time.Time) (text, ago string) {
		if at == nil {
			return "never", ""
		}
		m := clock.Moment(*at)
		return m.Text, m.Ago
	}
	var known []page.Item
	if node := t.node(); node != "" {
		known = append(known, page.Item{Name: "Host", Value: node, Note: "a node of " + t.Server})
	}
	if !t.since.IsZero() {
		m := clock.Moment(t.since)
		known = append(known, page.Item{Name: "Since", Value: m.Text, Note: m.Ago})
	}
	heard, ago := moment(t.LastHeardAt)
	known = append(known, page.Item{Name: "Last contact", Value: heard, Note: ago})
	if t.OutputAt != nil {
		last, ago := moment(t.OutputAt)
		known = append(known, page.Item{Name: "Last news of the step", Value: last, Note: ago})
	}
	step := s.stepWords(t.Runbook, t.Step)
	if t.Attempt > 1 {
		step += fmt.Sprintf(", attempt %d", t.Attempt)
	}
	known = append(known, page.Item{Name: "Step", Value: step})
	if isSetup(t.Step) && t.Phase != "" {
		known = append(known, page.Item{Name: "Setup was at", Value: clean(t.Phase), Note: ui.Percent(t.Percent) + " %"})
	}
	if t.marks.fault != "" {
		known = append(known, page.Item{Name: "Action and Watermark", Value: "could not be read", Note: clean(t.marks.fault)})
	}
	return known
}

// limitsOf says how far the limits of a step in work are.
func (s *server) limitsOf(t trouble, clock ui.Clock) []page.Limit {
	if t.state != rollout.OutOfSight && t.state != rollout.Running {
		return nil
	}
	plain, work, ok := s.stepNow(t.UpgradeRow)
	if !ok || work.StartedAt == nil {
		return nil
	}
	from := limitsFrom(work)
	quiet := from
	if t.OutputAt != nil && t.OutputAt.After(quiet) {
		quiet = *t.OutputAt
	}
	return []page.Limit{
		limit("Longer than expected after", plain.Soft, from, clock),
		limit("Silent for too long after", plain.Silence, quiet, clock),
		limit("A person decides after", plain.Hard, from, clock),
	}
}

// stepNow is the step that an upgrade is at, as planned and as it goes.
func (s *server) stepNow(u store.UpgradeRow) (rollout.Step, store.StepWork, bool) {
	steps := s.book(u.Runbook).Steps
	at := slices.IndexFunc(steps, func(st rollout.Step) bool { return st.Name == u.Step })
	row := slices.IndexFunc(u.Steps, func(st store.StepWork) bool { return st.Name == u.Step })
	if at < 0 || row < 0 {
		return rollout.Step{}, store.StepWork{}, false
	}
	return steps[at], u.Steps[row], true
}

// limitsFrom is when the limits of a step that has begun count from.
func limitsFrom(st store.StepWork) time.Time {
	if st.LimitsFrom != nil {
		return *st.LimitsFrom
	}
	return *st.StartedAt
}

func limit(name string, length time.Duration, from time.Time, clock ui.Clock) page.Limit {
	l := page.Limit{Name: name, Length: ui.Duration(length)}
	if length <= 0 {
		l.Length, l.Words = "–", "no limit"
		return l
	}
	over := clock.Now.Sub(from) - length
	l.Passed, l.Words = over >= 0, "in "+ui.Duration(-over)
	if l.Passed {
		l.Words = "passed " + ui.Duration(over) + " ago"
	}
	l.Percent = int(min(100, max(0, 100*clock.Now.Sub(from)/length)))
	return l
}

func (s *server) stepWords(runbook, name string) string {
	for _, st := range s.book(runbook).Steps {
		if st.Name == name {
			return st.Words
		}
	}
	return shortStep(name)
}

// troubleSafe says what nothing happens to while a person thinks.
func (s *server) troubleSafe(t trouble, o store.RolloutView, clock ui.Clock) []string {
	var safe []string
	say := func(format string, args ...any) { safe = append(safe, fmt.Sprintf(format, args...)) }
	if t.inVain {
		say("It is asked again and again; when it answers, putting back goes on by itself. Nothing has to be decided.")
	}
	switch t.state {
	case rollout.OutOfSight:
		say("Nothing else is tried on %s. What runs there goes on by itself and is not touched.", t.Server)
		until, come := "when it answers", "does not answer"
		if s.watches(t) {
			until, come = "when nothing of Setup runs any more", "is not so far"
		}
		if len(t.offered) > 0 {
			say("It is asked again and again, by the TLS handshake alone: nothing else is sent before an admin has decided about the certificate of %s. Then the step goes on by itself.", t.offered[0].Host)
		} else {
			say("It is asked again and again; %s, the step goes on by itself. Nothing has to be decided; who knows that it will not, may stop waiting.", until)
		}
		if plain, work, ok := s.stepNow(t.UpgradeRow); ok && work.StartedAt != nil && plain.Hard > 0 {
			end := clock.Moment(limitsFrom(work).Add(plain.Hard)).Text
			say("If it %s until %s, the outcome counts as unknown and a person decides. Setup is not started a second time.", come, end)
		}
	case rollout.Interrupted, rollout.Unknown:
		say("Nothing is started on %s before a person decides, however long that takes.", t.Server)
		if t.state == rollout.Unknown {
			say("Setup is not started again on a guess.")
		}
		if len(t.marks.list) > 0 {
			say("Action and Watermark stay as Setup left them; they are never deleted without a person's decision.")
		}
	case rollout.Failed:
		say("Nothing more is done on %s before a person decides.", t.Server)
	case rollout.Waiting, rollout.Held, rollout.Running, rollout.Paused, rollout.Skipped, rollout.Done:
		say("Nothing on the host is changed by asking it.")
	}
	if open := openLedger(t.UpgradeView); len(open) > 0 {
		say("Still changed for a while: %s. The states found before are on record below.", ui.List(open, 4))
	} else if len(t.Ledger) > 0 {
		say("Everything that was changed for a while is put back.")
	}
	say("Servers that wait for %s stay held.", t.Server)
	for _, w := range o.Waves {
		if w.ID == t.WaveID && w.State == rollout.WaveStopped {
			say("Wave %d is stopped: no further server of it starts. Servers in work come to their end.", w.Number)
		} else if w.ID == t.WaveID && t.state.Broken() && w.State == rollout.WaveRunning && open(w) > 0 {
			say("Wave %d goes on: other servers of it start as limits allow.", w.Number)
		}
	}
	return safe
}

// open counts the servers of a wave that have not begun.
func open(w store.WaveView) int {
	n := 0
	for _, u := range w.Upgrades {
		if u.State == rollout.Waiting || u.State == rollout.Held {
			n++
		}
	}
	return n
}

// openLedger names what is changed on the host and not put back.
func openLedger(u store.UpgradeView) []string {
	var open []string
	for _, l := range u.Ledger {
		if l.RestoredAt == nil {
			thing := store.LedgerThing(l.Kind, l.Name)
			open = append(open, strings.ToLower(thing[:1])+thing[1:]+onHost(l.Host, u.Server))
		}
	}
	return open
}
