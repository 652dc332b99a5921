package httpd

import (
	"fmt"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/ui"
)

// stagingWords says how a medium stands on a host, without its state's own word.
func stagingWords(g store.Staging, clock ui.Clock) string {
	switch g.State {
	case rollout.Done:
		if g.ProvenAt == nil {
			return "every file is right"
		}
		return "every file was right " + clock.Ago(*g.ProvenAt)
	case rollout.Waiting, rollout.Held:
		if g.NotBefore.After(clock.Now) {
			return "not before " + clock.Moment(g.NotBefore).Text
		}
		return "begins soon"
	case rollout.Running, rollout.OutOfSight:
	case rollout.Failed, rollout.Skipped, rollout.Paused, rollout.Interrupted, rollout.Unknown:
		return clean(g.Message)
	}
	switch g.Phase {
	case store.PhaseFetch:
		words := fmt.Sprintf("%d %% of %s", g.Percent(), sizeWords(g.Total))
		if g.Rate > 0 {
			words += ", " + sizeWords(g.Rate) + "/s"
		}
		if g.Source != "" {
			words += ", from " + clean(g.Source)
		}
		return words
	case store.PhaseUnpack:
		return "it is unpacked"
	case store.PhaseVerify:
		return "every file is compared"
	case store.PhaseCheck:
		return "looks whether it is there already"
	}
	return clean(g.Message)
}

// stagingAt is since when a staging is as it is.
func stagingAt(g store.Staging) time.Time {
	for _, at := range []*time.Time{g.EndedAt, g.StartedAt} {
		if at != nil {
			return *at
		}
	}
	return g.AskedAt
}
