package httpd

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// choice is one thing that a person can decide about an upgrade in trouble.
type choice struct {
	title      string
	verb       string // the address below the upgrade's; empty = elsewhere, see href
	href       string
	kind       string
	permission auth.Permission
	then       string // what follows from it, computed from the state
}

// choices lists what the state tables and the store allow about an upgrade now,
// the gentlest first. Whose right it is, is not asked here.
func (s *server) choices(t trouble, clock ui.Clock) []choice {
	if t.Decision != "" {
		return nil
	}
	over := ended(t.RolloutState)
	var list []choice
	add := func(c choice) {
		if c.permission == "" {
			c.permission = auth.Decide
		}
		list = append(list, c)
	}
	if s.has(t.Runbook, rollout.DecideLook) && t.state.MayDecide(rollout.DecideLook) {
		add(choice{title: "Look again", verb: "look", then: s.lookThen(t)})
	}
	for _, p := range t.offered {
		add(choice{title: certificateTitle(p), href: certificateHref(t.Server, p.ID), kind: "primary", permission: auth.Profiles, then: certificateThen(p)})
	}
	if t.state.MayDoubt() {
		add(choice{title: stopWaiting, verb: "doubt", kind: "danger", then: doubtThen(t)})
	}
	if !over && rollout.UpgradeTable.Allows(t.state, rollout.Retry) {
		add(choice{title: "Run again", verb: "retry", kind: "primary", then: s.retryThen(t)})
	}
	if s.verifies(t.Runbook) && t.state.MayVerify() && (t.state.Broken() || t.RolloutState == rollout.RolloutRunning) {
		add(choice{title: "Mark repaired and verify", verb: "verify", then: s.verifyThen(t)})
	}
	if s.mayClear(t) {
		add(choice{title: "Clear Action and Watermark", verb: "clear", kind: "danger", then: clearThen(t)})
	}
	if s.has(t.Runbook, rollout.DecideUndo) && t.state.MayDecide(rollout.DecideUndo) && len(t.toPutBack()) > 0 {
		add(choice{title: "Put the cleared values back", verb: "undo", then: fmt.Sprintf(
			"%s written again as they were. A value that exists anew by then is somebody's newer doing and stays.", ui.Count(len(t.toPutBack()), "value is", "values are"))})
	}
	if t.state.MaySkip() {
		add(choice{title: "Skip this server", verb: "skip", kind: "danger", then: skipThen(t)})
		if t.state == rollout.Failed && s.putBackFailed(t.UpgradeView) {
			add(choice{title: "Skip and leave as it is", verb: "skip?leave=yes", kind: "danger", then: leaveThen(t)})
		}
	}
	if t.inVain {
		add(choice{title: "Skip and leave as it is", verb: "skip?leave=yes", kind: "danger", then: leaveThen(t)})
	}
	if !over && inTrouble(t.state) {
		add(choice{
			title: "Stop the rollout", href: rolloutHref(t.Rollout) + "/stop", kind: "danger", permission: auth.Stop,
			then: fmt.Sprintf("Nothing starts in this rollout ever again. %s itself stays as it is and still waits for a decision.", t.Server),
		})
	}
	return list
}

// decisionsAbout is the choices as the page shows them to a viewer.
func (s *server) decisionsAbout(v viewer, t trouble, _ store.RolloutView, clock ui.Clock) []page.Decision {
	var out []page.Decision
	for _, c := range s.choices(t, clock) {
		href := c.href
		if href == "" {
			href = upgradeHref(t.Rollout, t.Server) + "/" + c.verb
		}
		out = append(out, page.Decision{Title: c.title, Then: c.then, Act: ui.Act{Href: href, Text: c.title, Kind: c.kind, Why: v.why(c.permission)}})
	}
	return out
}

// has reports whether the runbook has the decision step.
func (s *server) has(runbook, decision string) bool {
	_, ok := s.book(runbook).Decision(decision)
	return ok
}

// verifies reports whether the runbook can verify what a person repaired.
func (s *server) verifies(runbook string) bool {
	_, ok := s.book(runbook).Verifying()
	return ok
}

// mayClear reports whether there is, or may be, something to clear: what was
// read last from the host shows none only when it could be read.
func (s *server) mayClear(t trouble) bool {
	none := !t.marks.at.IsZero() && t.marks.fault == "" && len(t.marks.list) == 0
	return s.has(t.Runbook, rollout.DecideClear) && t.state.MayDecide(rollout.DecideClear) && !none
}

// toPutBack is what was cleared and can be put back.
func (t trouble) toPutBack() []store.MarkerRow {
	var open []store.MarkerRow
	_, cleared := t.ofHost()
	for _, m := range cleared {
		if m.Open {
			open = append(open, m)
		}
	}
	return open
}

func (s *server) lookThen(t trouble) string {
	switch t.state {
	case rollout.OutOfSight:
		return "It is asked at once, and the step's limits count from now. Nothing on the host is changed."
	case rollout.Unknown:
		return fmt.Sprintf("The host is asked how it stands, and its answers are kept. Then the step %s goes on with its limits counted from now: it watches a Setup that runs, begins one that was approved and has not begun, and starts none a second time.", shortStep(t.Step))
	default:
		return "The host is asked how it stands, and its answers are kept as evidence. Nothing on it is changed; the decision is yours again."
	}
}

func (s *server) retryThen(t trouble) string {
	from := shortStep(rollout.RetryFrom(s.book(t.Runbook), t.Step))
	text := fmt.Sprintf("A new attempt begins at the step %s when order, floor, limits and approval allow its start. Each step looks at the host first.", from)
	for _, m := range t.marks.list {
		if strings.EqualFold(m.Name, "Watermark") {
			return text + " Setup is meant to go on from its Watermark: this is the advice to try first."
		}
	}
	return text
}

// startsServices is what verification does on a host beside reading; no approval
// of a wave binds it.
const startsServices = " Exchange's services that start by themselves, or ran before, and do not run are started after some minutes; your decision is the approval for that."

func (s *server) verifyThen(t trouble) string {
	text := "For a server that you repaired or upgraded by hand. Builds and services are verified; it is done only if all are as they must be, else failed with what is missing."
	text += startsServices
	if len(openLedger(t.UpgradeView)) > 0 {
		text += " What was changed for a while is put back afterwards."
	}
	if ended(t.RolloutState) {
		text += " Nothing else starts: the rollout has ended."
	}
	return text
}

func clearThen(t trouble) string {
	text := "Break-glass. "
	if n := len(t.marks.list); n > 0 {
		text += ui.Count(n, "value is", "values are") + " deleted on the host, each kept on record first."
	} else {
		text += "What is there was not read yet; each value is kept on record, then deleted."
	}
	return text + " Refused on the host while anything of Setup is alive. Afterwards the decision is yours again, and the values can be put back."
}

func skipThen(t trouble) string {
	switch {
	case t.StartedAt == nil:
		return "It stays as it is, out of this rollout. Servers that wait for it stay held."
	case t.state == rollout.Failed && len(openLedger(t.UpgradeView)) == 0:
		return "It is out of this rollout and never counts as upgraded. Servers that wait for it stay held."
	default:
		return "What was changed for a while is put back first; then it is out of this rollout and never counts as upgraded. Servers that wait for it stay held."
	}
}

func leaveThen(t trouble) string {
	if t.inVain {
		return "Putting back is given up. " + strings.Join(staysLines(t), " ")
	}
	return fmt.Sprintf("What could not be put back (%s) stays changed on the host, and your name stands with it.", ui.List(openLedger(t.UpgradeView), 4))
}

// staysLines says what leaving a silent host as it is means for it.
func staysLines(t trouble) []string {
	var lines []string
	if open := openLedger(t.UpgradeView); len(open) > 0 {
		lines = append(lines, "Stays changed on the host, and your name stands with it: "+ui.List(open, 20)+".")
	} else {
		lines = append(lines, "Nothing that is on record stays changed on the host.")
	}
	if mayRun(t.UpgradeView) {
		lines = append(lines, "Setup may be running there: the host does not say. It is not touched, and this upgrade does not watch it any more.")
	}
	return append(lines, "Tasks and folders of this upgrade are removed when the host answers again, unless they run then.")
}

// isSetup reports whether a step runs Setup: of a cluster there is one for each node.
func isSetup(step string) bool { return step == "setup" || strings.HasPrefix(step, "setup-") }

// mayRun reports whether Setup was begun and not seen to succeed.
func mayRun(u store.UpgradeView) bool {
	return slices.ContainsFunc(u.Steps, func(st store.StepWork) bool {
		return isSetup(st.Name) && st.StartedAt != nil && st.State != rollout.Done
	})
}

// seenAs is how an upgrade stood when a page was made: what a form carries back.
func seenAs(u store.UpgradeView) string {
	return strings.Join([]string{string(u.State), fmt.Sprint(u.Attempt), u.Step, u.Decision, string(u.RolloutState)}, "/")
}

// asSeen refuses a form whose page was made before things changed, in words.
// A form that carries nothing is checked by the store alone.
func asSeen(seen string, u store.UpgradeView) error {
	if seen == "" || seen == seenAs(u) {
		return nil
	}
	was := strings.Split(seen, "/")
	if len(was) != 5 {
		return rollout.Invalid("The form does not say what its page showed. Load the page again.")
	}
	if was[4] != string(u.RolloutState) {
		return rollout.Conflict("The rollout was %s when you opened the page; now it is %s. Nothing was done.", lower(was[4]), lower(string(u.RolloutState)))
	}
	if was[3] != u.Decision && u.Decision != "" {
		return rollout.Conflict("A decision of %s about %s is carried out since you opened the page. Nothing was done.", orDash(u.DecidedBy), u.Server)
	}
	now := fmt.Sprintf("%s at the step %s, attempt %d", lower(string(u.State)), shortStep(u.Step), u.Attempt)
	return rollout.Conflict("%s was %s at the step %s, attempt %s, when you opened the page; now it is %s. Nothing was done.", u.Server, lower(was[0]), shortStep(was[2]), was[1], now)
}

func lower(state string) string { return strings.ToLower(ui.State{Key: state}.Word()) }

// typedName reports whether a person typed the server's name.
func typedName(form url.Values, server string) bool {
	return strings.EqualFold(strings.TrimSpace(form.Get("typed")), server)
}
