package store_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// work loads what the newest tick of the upgrade would.
func (d submitted) work(t *testing.T, id int64) store.UpgradeWork {
	t.Helper()
	k := d.tick(t, id)
	w, live, err := d.Store.LoadWork(t.Context(), id, k.Generation)
	if err != nil || !live {
		t.Fatalf("upgrade %d is live %v, %v, want in work", id, live, err)
	}
	return w
}

// endDecision saves the tick that ends the decision step in work.
func (d submitted) endDecision(t *testing.T, id int64, message string) {
	t.Helper()
	w := d.work(t, id)
	lease, _ := d.hold(t, store.Tick{Upgrade: id, Generation: w.Generation})
	k := store.TickSave{
		Upgrade: id, Rollout: w.Rollout, Generation: w.Generation, Wave: w.Wave, Server: w.Server.Name, ServerID: w.ServerID, Host: w.Hosts[0].ID,
		From: w.State, To: w.Returns, Step: w.Decision, StepFrom: rollout.Running, StepTo: rollout.Done, Show: w.Step, Message: message, Decided: true,
	}
	if w.Returns == rollout.Running {
		k.DueAt = time.Now()
	}
	if err := d.Store.SaveTick(t.Context(), lease, k); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.ReleaseLease(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
}

func (d submitted) stepOf(t *testing.T, id int64, name string) store.StepWork {
	t.Helper()
	for _, s := range d.upgrade(t, id).Steps {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("upgrade %d has no step %s", id, name)
	return store.StepWork{}
}

func (d submitted) lastAudit(t *testing.T, what string) int {
	t.Helper()
	n := 0
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM audit WHERE what = $1", what).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (d submitted) kinds(t *testing.T) []string {
	t.Helper()
	events, err := d.Store.Events(t.Context(), d.rollout, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for i, e := range events {
		if e.Number != int64(i+1) {
			t.Fatalf("event %d has number %d, want no gap", i+1, e.Number)
		}
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestADecisionGoesBackWhereItCameFrom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state    rollout.State
		decision string
		then     rollout.State
		setup    rollout.State
	}{
		{rollout.Interrupted, rollout.DecideLook, rollout.Interrupted, rollout.Interrupted},
		{rollout.Interrupted, rollout.DecideClear, rollout.Interrupted, rollout.Interrupted},
		{rollout.Failed, rollout.DecideClear, rollout.Failed, rollout.Failed},
		{rollout.Unknown, rollout.DecideClear, rollout.Unknown, rollout.Unknown},
		{rollout.Unknown, rollout.DecideLook, rollout.Running, rollout.Running},
	} {
		t.Run(string(c.state)+" "+c.decision, func(t *testing.T) {
			t.Parallel()
			d, id := broken(t, c.state)
			d.exec(t, "UPDATE upgrade SET message = 'why it is so' WHERE id = $1", id)
			for attempt := 1; attempt <= 2; attempt++ {
				if err := d.Store.DecideUpgrade(t.Context(), d.operator, id, store.Decision{Step: c.decision, Reason: "I looked"}, book); err != nil {
					t.Fatal(err)
				}
				w := d.work(t, id)
				if w.State != rollout.Running || w.Decision != c.decision || w.Returns != c.then || w.Step != "setup" || w.Message != "why it is so" {
					t.Errorf("the tick finds %s, decision %q, returns %s, step %s, %q", w.State, w.Decision, w.Returns, w.Step, w.Message)
				}
				at := d.stepOf(t, id, c.decision)
				if at.Position < 101 || at.Attempt != attempt || at.State != rollout.Running {
					t.Errorf("the decision's row is %+v, want attempt %d from position 101", at, attempt)
				}
				if got := d.stepOf(t, id, "setup").State; got != c.setup {
					t.Errorf("setup is %s meanwhile, want %s", got, c.setup)
				}
				d.endDecision(t, id, "why it is so")
				if u := d.upgrade(t, id); u.State != c.then || u.Decision != "" || u.Message != "why it is so" {
					t.Errorf("afterwards it is %s, decision %q, %q, want %s", u.State, u.Decision, u.Message, c.then)
				}
				if c.then == rollout.Running {
					if limits := d.stepOf(t, id, "setup").LimitsFrom; limits == nil || time.Since(*limits) > time.Minute {
						t.Errorf("setup's limits count from %v, want from now", limits)
					}
					return
				}
			}
			if n := d.lastAudit(t, "upgrade."+c.decision); n != 2 {
				t.Errorf("%d decisions on record, want 2", n)
			}
			if kinds := d.kinds(t); !slices.Contains(kinds, store.EventDecide) {
				t.Errorf("events are %v, want the decision among them", kinds)
			}
		})
	}
}

func TestLookingAtWhatIsOutOfSightAsksNow(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.OutOfSight)
	d.exec(t, "UPDATE upgrade SET due_at = clock_timestamp() + interval '10 min' WHERE id = $1", id)
	before := d.tick(t, id).Generation
	if err := d.Store.DecideUpgrade(t.Context(), d.operator, id, store.Decision{Step: rollout.DecideLook}, book); err != nil {
		t.Fatal(err)
	}
	w := d.work(t, id)
	if w.State != rollout.OutOfSight || w.Decision != "" || w.Generation != before+1 || w.Steps[2].LimitsFrom == nil {
		t.Errorf("it is %s, decision %q, generation %d after %d, limits from %v", w.State, w.Decision, w.Generation, before, w.Steps[2].LimitsFrom)
	}
	jobs := 0
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM river_job WHERE kind = 'tick' AND (args ->> 'generation')::bigint = $1", w.Generation).Scan(&jobs); err != nil || jobs != 1 {
		t.Errorf("%d ticks of the new generation, %v, want 1", jobs, err)
	}
}

func TestADecisionIsRefused(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Interrupted)
	decide := func(actor store.Actor, step, reason string) error {
		return d.Store.DecideUpgrade(t.Context(), actor, id, store.Decision{Step: step, Reason: reason}, book)
	}
	planner := person(t, d.Store, "planner", "planner")
	for _, c := range []struct {
		name, want string
		err        error
		kind       error
	}{
		{"no reason", "Say why", decide(d.operator, rollout.DecideClear, " "), rollout.ErrInvalid},
		{"not in the runbook", "no decision", decide(d.operator, "format", "x"), rollout.ErrInvalid},
		{"no operator", "role operator", decide(planner, rollout.DecideClear, "x"), rollout.ErrForbidden},
		{"nothing to put back", "Nothing was cleared", decide(d.operator, rollout.DecideUndo, "x"), rollout.ErrConflict},
		{"repaired, but no word how", "Say what was repaired", d.Store.VerifyUpgrade(t.Context(), d.operator, id, "", book), rollout.ErrInvalid},
		{"repaired, says no operator", "role operator", d.Store.VerifyUpgrade(t.Context(), planner, id, "x", book), rollout.ErrForbidden},
	} {
		if !errors.Is(c.err, c.kind) || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v, want %v: %s", c.name, c.err, c.kind, c.want)
		}
	}
	if err := decide(d.operator, rollout.DecideClear, "x"); err != nil {
		t.Fatal(err)
	}
	if err := decide(d.second, rollout.DecideLook, "x"); !errors.Is(err, rollout.ErrConflict) || !strings.Contains(err.Error(), "is carried out") {
		t.Errorf("a second decision: %v, want a conflict that names the first", err)
	}
	for _, state := range []rollout.State{rollout.Waiting, rollout.Held, rollout.Running, rollout.Skipped} {
		d, id := broken(t, state)
		if err := d.Store.DecideUpgrade(t.Context(), d.operator, id, store.Decision{Step: rollout.DecideClear, Reason: "x"}, book); !errors.Is(err, rollout.ErrConflict) {
			t.Errorf("%s: %v, want a conflict", state, err)
		}
	}
}

func TestMarkedRepairedIsVerified(t *testing.T) {
	t.Parallel()
	for _, state := range []rollout.State{rollout.Failed, rollout.Interrupted, rollout.Unknown} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			d, id := broken(t, state)
			d.advance(t)
			if w := d.view(t).Waves[0]; w.State != rollout.WaveStopped {
				t.Fatalf("the wave is %s, want stopped by its threshold", w.State)
			}
			if err := d.Store.VerifyUpgrade(t.Context(), d.operator, id, "Setup ran by hand", book); err != nil {
				t.Fatal(err)
			}
			w := d.work(t, id)
			if w.State != rollout.Running || w.Step != "verify" || !w.Repaired || w.Unwinding {
				t.Errorf("it is %s at %s, repaired %v, unwinding %v", w.State, w.Step, w.Repaired, w.Unwinding)
			}
			for name, want := range map[string]rollout.State{
				"facts": rollout.Done, "stop-services": rollout.Done, "setup": rollout.Skipped, "verify": rollout.Running, "put-back": rollout.Waiting,
			} {
				if got := d.stepOf(t, id, name); got.State != want {
					t.Errorf("step %s is %s, want %s", name, got.State, want)
				}
			}
			if got := d.stepOf(t, id, "verify").Attempt; got != 2 {
				t.Errorf("verification is attempt %d, want 2", got)
			}
			if w := d.view(t).Waves[0]; w.State != rollout.WaveRunning {
				t.Errorf("the wave is %s, want resumed", w.State)
			}
			if n := d.lastAudit(t, "upgrade.verify"); n != 1 {
				t.Errorf("%d entries on record, want 1", n)
			}
			// A new attempt after it is an ordinary one.
			d.exec(t, "UPDATE upgrade SET state = 'failed', due_at = NULL WHERE id = $1", id)
			if err := d.Store.RetryUpgrade(t.Context(), d.operator, id, "again", book); err != nil {
				t.Fatal(err)
			}
			if u := d.upgrade(t, id); u.Repaired || u.Step != "facts" || d.stepOf(t, id, "setup").State != rollout.Waiting {
				t.Errorf("the retry is repaired %v, begins at %s, setup is %s", u.Repaired, u.Step, d.stepOf(t, id, "setup").State)
			}
		})
	}
}

// TestMarkedRepairedBeginsNothingWithoutReturn: what a second package would do
// after the verification waits for an attempt of its own.
func TestMarkedRepairedBeginsNothingWithoutReturn(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Failed)
	d.exec(t, "INSERT INTO step (upgrade_id, position, name, no_return) VALUES ($1, 6, 'rollup', true)", id)
	if err := d.Store.VerifyUpgrade(t.Context(), d.operator, id, "Setup ran by hand", book); err != nil {
		t.Fatal(err)
	}
	if got := d.stepOf(t, id, "rollup").State; got != rollout.Skipped {
		t.Errorf("the rollup is %s, want passed over", got)
	}
	if got := d.stepOf(t, id, "verify").State; got != rollout.Running {
		t.Errorf("the verification is %s", got)
	}
}

func TestAPausedRolloutBeginsNothingByRepair(t *testing.T) {
	t.Parallel()
	d := submit(t)
	id := d.view(t).Waves[0].Upgrades[0].ID
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	d.exec(t, "UPDATE rollout SET state = 'running' WHERE id = $1", d.rollout)
	if err := d.Store.PauseRollout(t.Context(), d.operator, d.rollout, "wait"); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.VerifyUpgrade(t.Context(), d.operator, id, "done by hand", book); !errors.Is(err, rollout.ErrConflict) || !strings.Contains(err.Error(), "paused") {
		t.Errorf("paused: %v, want a conflict", err)
	}
	if err := d.Store.ResumeRollout(t.Context(), d.operator, d.rollout, ""); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.VerifyUpgrade(t.Context(), d.operator, id, "done by hand", book); err != nil {
		t.Fatal(err)
	}
	if w := d.work(t, id); w.Step != "verify" || !w.Repaired {
		t.Errorf("it is at %s, repaired %v", w.Step, w.Repaired)
	}
	// It was not, and Setup never began: the server serves as before.
	d.exec(t, "UPDATE step SET state = 'failed' WHERE upgrade_id = $1 AND name = 'verify'", id)
	d.exec(t, "UPDATE upgrade SET state = 'failed', due_at = NULL, ended_at = now() WHERE id = $1", id)
	s, err := d.Store.Snapshot(t.Context(), d.rollout, book)
	if err != nil || !s.Upgrades[0].BackInService {
		t.Errorf("%s is back in service %v, %v, want true", s.Upgrades[0].Server, s.Upgrades[0].BackInService, err)
	}
}

// TestADecisionDoesNotHideAFailure has a decision carried out while Next looks.
func TestADecisionDoesNotHideAFailure(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Interrupted)
	if err := d.Store.DecideUpgrade(t.Context(), d.operator, id, store.Decision{Step: rollout.DecideLook}, book); err != nil {
		t.Fatal(err)
	}
	d.advance(t)
	if w := d.view(t).Waves[0]; w.State != rollout.WaveStopped {
		t.Errorf("the wave is %s, want stopped by its threshold", w.State)
	}
}

func TestTwoRolloutsDoNotShareAServerByADecision(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Failed)
	other := d.another(t)
	d.exec(t, "UPDATE upgrade SET state = 'running', started_at = now(), due_at = now(), step = 'facts' WHERE rollout_id = $1 AND server_id = (SELECT server_id FROM upgrade WHERE id = $2)", other, id)
	for name, err := range map[string]error{
		"clear":  d.Store.DecideUpgrade(t.Context(), d.operator, id, store.Decision{Step: rollout.DecideClear, Reason: "x"}, book),
		"verify": d.Store.VerifyUpgrade(t.Context(), d.operator, id, "x", book),
		"skip":   d.Store.SkipUpgrade(t.Context(), d.operator, id, store.Skip{Reason: "x"}, book),
	} {
		if !errors.Is(err, rollout.ErrConflict) || !strings.Contains(err.Error(), "another rollout") {
			t.Errorf("%s: %v, want a conflict with the other rollout", name, err)
		}
	}
}

// TestWhatAnotherRolloutLeftKeepsAServerFromStarting: what is found on it would
// else be taken for the state to come back to.
func TestWhatAnotherRolloutLeftKeepsAServerFromStarting(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Unknown)
	other := d.another(t)
	here := func() rollout.UpgradeStatus {
		t.Helper()
		s, err := d.Store.Snapshot(t.Context(), other, book)
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(s.Upgrades, func(u rollout.UpgradeStatus) bool { return u.Server == "CAS1" })
		return s.Upgrades[at]
	}
	if u := here(); !u.InWorkElsewhere || !u.OwedElsewhere {
		t.Errorf("unknown in another rollout: %+v, want in work and owed", u)
	}
	d.exec(t, "UPDATE upgrade SET state = 'failed', ended_at = now() WHERE id = $1", id)
	if u := here(); u.InWorkElsewhere || !u.OwedElsewhere {
		t.Errorf("failed there, not put back: %+v, want owed", u)
	}
	d.exec(t, "UPDATE ledger SET restored_at = now() WHERE upgrade_id = $1", id)
	if u := here(); u.InWorkElsewhere || u.OwedElsewhere {
		t.Errorf("put back there: %+v, want free", u)
	}
}

// another submits a second rollout of the same servers and returns it.
func (d submitted) another(t *testing.T) int64 {
	t.Helper()
	plan := d.view(t).Content
	_, revision, err := d.Store.CreatePlan(t.Context(), d.lead, "SP1, another", plan)
	if err != nil {
		t.Fatal(err)
	}
	other, err := d.Store.SubmitRevision(t.Context(), d.lead, revision, d.hash, book)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func TestClearedValuesCanBePutBack(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Interrupted)
	old := store.Marker{Role: "ClientAccess", Name: "Watermark", Kind: "REG_SZ", Value: "CAS1"}
	decide := func(step string) (store.Lease, store.Page) {
		t.Helper()
		if err := d.Store.DecideUpgrade(t.Context(), d.operator, id, store.Decision{Step: step, Reason: "x"}, book); err != nil {
			t.Fatal(err)
		}
		return d.hold(t, d.tick(t, id))
	}
	lease, page := decide(rollout.DecideLook)
	if err := d.Store.ClearMarker(t.Context(), page, old); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("cleared while only a look was decided: %v, want a conflict", err)
	}
	d.release(t, lease)
	d.endDecision(t, id, "")

	newer := old
	newer.Value = "CAS2"
	lease, page = decide(rollout.DecideClear)
	for _, m := range []store.Marker{old, old, newer} { // the second is a tick that is repeated
		if err := d.Store.ClearMarker(t.Context(), page, m); err != nil {
			t.Fatal(err)
		}
	}
	d.release(t, lease)
	d.endDecision(t, id, "")
	rows, err := d.Store.Markers(t.Context(), id)
	if err != nil || len(rows) != 2 || rows[0].Open || !rows[1].Open || rows[1].Marker != newer || rows[1].ClearedBy != "operator" {
		t.Fatalf("Markers = %+v, %v, want the old one and the newer, which is open", rows, err)
	}

	lease, page = decide(rollout.DecideUndo)
	if w := d.work(t, id); len(w.Markers) != 1 || w.Markers[0] != (store.Marker{Role: newer.Role, Name: newer.Name, Kind: newer.Kind, Value: newer.Value, Host: w.Hosts[0].Name}) {
		t.Errorf("the tick is to put back %v, want the newest value alone", w.Markers)
	}
	for range 2 {
		if err := d.Store.PutBackMarker(t.Context(), page, newer); err != nil {
			t.Fatal(err)
		}
	}
	d.release(t, lease)
	d.endDecision(t, id, "")
	if rows, err = d.Store.Markers(t.Context(), id); err != nil || rows[0].Open || rows[1].Open || rows[1].PutBackAt == nil {
		t.Errorf("Markers = %+v, %v, want nothing open", rows, err)
	}
	if err := d.Store.DecideUpgrade(t.Context(), d.operator, id, store.Decision{Step: rollout.DecideUndo, Reason: "x"}, book); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("put back twice: %v, want a conflict", err)
	}
	for _, statement := range []string{"UPDATE marker SET value = 'x'", "DELETE FROM marker"} {
		if err := run(t, d.URL, statement); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s as the program: %v, want permission denied", statement, err)
		}
		if err := run(t, d.OwnerURL, statement); err == nil || !strings.Contains(err.Error(), "never changes") {
			t.Errorf("%s as the owner: %v, want the trigger's refusal", statement, err)
		}
	}
	if err := run(t, d.OwnerURL, "TRUNCATE marker"); err == nil {
		t.Error("the owner empties the markers, want the trigger's refusal")
	}
}

func TestEvidenceIsKeptAsItWas(t *testing.T) {
	t.Parallel()
	d, tick := started(t)
	lease, _ := d.hold(t, tick)
	w := d.work(t, tick.Upgrade)
	long := append(bytes.Repeat([]byte("x"), store.MaxEvidence), "the end"...)
	err := d.Store.SaveTick(t.Context(), lease, store.TickSave{
		Upgrade: w.ID, Rollout: w.Rollout, Generation: w.Generation, Wave: w.Wave, Server: "CAS1", ServerID: w.ServerID, Host: w.Hosts[0].ID,
		From: rollout.Running, To: rollout.Interrupted, Step: w.Step, StepFrom: rollout.Running, StepTo: rollout.Interrupted, Show: w.Step,
		Evidence: []store.Evidence{{Kind: "roles", Name: "roles.txt", Data: []byte("a\x00b")}, {Kind: "log-tail", Name: "ExchangeSetup.log", Data: long}, {Kind: "sessions", Name: "sessions.txt"}, {Kind: "folder", Name: strings.Repeat("\u30d5", 200) + ".log"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := d.Store.Evidence(t.Context(), w.ID)
	if err != nil || len(rows) != 4 || rows[0].Step != "facts" || rows[0].Host != "CAS1" || rows[0].Attempt != 1 || rows[1].Size != store.MaxEvidence || rows[2].Size != 0 {
		t.Fatalf("Evidence = %+v, %v", rows, err)
	}
	file, err := d.Store.EvidenceFile(t.Context(), w.ID, rows[0].ID)
	if err != nil || string(file.Data) != "a\x00b" || file.SHA256 != fmt.Sprintf("%x", sha256.Sum256(file.Data)) {
		t.Errorf("EvidenceFile = %+v, %v", file, err)
	}
	if file, err = d.Store.EvidenceFile(t.Context(), w.ID, rows[1].ID); err != nil || !bytes.HasSuffix(file.Data, []byte("the end")) {
		t.Errorf("what is too long does not keep its end: %v", err)
	}
	if name := rows[3].Name; !utf8.ValidString(name) || !strings.HasSuffix(name, "\u30d5.log") {
		t.Errorf("a name that is too long does not keep its end: %q", name)
	}
	if _, err := d.Store.EvidenceFile(t.Context(), w.ID+1, rows[0].ID); !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("evidence of another upgrade: %v, want not found", err)
	}
	for _, statement := range []string{"UPDATE evidence SET data = ''", "DELETE FROM evidence"} {
		if err := run(t, d.URL, statement); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s as the program: %v, want permission denied", statement, err)
		}
	}
	for _, statement := range []string{"UPDATE evidence SET data = ''", "DELETE FROM evidence", "TRUNCATE evidence"} {
		if err := run(t, d.OwnerURL, statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s as the owner: %v, want the trigger's refusal", statement, err)
		}
	}
	if err := run(t, d.URL, "INSERT INTO evidence (upgrade_id, host_id, attempt, step, kind, name, data, sha256) SELECT upgrade_id, host_id, 1, '', 'roles', '', 'x', sha256 FROM evidence LIMIT 1"); err == nil || !strings.Contains(err.Error(), "evidence_hash_is_of_its_data") {
		t.Errorf("a hash of something else: %v, want the constraint's refusal", err)
	}
}

func TestWhatWaitsForAPerson(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Interrupted)
	waits, err := d.Store.UpgradesToDecide(t.Context())
	if err != nil || len(waits) != 1 || waits[0].Upgrade != id || waits[0].State != "interrupted" || waits[0].Step != "setup" {
		t.Errorf("UpgradesToDecide = %+v, %v", waits, err)
	}
	left, err := d.Store.Deviations(t.Context())
	if err != nil || len(left) != 1 || !left[0].Open || left[0].Name != "Backup" || left[0].Host != "CAS1" {
		t.Errorf("Deviations = %+v, %v, want the service that nothing puts back", left, err)
	}
	if err := d.Store.DecideUpgrade(t.Context(), d.operator, id, store.Decision{Step: rollout.DecideClear, Reason: "x"}, book); err != nil {
		t.Fatal(err)
	}
	if waits, err = d.Store.UpgradesToDecide(t.Context()); err != nil || len(waits) != 1 || waits[0].State != "interrupted" || waits[0].Decision != rollout.DecideClear || waits[0].DecidedBy != "operator" {
		t.Errorf("while it is cleared UpgradesToDecide = %+v, %v", waits, err)
	}
	d.exec(t, "UPDATE upgrade SET state = 'running', due_at = now(), decision = '', returns = '' WHERE id = $1", id)
	if left, err = d.Store.Deviations(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("Deviations = %+v, %v, want none of what is in work", left, err)
	}
	if silent, err := d.Store.SilentUpgrades(t.Context()); err != nil || len(silent) != 0 {
		t.Errorf("SilentUpgrades = %+v, %v, want none", silent, err)
	}
	d.exec(t, "UPDATE step SET silent_at = now() WHERE upgrade_id = $1 AND name = 'setup'", id)
	d.exec(t, "UPDATE upgrade SET output_at = now() - interval '2 h' WHERE id = $1", id)
	if silent, err := d.Store.SilentUpgrades(t.Context()); err != nil || len(silent) != 1 || silent[0].Upgrade != id {
		t.Errorf("SilentUpgrades = %+v, %v, want the one", silent, err)
	}
	d.exec(t, "UPDATE upgrade SET output_at = now() + interval '1 s' WHERE id = $1", id)
	if silent, err := d.Store.SilentUpgrades(t.Context()); err != nil || len(silent) != 0 {
		t.Errorf("SilentUpgrades = %+v, %v, want none: it spoke again", silent, err)
	}
	d.exec(t, "UPDATE ledger SET restored_at = now(), deviation = 'is gone' WHERE upgrade_id = $1", id)
	if left, err = d.Store.Deviations(t.Context()); err != nil || len(left) != 1 || left[0].Open || left[0].Deviation != "is gone" {
		t.Errorf("Deviations = %+v, %v, want what was not put back exactly", left, err)
	}
}

func (d submitted) release(t *testing.T, lease store.Lease) {
	t.Helper()
	if err := d.Store.ReleaseLease(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
}
