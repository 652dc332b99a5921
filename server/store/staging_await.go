package store

import (
	"context"
	"fmt"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// mediaAwaited says for upgrades of a rollout why their package is not on their
// hosts though it was asked for. What nobody asked for, and what a person
// cancelled, is not waited for: the upgrade's own step brings it.
func (t *txn) mediaAwaited(ctx context.Context, id int64) (map[int64]string, error) {
	rows, err := t.q.WaveStagings(ctx, db.WaveStagingsParams{RolloutID: id})
	if err != nil {
		return nil, fmt.Errorf("load stagings: %w", err)
	}
	awaited := map[int64]string{}
	for _, r := range rows {
		if r.StagingUpgrade != nil || awaited[r.UpgradeID] != "" {
			continue
		}
		if why := awaitedMedia(rollout.State(r.State), r.Phase, r.Host, r.Message, r.NotBefore, t.now); why != "" {
			awaited[r.UpgradeID] = why
		}
	}
	return awaited, nil
}

func awaitedMedia(state rollout.State, phase, host, message string, notBefore, now time.Time) string {
	said := ""
	if message != "" {
		said = ": " + message
	}
	switch state {
	case rollout.Waiting, rollout.Held:
		if notBefore.After(now) {
			return "The media is asked for on " + host + ", not before " + notBefore.UTC().Format("2006-01-02 15:04 UTC") + ". Ask for it again for another time, or at once."
		}
		return "The media is asked for on " + host + " and not there yet."
	case rollout.Running, rollout.Paused, rollout.OutOfSight, rollout.Interrupted, rollout.Unknown:
		switch phase {
		case PhaseCheck:
			return "It is looked whether the media is on " + host + " already."
		case PhaseUnpack, PhaseVerify:
			return "The media came to " + host + ": it is unpacked, and every file of it compared."
		}
		return "The media is on its way to " + host + said + "."
	case rollout.Failed:
		return "The media did not come to " + host + said + ". Cure that and ask for it again: it goes on from what came. Or cancel it (on the wave's page, or wavekeeper media cancel): then the upgrade brings it as its own step."
	case rollout.Done, rollout.Skipped:
	}
	return ""
}
