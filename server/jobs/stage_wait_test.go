package jobs_test

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestAStagingWaitsBehindAnUpgradeOfItsHost: it does not begin, keeps no worker
// and no place, and its time does not count; it goes on when the host is free.
func TestAStagingWaitsBehindAnUpgradeOfItsHost(t *testing.T) {
	t.Parallel()
	w, s := mediaWorld(t, strings.ReplaceAll(twoServers, "127.0.127.1", "127.0.153.3"))
	s.add(t, w, twin.MediaTree("sp1", "en-US", "x64"))
	exec := func(query string) {
		t.Helper()
		if _, err := w.Store.Pool().Exec(t.Context(), query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	servers, err := w.Store.Servers(t.Context())
	if err != nil || len(servers) != 2 {
		t.Fatal(servers, err)
	}
	exec("UPDATE upgrade SET state = 'paused', started_at = now() WHERE server_id = (SELECT id FROM server WHERE name = 'CAS1')")
	asked, err := w.Store.AskStaging(t.Context(), w.operator, store.StagingAsk{Package: "sp1", Servers: []int64{servers[0].ID, servers[1].ID}, Reason: "early"})
	if err != nil || len(asked.Stagings) != 2 {
		t.Fatalf("asked %+v, %v", asked, err)
	}
	w.awaitStaged(t, 1, rollout.Done)
	deadline := time.Now().Add(30 * time.Second)
	for open := -1; open != 0 && time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		if err := w.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM river_job WHERE kind = 'stage' AND finalized_at IS NULL").Scan(&open); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range w.stagings(t) {
		if g.Host.Name == "CAS1" && (g.State != rollout.Waiting || g.StartedAt != nil || g.Generation != 1) {
			t.Errorf("while CAS1 is in work its staging is %+v, want one that waits", g)
		}
	}
	exec("UPDATE upgrade SET state = 'waiting', started_at = NULL WHERE server_id = (SELECT id FROM server WHERE name = 'CAS1')")
	w.awaitStaged(t, 2, rollout.Done)
}
