package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

func (d submitted) count(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	if err := d.Store.Pool().QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// waiting has a medium wait for many hosts, since an hour.
func waiting(t *testing.T, hosts int) (submitted, store.Medium) {
	t.Helper()
	d := submit(t)
	m := addMedium(t, d.Store, "sp1")
	d.exec(t, `INSERT INTO host (name, address, port) SELECT 'ZZ' || i, '10.1.' || i/250 || '.' || i%250, 5985 FROM generate_series(1, $1::integer) i`, hosts)
	d.exec(t, `INSERT INTO staging (host_id, media_id, arch, folder, asked_by, due_at, not_before)
		SELECT id, $1, 'x64', 'C:\Wavekeeper\media\x', 'lead', now() - interval '1 hour', now() - interval '1 hour' FROM host WHERE name LIKE 'ZZ%'`, m.ID)
	return d, m
}

// TestStagingsWaitInTheDatabase: hundreds that were asked for are no hundreds of
// jobs, each has its turn, and what brings media holds up no upgrade.
func TestStagingsWaitInTheDatabase(t *testing.T) {
	t.Parallel()
	d, _ := waiting(t, 50)
	seen := map[int]int{}
	for range 3 {
		swept, err := d.Store.Sweep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen[swept.Stagings]++
	}
	if seen[20] != 2 || seen[10] != 1 {
		t.Errorf("three sweeps took %v, want 20, 20 and 10", seen)
	}
	if n := d.count(t, "SELECT count(*) FROM staging WHERE generation = 2"); n != 50 {
		t.Errorf("%d of 50 had their turn", n)
	}
	if n := d.count(t, "SELECT count(*) FROM river_job WHERE kind = 'stage' AND queue <> $1", store.StageQueue); n != 0 {
		t.Errorf("%d jobs of media stand in the queue of upgrades", n)
	}
}

func TestAStagingBeginsWhenItsHostIsFree(t *testing.T) {
	t.Parallel()
	d, _ := waiting(t, 1)
	d.exec(t, `INSERT INTO server_host (server_id, host_id) SELECT (SELECT server_id FROM upgrade ORDER BY id LIMIT 1), id FROM host WHERE name = 'ZZ1'`)
	state := func(state string) {
		t.Helper()
		d.exec(t, `UPDATE upgrade SET state = $1, started_at = now() WHERE id = (SELECT min(id) FROM upgrade)`, state)
	}
	state("paused")
	if swept, err := d.Store.Sweep(t.Context()); err != nil || swept.Stagings != 0 {
		t.Errorf("while the host is in work: %+v, %v", swept, err)
	}
	if asked, err := d.Store.AskStaging(t.Context(), d.operator, store.StagingAsk{Wave: d.view(t).Waves[0].ID, Reason: "early"}); err != nil || len(asked.Stagings) != 0 {
		t.Errorf("asked for a server that has begun: %+v, %v", asked, err)
	}
	state("skipped")
	if swept, err := d.Store.Sweep(t.Context()); err != nil || swept.Stagings != 1 {
		t.Errorf("when the host is free: %+v, %v", swept, err)
	}
}

func TestRoomToStageIsTakenByThoseThatFetch(t *testing.T) {
	t.Parallel()
	d, _ := waiting(t, 5)
	room := func(most int, want bool) {
		t.Helper()
		if got, err := d.Store.RoomToStage(t.Context(), most); err != nil || got != want {
			t.Errorf("room for %d: %v, %v, want %v", most, got, err, want)
		}
	}
	room(1, true)
	d.exec(t, "UPDATE staging SET state = 'running', phase = 'fetch', started_at = now(), output_at = now() WHERE id % 5 IN (0, 1, 2)")
	room(3, false)
	room(4, true)
	d.exec(t, "UPDATE staging SET phase = 'unpack' WHERE id % 5 = 0")
	d.exec(t, "UPDATE staging SET output_at = now() - interval '3 minutes', started_at = now() - interval '1 hour' WHERE id % 5 = 1")
	room(1, false)
	room(2, true)
}

// TestATicksLookDoesNotGrow: what a tick asks of its medium reads none of the
// tables that grow with hosts and packages, and of a credential only its host.
func TestATicksLookDoesNotGrow(t *testing.T) {
	t.Parallel()
	d, m := waiting(t, 300)
	tx, err := d.Store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), "LOCK TABLE staging, package, server, server_host, host IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, look := range []func() (store.Medium, error){
		func() (store.Medium, error) { return d.Store.Bundle(ctx, m.ID) },
		func() (store.Medium, error) { return d.Store.BundleByManifest(ctx, m.ManifestSHA256) },
	} {
		if got, err := look(); err != nil || got.ID != m.ID || got.BundleSHA256 != m.BundleSHA256 || got.ManifestSize != m.ManifestSize || got.SetupSHA256 != m.SetupSHA256 {
			t.Errorf("a tick's look at its medium: %+v, %v, want %+v", got, err, m)
		}
	}
	if _, err := d.Store.Bundle(ctx, 999); !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("no such medium: %v", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.exec(t, `INSERT INTO credential (profile_id, purpose, account, sealed, key_id, set_by, proven_at, proven_by) SELECT id, 'winrm', 'a', '\x00', 'k', 'x', now(), 'H' FROM profile LIMIT 1`)
	d.exec(t, `INSERT INTO credential_taken (credential_id, version, host_id) SELECT c.id, c.version, h.id FROM credential c, host h`)
	profile, host := int64(d.count(t, "SELECT profile_id FROM credential")), int64(d.count(t, "SELECT min(id) FROM host"))
	c, err := d.Store.CredentialFor(t.Context(), profile, store.PurposeWinRM)
	if err != nil {
		t.Fatal(err)
	}
	v, err := d.Store.StandingAt(t.Context(), c, host)
	if _, took := v.Taken[host]; err != nil || !took || len(v.Taken) != 1 {
		t.Errorf("of %d hosts that took it a tick loads %d, %v, want its own", d.count(t, "SELECT count(*) FROM credential_taken"), len(v.Taken), err)
	}
}

func TestAMediumsPageLoadsWhatItShows(t *testing.T) {
	t.Parallel()
	d, m := waiting(t, 30)
	d.exec(t, `UPDATE staging SET memory = '{"stage/x": "y"}'`)
	some, all, err := d.Store.MediumStagings(t.Context(), m.ID, 7)
	if err != nil || len(some) != 7 || all != 30 || len(some[0].Memory) != 0 || some[0].Host.Name != "ZZ1" {
		t.Errorf("%d of %d, %v: %+v", len(some), all, err, some)
	}
}

func TestMediaThatAnUpgradeInWorkWasApprovedWithStay(t *testing.T) {
	t.Parallel()
	d := submit(t)
	m := addMedium(t, d.Store, "old")
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	d.exec(t, "DELETE FROM media_grant")
	d.exec(t, "DELETE FROM staging")
	d.exec(t, "UPDATE upgrade SET state = 'paused', started_at = now() WHERE id = (SELECT min(id) FROM upgrade)")
	addMedium(t, d.Store, "new")
	if _, err := d.Store.ForgetMedia(t.Context(), d.lead, m.ID, "over"); !errors.Is(err, rollout.ErrConflict) || !strings.Contains(err.Error(), "1 upgrades were approved with") {
		t.Errorf("forgetting what an upgrade in work needs: %v, want a conflict", err)
	}
	d.exec(t, "UPDATE upgrade SET state = 'skipped' WHERE id = (SELECT min(id) FROM upgrade)")
	if _, err := d.Store.ForgetMedia(t.Context(), d.lead, m.ID, "over"); err != nil {
		t.Errorf("when it has ended: %v", err)
	}
}

// TestWhatWasRefusedIsOfThePastWhenBytesCome: the words must not stand beside a
// host that fetches.
func TestWhatWasRefusedIsOfThePastWhenBytesCome(t *testing.T) {
	t.Parallel()
	d, lease, g := staged(t)
	if err := d.Store.NoteMediaRefused(t.Context(), g.ID, "asked from 10.9.9.9"); err != nil {
		t.Fatal(err)
	}
	save := g.Save()
	save.Phase, save.Output = store.PhaseFetch, true
	for _, c := range []struct {
		done int64
		want string
	}{{0, "asked from 10.9.9.9"}, {1000, ""}} {
		save.Done = c.done
		if err := d.Store.SaveStaging(t.Context(), lease, save); err != nil {
			t.Fatal(err)
		}
		if got, err := d.Store.StagingByID(t.Context(), g.ID); err != nil || got.Refused != c.want || (got.RefusedAt == nil) != (c.want == "") {
			t.Errorf("with %d bytes it says %q, %v, want %q", c.done, got.Refused, err, c.want)
		}
	}
}
