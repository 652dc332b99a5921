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
// came to nothing, and were not compared yet.
func unlike(w *Work) bool {
	return w.Unwinding && w.Notes["setup"][setupRan] != "" && w.Memory[compared] == ""
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
		if !ok || open || !disabled && !stopped {
			continue
		}
		before := map[string]string{"state": was.State, "start": now.StartMode}
		if disabled {
			before["start"] = was.StartMode
		}
		if before["start"] == windows.StartAuto && slices.Contains(strings.Split(b.Notes["record"][delayedStart], ","), was.Name) {
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
	b.Memory[compared] = "yes"
	b.out = onward("Compared with the record: Setup left %d services other than they were", found)
	return true, nil
}
