package runbook

import (
	"context"
	"maps"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
)

// compared is remembered once what a broken Setup left was compared with the
// record.
const compared = "compared"

// unlike reports whether services may be other than recorded by a Setup that
// came to nothing, and were not compared yet: of one that was given up right after it
// was told to run, the host knows first.
func unlike(w *Work) bool {
	return w.Unwinding && (w.ranOnce() || w.Memory[ranKeys] != "") && w.Memory[compared] == "" && !asRecorded(w, w.Memory)
}

// What put-back remembers over all attempts of how it ended.
const (
	whole   = "whole" // the attempt of step setup after which everything was as recorded, or inPart
	inPart  = "in part"
	exactly = ".exact" // ends the key of an entry that was closed without a deviation
)

// asRecorded reports whether put-back, whose memory is given, ended with every
// service as it was recorded, and step setup began no attempt since.
func asRecorded(w *Work, putBack map[string]string) bool {
	return putBack[whole] != "" && putBack[whole] == wholeNow(w)
}

// wholeNow is what whole is when everything is as recorded now.
func wholeNow(w *Work) string {
	now := "setup " + w.note("setup")["attempt"]
	for _, step := range programSteps {
		if note := w.note(step); step != "setup" && note[setupRan] != "" {
			now += ", " + step + " " + note["attempt"]
		}
	}
	return now
}

// putBackDone is the end of a put-back after which no entry is open. It
// remembers whether everything is as recorded. Each entry's own mark is asked,
// not that of a deviation: a mark that was lost with a killed tick must not make
// a record of what could not be put back.
func putBackDone(w *Work, message string) Outcome {
	exact := true
	for key := range w.Memory {
		if id, ok := strings.CutPrefix(key, "entry."); ok && !strings.Contains(id, ".") && w.Memory[key+exactly] == "" {
			exact = false
		}
	}
	switch {
	case !exact:
		w.Memory[whole] = inPart
	case w.Memory[compared] != "" || w.Memory[whole] != inPart:
		w.Memory[whole] = wholeNow(w)
	}
	return Outcome{Kind: Done, Message: message, Percent: 100}
}

// leftBySetup takes into the ledger what a Setup that failed or was broken off
// left behind: services that it disabled or stopped and would have put back
// itself at its end. From then on they are put back like everything else. Any
// other start type is one that Setup gave it to keep; after a Setup that went
// well, everything that it left is meant.
func (b *putter) leftBySetup(ctx context.Context) (ended bool, err error) {
	if !unlike(b.Work) {
		return false, nil
	}
	recorded, ok, err := recorded(b.Work)
	if err != nil || !ok {
		b.Memory[compared] = "no record" // a damaged one is as good as none
		return false, nil
	}
	if b.services, err = b.Host.Services(ctx); err != nil {
		b.out, err = trouble("read the services", err)
		return true, err
	}
	found := 0
	for _, name := range slices.Sorted(maps.Keys(recorded)) {
		was := recorded[name]
		now, ok := windows.FindService(b.services, was.Name)
		open := slices.ContainsFunc(b.Ledger, func(e Entry) bool { return e.Kind == ServiceEntry && strings.EqualFold(e.Name, was.Name) })
		disabled := now.StartMode == windows.StartDisabled && was.StartMode != windows.StartDisabled
		stopped := was.State == windows.Running && now.State != windows.Running
		if b.ofCluster(was.Name) { // it runs where the cluster wants it; only its start type was the node's
			stopped, was.State = false, now.State
		}
		if !ok || open || !disabled && !stopped {
			continue
		}
		before := map[string]string{"state": was.State, "start": now.StartMode}
		if disabled {
			before["start"] = was.StartMode
		}
		if before["start"] == windows.StartAuto && slices.Contains(strings.Split(b.note("record")[delayedStart], ","), was.Name) {
			before[delayedStart] = "yes"
		}
		if err := b.change(ctx, Entry{
			Kind: ServiceEntry, Name: now.Name, Before: before,
			Meant: map[string]string{"state": now.State, "start": now.StartMode, byWhom: bySetup},
		}); err != nil {
			return true, err
		}
		found++
	}
	if err := settingsLeft(ctx, b.Work); err != nil {
		b.out, err = trouble("look how far Setup came", err)
		return true, err
	}
	b.Memory[compared] = "yes"
	b.out = onward("Compared with the record: Setup left %d services other than they were", found)
	return true, nil
}
