package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// SilentFor is how long a host must have been asked in vain before a person may
// leave what is put back on it as it is.
const SilentFor = 10 * time.Minute

// unwindsInVain is an upgrade u whose attempt is unwound while its host is silent,
// by the database's clock: it was asked just now, and not heard since the step
// began for longer than SilentFor, time in which nobody asked left out (what the
// step remembers of that never is too little).
var unwindsInVain = `(
    u.state = 'running' AND u.unwinding AND u.decision = ''
    AND u.saved_at BETWEEN clock_timestamp() - interval '2 minutes' AND clock_timestamp() + interval '1 minute'
    AND EXISTS (
        SELECT 1
        FROM step v
        WHERE v.upgrade_id = u.id
          AND v.name = u.step
          AND v.state = 'running'
          AND clock_timestamp() - GREATEST(u.last_heard_at, v.started_at)
              - make_interval(secs => COALESCE((v.memory ->> 'jobs.away')::double precision, 0)) >= make_interval(secs => ` + strconv.Itoa(int(SilentFor.Seconds())) + `)))`

// UnwindsInVain reports whether the attempt of an upgrade is unwound while its
// host does not answer for SilentFor or longer: whether a person may skip it and
// leave the host as it is.
func (s *Store) UnwindsInVain(ctx context.Context, upgrade int64) (bool, error) {
	var silent bool
	if err := s.pool.QueryRow(ctx, "SELECT "+unwindsInVain+" FROM upgrade u WHERE u.id = $1", upgrade).Scan(&silent); err != nil {
		return false, fmt.Errorf("see whether the host of upgrade %d is silent: %w", upgrade, missing(err, "There is no such upgrade."))
	}
	return silent, nil
}

// leaveSilent skips what is unwound in vain. The host keeps what the ledger names,
// as deviations by name, and what was made for the upgrade is removed once it
// answers again; Setup may run there.
func (t *txn) leaveSilent(ctx context.Context, actor Actor, upgrade int64, u db.UpgradeByIDRow, reason string) error {
	var silent bool
	if err := t.tx.QueryRow(ctx, "SELECT "+unwindsInVain+" FROM upgrade u WHERE u.id = $1", upgrade).Scan(&silent); err != nil {
		return fmt.Errorf("see whether the host is silent: %w", err)
	}
	if !silent {
		return rollout.Conflict("What was changed on %s is being put back. It can be left as it is when its host was asked for %d minutes and did not answer.", u.Server, int(SilentFor.Minutes()))
	}
	if _, err := rollout.UpgradeTable.After(rollout.State(u.State), rollout.LeaveAsIs); err != nil {
		return err
	}
	left, err := t.acceptLedger(ctx, actor, upgrade, u, reason)
	if err != nil {
		return err
	}
	message := "Its host did not answer; left as it is by " + actor.Name
	n, err := t.q.LeaveStep(ctx, db.LeaveStepParams{Message: message, UpgradeID: upgrade, Name: u.Step})
	if err == nil && n == 1 {
		n, err = t.q.LeaveUpgrade(ctx, db.LeaveUpgradeParams{Message: "Skipped: " + reason, ID: upgrade})
	}
	if err != nil {
		return fmt.Errorf("leave as it is: %w", err)
	}
	if n == 0 {
		return rollout.Conflict("The upgrade moved on meanwhile.")
	}
	hosts, err := t.q.HostsOfServers(ctx, []int64{u.ServerID})
	if err != nil {
		return fmt.Errorf("find hosts: %w", err)
	}
	for _, h := range hosts {
		if err := t.s.insertJobs(ctx, t.tx, HostSweep{Host: h, Wait: true}); err != nil {
			return err
		}
	}
	t.record(actor, Record{
		What: "upgrade.leave", Subject: u.Server, Rollout: u.RolloutID, Reason: reason,
		Detail: map[string]any{"upgrade": upgrade, "state": u.State, "left": left, "host": "silent", "heard": u.LastHeardAt},
	})
	return t.decided(ctx, u, upgrade, Event{
		Kind: EventSkip, Step: u.Step,
		Text: sentence(fmt.Sprintf("%s skipped %s and left its host, which does not answer, as it is", actor.Name, u.Server), reason),
		Data: map[string]any{"upgrade": upgrade, "left": left},
	})
}
