package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestWritersNeverWaitInARing lets everything that writes the same rows do so at
// once, for a while: some are refused, none is ended by the database.
func TestWritersNeverWaitInARing(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	ctx := context.WithoutCancel(t.Context())
	lease, _, err := d.Store.AcquireLeases(ctx, "worker", tick.Upgrade)
	if err != nil {
		t.Fatal(err)
	}
	w, _, err := d.Store.LoadWork(ctx, tick.Upgrade, tick.Generation)
	if err != nil {
		t.Fatal(err)
	}
	server, err := d.Store.ServerByName(ctx, "CAS1")
	if err != nil {
		t.Fatal(err)
	}
	facts := func() []store.Fact {
		var out []store.Fact
		for _, name := range []string{"os", "disk", "services"} {
			out = append(out, store.Fact{Name: name, Value: json.RawMessage(`"x"`), Source: "test", At: time.Now()})
		}
		return out
	}
	fleet := d.fleet(t)
	pkg, err := exchange.PackageByName("sp2")
	if err != nil {
		t.Fatal(err)
	}
	content, _, err := rollout.Make(fleet, pkg, rollout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := content.Hash()
	if err != nil {
		t.Fatal(err)
	}
	plan, latest, err := d.Store.CreatePlan(ctx, d.lead, "SP2", content)
	if err != nil {
		t.Fatal(err)
	}
	revisions := make(chan int64, 100)

	var all sync.WaitGroup
	begin := make(chan struct{})
	storm := func(name string, times int, one func(i int) error) {
		all.Go(func() {
			<-begin
			for i := range times {
				err := one(i)
				if err == nil || errors.Is(err, rollout.ErrConflict) && !strings.Contains(err.Error(), "40P01") {
					continue
				}
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	storm("tick", 60, func(int) error {
		return d.Store.SaveTick(ctx, lease, store.TickSave{
			Upgrade: w.ID, Rollout: w.Rollout, Generation: w.Generation, Wave: w.Wave, Server: "CAS1", ServerID: w.ServerID, Host: w.Hosts[0].ID,
			From: rollout.Running, To: rollout.Running, Step: w.Step, StepFrom: rollout.Running, StepTo: rollout.Running, Show: w.Step,
			DueAt: time.Now().Add(time.Minute), Facts: facts(),
		})
	})
	storm("probe", 60, func(int) error { return d.Store.SaveProbe(ctx, server.Hosts[0].Asked(), "done", "", facts()) })
	storm("renew", 60, func(int) error { return d.Store.RenewLease(ctx, lease) })
	storm("import", 20, func(i int) error {
		lines := []string{fmt.Sprintf("CAS1,CAS,%d", i), fmt.Sprintf("MBX1,MBX,%d", i)}
		inv, _ := exchange.ReadInventory(strings.NewReader("server,roles,mailboxes\n" + lines[i%2] + "\n" + lines[1-i%2] + "\n"))
		_, err := d.Store.ImportInventory(ctx, erika, inv, nil, store.ImportOptions{})
		return err
	})
	for range 2 {
		storm("advance", 20, func(int) error {
			var generation int64
			if err := d.Store.Pool().QueryRow(ctx, "UPDATE rollout SET due_at = now(), generation = generation + 1 WHERE id = $1 RETURNING generation", d.rollout).Scan(&generation); err != nil {
				return err
			}
			return d.Store.Advance(ctx, store.Advance{Rollout: d.rollout, Generation: generation}, rollout.Next, book)
		})
	}
	storm("sweep", 20, func(int) error { _, err := d.Store.Sweep(ctx); return err })
	storm("submit", 20, func(i int) error {
		if i == 19 {
			defer close(revisions)
		}
		_, err := d.Store.SubmitRevision(ctx, d.lead, latest, hash, book)
		if err != nil {
			return err
		}
		revisions <- latest
		latest, err = d.Store.AddRevision(ctx, d.lead, plan, latest, content)
		return err
	})
	storm("reject", 20, func(int) error {
		revision, ok := <-revisions
		if !ok {
			return nil
		}
		return d.Store.RejectRevision(ctx, d.operator, revision, "not so")
	})
	close(begin)
	all.Wait()
}

// held runs both while the statement's rows are locked: the second begins when
// the first stands still, the rows are let go when both do.
func (d submitted) held(t *testing.T, statement string, first, second func(context.Context) error) (error, error) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	tx, err := d.Store.Pool().Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
	ends := [2]chan error{make(chan error, 1), make(chan error, 1)}
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for i, one := range []func(context.Context) error{first, second} {
		go func() { ends[i] <- one(ctx) }()
		for d.lockWaits(t) <= i {
			<-every.C
		}
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	return <-ends[0], <-ends[1]
}

func TestSubmittingAndRejectingTakeTurns(t *testing.T) {
	t.Parallel()
	d := submit(t)
	line, err := d.Store.PlanByID(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	older := line.Revisions[0].ID
	content, err := rollout.ReadPlan(line.Revisions[0].Content)
	if err != nil {
		t.Fatal(err)
	}
	newer, err := d.Store.AddRevision(t.Context(), d.lead, line.ID, older, content)
	if err != nil {
		t.Fatal(err)
	}
	submitted, rejected := d.held(
		t, "SELECT FROM rollout FOR UPDATE",
		func(ctx context.Context) error {
			_, err := d.Store.SubmitRevision(ctx, d.lead, newer, d.hash, book)
			return err
		},
		func(ctx context.Context) error {
			return d.Store.RejectRevision(ctx, d.operator, older, "not so")
		},
	)
	if submitted != nil || !errors.Is(rejected, rollout.ErrConflict) || !strings.Contains(rejected.Error(), "superseded") {
		t.Errorf("submitted: %v; rejected: %v; want the newer submitted and the older superseded", submitted, rejected)
	}
}

func TestTickAndProbeOfAHostTakeTurns(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, _, err := d.Store.AcquireLeases(t.Context(), "worker", tick.Upgrade)
	if err != nil {
		t.Fatal(err)
	}
	w, _, err := d.Store.LoadWork(t.Context(), tick.Upgrade, tick.Generation)
	if err != nil {
		t.Fatal(err)
	}
	server, err := d.Store.ServerByName(t.Context(), "CAS1")
	if err != nil {
		t.Fatal(err)
	}
	fact := func(name string) store.Fact {
		return store.Fact{Name: name, Value: json.RawMessage(`"x"`), Source: "test", At: time.Now()}
	}
	if err := d.Store.SaveProbe(t.Context(), server.Hosts[0].Asked(), "done", "", []store.Fact{fact("a"), fact("b")}); err != nil {
		t.Fatal(err)
	}
	saved, probed := d.held(
		t, "SELECT FROM fact WHERE name = 'b' FOR UPDATE",
		func(ctx context.Context) error {
			return d.Store.SaveTick(ctx, lease, store.TickSave{
				Upgrade: w.ID, Rollout: w.Rollout, Generation: w.Generation, Wave: w.Wave, Server: "CAS1", ServerID: w.ServerID, Host: w.Hosts[0].ID,
				From: rollout.Running, To: rollout.Running, Step: w.Step, StepFrom: rollout.Running, StepTo: rollout.Running, Show: w.Step,
				DueAt: time.Now().Add(time.Minute), Facts: []store.Fact{fact("a"), fact("b")},
			})
		},
		func(ctx context.Context) error {
			return d.Store.SaveProbe(ctx, server.Hosts[0].Asked(), "done", "", []store.Fact{fact("a")})
		},
	)
	if saved != nil || probed != nil {
		t.Errorf("the tick: %v; the probe: %v; want both saved", saved, probed)
	}
}

func TestAFrozenTransactionIsEnded(t *testing.T) {
	t.Parallel()
	d := submit(t)
	limit := ""
	if err := d.Store.Pool().QueryRow(t.Context(), "SHOW idle_in_transaction_session_timeout").Scan(&limit); err != nil || limit != "30s" {
		t.Errorf("a transaction may stand still for %q, %v, want 30s", limit, err)
	}
}
