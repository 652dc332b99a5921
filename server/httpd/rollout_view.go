package httpd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

const rowsPerPage = 200

// rolloutView is a rollout as its page shows it.
func (s *server) rolloutView(ctx context.Context, v viewer, id int64, after int64) (page.Rollout, store.RolloutView, error) {
	o, err := s.Store.Rollout(ctx, id)
	if err != nil {
		return page.Rollout{}, o, err
	}
	view := page.Rollout{History: fmt.Sprintf("/history?kind=event&rollout=%d", id)}
	if view.Decisions, err = s.decisions(ctx, v, id); err != nil {
		return view, o, err
	}
	events, err := s.Store.Milestones(ctx, id, 200)
	if err != nil {
		return view, o, err
	}
	clock := v.clock(s.Now())
	for _, e := range events[:min(len(events), 20)] {
		view.Events = append(view.Events, rolloutEvent(e, clock))
	}
	who, err := s.personWords(ctx, o.Submitter)
	if err != nil {
		return view, o, err
	}
	view.Head = s.rolloutHead(o, v, who)
	if slow := s.slow(o, clock); slow != "" && !ended(o.State) {
		view.Head.Note += " " + slow
	}
	for i, w := range o.Waves {
		view.Lanes = append(view.Lanes, lane(w, v, o, i))
	}
	view.Groups, view.More = s.matrix(o, after, movedLast(events), clock)
	if after > 0 {
		view.First = rolloutHref(id)
	}
	return view, o, nil
}

// slow says in one sentence which servers give no sign of getting on.
func (s *server) slow(o store.RolloutView, clock ui.Clock) string {
	var lost, silent []string
	for _, w := range o.Waves {
		for _, u := range w.Upgrades {
			switch {
			case u.State == rollout.OutOfSight:
				lost = append(lost, u.Server)
			case s.slowness(store.UpgradeView{UpgradeRow: u}, clock) != "":
				silent = append(silent, u.Server)
			}
		}
	}
	var said []string
	if len(lost) > 0 {
		said = append(said, "Out of sight: "+ui.List(lost, 5)+".")
	}
	if len(silent) > 0 {
		said = append(said, "Slow or silent: "+ui.List(silent, 5)+".")
	}
	return strings.Join(said, " ")
}

// milestones leaves out the events of single actions on hosts, which the page
// of each upgrade and the history show.
func milestones(events []store.Event, most int) []store.Event {
	var out []store.Event
	for _, e := range events {
		switch e.Kind {
		case store.EventIntent, store.EventChanged, store.EventRestored, store.EventStep, store.EventEvidence, store.EventMarker:
		default:
			if len(out) < most {
				out = append(out, e)
			}
		}
	}
	return out
}

func (s *server) personWords(ctx context.Context, id int64) (string, error) {
	if id == 0 {
		return "–", nil
	}
	p, err := s.Store.PersonByID(ctx, id)
	return p.Name, err
}

func rolloutEvent(e store.Event, clock ui.Clock) page.Event {
	out := page.Event{Number: ui.Digits(int(e.Number)), At: clock.Moment(e.At), State: eventState(e.Kind, e.Text, e.Data), Text: clean(e.Text)}
	switch {
	case e.Server != "":
		out.Where, out.Href = e.Server, upgradeHref(e.Rollout, e.Server)
	case e.Wave > 0:
		out.Where, out.Href = fmt.Sprintf("Wave %d", e.Wave), waveHref(e.Rollout, e.Wave)
	}
	out.Text = afterName(out.Where, out.Text)
	return out
}

// afterName leaves the name out of a text that is shown right behind it.
func afterName(name, text string) string {
	if rest, ok := strings.CutPrefix(text, name); ok && name != "" {
		return strings.TrimLeft(rest, ": ")
	}
	return text
}

func (s *server) rolloutHead(o store.RolloutView, v viewer, by string) page.RolloutHead {
	clock := v.clock(s.Now())
	h := page.RolloutHead{
		ID: ui.Digits(int(o.ID)), Name: o.PlanName, Package: goalWords(o.Content), State: stateOf(o.State),
		PlanHref: fmt.Sprintf("%s/revisions/%d", planHref(o.Plan), o.Revision), Hash: o.Hash, By: by, Started: clock.MomentOf(o.StartedAt),
		Elapsed: took(o.StartedAt, o.EndedAt, clock.Now), Words: fmt.Sprintf("%d of %s done", o.Done, ui.Count(o.Servers, "server", "servers")), Parts: parts(o.Waves), Left: s.left(o),
	}
	h.Note, h.NoteKey = rolloutNote(o)
	act := func(name, text, kind string, p auth.Permission) {
		if v.may(p) {
			h.Acts = append(h.Acts, ui.Act{Href: rolloutHref(o.ID) + "/" + name, Text: text, Kind: kind})
		}
	}
	switch o.State {
	case rollout.RolloutRunning, rollout.RolloutWaiting:
		if o.State == rollout.RolloutRunning {
			act("pause", "Pause", "", auth.Pause)
		}
		act("stop", "Stop", "danger", auth.Stop)
	case rollout.RolloutPaused:
		act("resume", "Resume", "primary", auth.Resume)
		act("stop", "Stop", "danger", auth.Stop)
	case rollout.RolloutStopped, rollout.RolloutDone:
	}
	return h
}

// rolloutNote says in one sentence what goes on, or why nothing does.
func rolloutNote(o store.RolloutView) (text, key string) {
	switch o.State {
	case rollout.RolloutDone:
		return "Every wave is done.", "done"
	case rollout.RolloutStopped:
		text := said("Stopped: nothing starts in it any more", "", o.StopReason)
		if o.Running > 0 {
			text += " Still in work, until it comes to its end: " + ui.Count(o.Running, "server", "servers") + "."
		}
		return text, "stopped"
	case rollout.RolloutPaused:
		return said("Paused", o.PausedBy, o.PauseReason) + " Nothing starts until it is resumed.", "paused"
	case rollout.RolloutWaiting, rollout.RolloutRunning:
	}
	var open []*store.WaveView // several where waves overlap
	var next *store.WaveView
	for i := range o.Waves {
		w := &o.Waves[i]
		switch w.State {
		case rollout.WaveStopped:
			why := sentenceOf(w.StopReason)
			if !strings.HasPrefix(why, "Wave ") {
				why = strings.TrimSpace(fmt.Sprintf("Wave %d is stopped. %s", w.Number, why))
			}
			return why + " Its servers start again when a person has decided about what failed: running again resumes the wave; after a skip, resume it by hand.", "stopped"
		case rollout.WavePaused:
			return fmt.Sprintf("Wave %d is paused; no server of it starts.", w.Number), "paused"
		case rollout.WaveRunning:
			open = append(open, w)
		case rollout.WaveWaiting:
			if next == nil {
				next = w
			}
		case rollout.WaveApproved, rollout.WaveDone:
		}
	}
	for _, w := range open {
		if len(changedSince(*w)) > 0 {
			return fmt.Sprintf("Wave %d has to be approved again: what was approved changed.", w.Number), "held"
		}
	}
	switch {
	case len(open) > 0 && o.Running == 0 && o.Failed > 0:
		return fmt.Sprintf("%s for a decision about %s.", wavesWait(inTroubleOf(open)), ui.Count(o.Failed, "server", "servers")), "held"
	case len(open) == 1 && o.Running == 0:
		return fmt.Sprintf("Wave %d is open, but nothing runs in it now: each of its servers says below what it waits for.", open[0].Number), "held"
	case len(open) > 0 && o.Running == 0:
		return wavesAre(open) + " open, but nothing runs in them now: each of their servers says below what it waits for.", "held"
	case len(open) > 0 && next != nil:
		return fmt.Sprintf("%s under way. Wave %d is not approved yet: %s.", wavesAre(open), next.Number, ui.Count(len(next.Upgrades), "server", "servers")), "running"
	case len(open) > 0:
		return wavesAre(open) + " under way.", "running"
	case next != nil:
		return fmt.Sprintf("Nothing runs: wave %d waits for the approval of an operator who did not write the plan.", next.Number), "held"
	default:
		return "Approved waves start in a moment.", "running"
	}
}

// inTroubleOf are the waves in which a server waits for a decision; all when none
// says so.
func inTroubleOf(open []*store.WaveView) []*store.WaveView {
	var out []*store.WaveView
	for _, w := range open {
		if slices.ContainsFunc(w.Upgrades, func(u store.UpgradeRow) bool { return u.State.Broken() }) {
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		return open
	}
	return out
}

func waveNames(list []*store.WaveView) string {
	var numbers []string
	for _, w := range list {
		numbers = append(numbers, ui.Digits(w.Number))
	}
	if len(list) == 1 {
		return "Wave " + numbers[0]
	}
	return "Waves " + ui.List(numbers, 6)
}

func wavesAre(list []*store.WaveView) string {
	if len(list) == 1 {
		return waveNames(list) + " is"
	}
	return waveNames(list) + " are"
}

func wavesWait(list []*store.WaveView) string {
	if len(list) == 1 {
		return waveNames(list) + " waits"
	}
	return waveNames(list) + " wait"
}

func said(what, who, why string) string {
	if who != "" {
		what += " by " + who
	}
	if why != "" {
		what += ": " + strings.TrimRight(why, ".")
	}
	return what + "."
}

func sentenceOf(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + strings.TrimRight(text[1:], ".") + "."
}

// nextToApprove is the number of the first wave without an approval, 0 = none.
func nextToApprove(waves []store.WaveView) int {
	for _, w := range waves {
		if w.State == rollout.WaveWaiting {
			return w.Number
		}
	}
	return 0
}

// waveState is a wave's state as a page shows it: in a rollout that is stopped
// nothing of an unfinished wave starts any more.
func waveState(o rollout.RolloutState, w rollout.WaveState) ui.State {
	if o == rollout.RolloutStopped && w != rollout.WaveDone {
		return stateOf(rollout.WaveStopped)
	}
	return stateOf(w)
}

func lane(w store.WaveView, v viewer, o store.RolloutView, index int) page.Lane {
	l := page.Lane{
		Number: w.Number, Title: "Wave " + ui.Digits(w.Number), State: waveState(o.State, w.State), Parts: parts([]store.WaveView{w}), Href: waveHref(o.ID, w.Number),
		Words: ui.Count(len(w.Upgrades), "server", "servers"), Here: w.State == rollout.WaveRunning || w.State == rollout.WaveStopped || w.State == rollout.WavePaused,
	}
	if w.Name != "" {
		l.Words += ": " + w.Name
	}
	if w.StartedAt != nil && w.EndedAt != nil {
		l.Words += ", " + ui.Duration(w.EndedAt.Sub(*w.StartedAt))
	}
	over := o.State == rollout.RolloutDone || o.State == rollout.RolloutStopped
	if w.Number == nextToApprove(o.Waves) && v.may(auth.Approve) && v.ID != o.AuthorID && v.ID != o.Submitter && !over {
		l.Act = ui.Link{Href: l.Href, Text: "Approve"}
	}
	if (w.State == rollout.WaveStopped || w.State == rollout.WavePaused) && v.may(auth.Resume) && !over {
		l.Act = ui.Link{Href: l.Href + "/resume", Text: "Resume"}
	}
	if w.State == rollout.WaveApproved && index > 0 && !over {
		l.Words += ", opens when wave " + ui.Digits(index) + " is done"
	}
	return l
}
