package store_test

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestAnUpgradeWaitsForAFixInWork: what a fix began is not left half done.
func TestAnUpgradeWaitsForAFixInWork(t *testing.T) {
	t.Parallel()
	d := submit(t)
	ctx := t.Context()
	one, err := d.Store.ServerByName(ctx, "CAS1")
	if err != nil {
		t.Fatal(err)
	}
	id, err := d.Store.AskFix(ctx, d.lead, store.FixAsk{Name: "start-msdtc", Server: one.ID, Host: one.Hosts[0].ID, Reason: "it is stopped"})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.DecideFix(ctx, d.operator, id, true, "go"); err != nil {
		t.Fatal(err)
	}
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"running", "done"} {
		want := state == "running"
		sql := "UPDATE host_run SET state = $1, started_at = now() WHERE fix_id = $2"
		if state == "done" {
			sql = "UPDATE host_run SET state = $1, ended = $1, started_at = now(), ended_at = now() WHERE fix_id = $2"
		}
		if _, err := d.Store.Pool().Exec(ctx, sql, state, id); err != nil {
			t.Fatal(err)
		}
		s, err := d.Store.Snapshot(ctx, d.rollout, book)
		if err != nil {
			t.Fatal(err)
		}
		held := false
		for _, r := range rollout.Explain(s, time.Now())["CAS1"] {
			held = held || r.Rule == "fix-in-work" && strings.Contains(r.Text, "fix start-msdtc on CAS1")
		}
		if held != want {
			t.Errorf("while the fix is %s: held %t, want %t: %+v", state, held, want, rollout.Explain(s, time.Now())["CAS1"])
		}
	}
}
