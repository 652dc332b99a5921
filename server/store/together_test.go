package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// rounds is how often two people meet in each test. They really do both at the
// same time; which one is faster is not ours to say.
const rounds = 20

// meet lets both act at the same moment and returns what each was told. An
// answer that is neither success nor a conflict in words fails the test.
func meet(t *testing.T, first, second func(context.Context) error) (error, error) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	var told [2]error
	var both sync.WaitGroup
	barrier := make(chan struct{})
	for i, act := range []func(context.Context) error{first, second} {
		both.Go(func() {
			<-barrier
			told[i] = act(ctx)
		})
	}
	close(barrier)
	both.Wait()
	for _, err := range told {
		var words *rollout.Error
		if err != nil && (!errors.Is(err, rollout.ErrConflict) || !errors.As(err, &words) || strings.Contains(err.Error(), "SQLSTATE")) {
			t.Fatalf("one is told %v, want success or a conflict in words", err)
		}
	}
	return told[0], told[1]
}

// one fails the test unless exactly one of the two came through.
func one(t *testing.T, what string, a, b error) {
	t.Helper()
	if (a == nil) == (b == nil) {
		t.Fatalf("%s: %v and %v, want exactly one to win", what, a, b)
	}
}

// whole fails the test when an event is missing or the record is broken.
func (d submitted) whole(t *testing.T) {
	t.Helper()
	d.kinds(t)
	if _, err := d.Store.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

// event returns the number of the last event whose text has the words; 0 = none.
func (d submitted) event(t *testing.T, words string) int64 {
	t.Helper()
	events, err := d.Store.LatestEvents(t.Context(), d.rollout, 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if strings.Contains(e.Text, words) {
			return e.Number
		}
	}
	return 0
}

func (d submitted) advanceNow(ctx context.Context) error {
	var generation int64
	if err := d.Store.Pool().QueryRow(ctx, "UPDATE rollout SET generation = generation + 1 WHERE id = $1 RETURNING generation", d.rollout).Scan(&generation); err != nil {
		return err
	}
	return d.Store.Advance(ctx, store.Advance{Rollout: d.rollout, Generation: generation}, rollout.Next, book)
}

func TestTwoApprovalsOneWins(t *testing.T) {
	t.Parallel()
	d := submit(t)
	wave := d.view(t).Waves[0].ID
	for range rounds {
		seen := d.seen(t, wave)
		approve := func(who store.Actor) func(context.Context) error {
			return func(ctx context.Context) error { return d.Store.ApproveWave(ctx, who, wave, seen, "go", book) }
		}
		a, b := meet(t, approve(d.operator), approve(d.second))
		one(t, "approve and approve", a, b)
		winner, loser := d.operator.Name, b
		if a != nil {
			winner, loser = d.second.Name, a
		}
		if got := d.view(t).Waves[0].ApprovedBy; got != winner || !strings.Contains(loser.Error(), winner+" approved this wave already") {
			t.Fatalf("approved by %s, the other is told %v, want %s", got, loser, winner)
		}
		if err := d.Store.WithdrawApproval(t.Context(), d.operator, wave, "again"); err != nil {
			t.Fatal(err)
		}
	}
	d.whole(t)
}

// TestApprovingAndChangingTakeTurns: whoever approves approves what was seen, or
// is told; what changes afterwards keeps the server from starting.
func TestApprovingAndChangingTakeTurns(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(d submitted, round int) func(context.Context) error{
		"inventory": func(d submitted, round int) func(context.Context) error {
			return func(ctx context.Context) error {
				inv, _ := exchange.ReadInventory(strings.NewReader(fmt.Sprintf("server,roles,address\nCAS1,CAS,127.0.77.%d\n", 100+round)))
				result, err := d.Store.ImportInventory(ctx, d.lead, inv, nil, store.ImportOptions{})
				if err == nil && !result.Applied {
					return fmt.Errorf("import: %+v", result.Faults)
				}
				return err
			}
		},
		"media": func(d submitted, round int) func(context.Context) error {
			return func(ctx context.Context) error {
				return d.Store.SavePackage(ctx, d.lead, store.Package{Name: "sp1", SetupSHA256: strings.Repeat(fmt.Sprintf("%02x", 16+round), 32)})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := submit(t)
			wave := d.view(t).Waves[0].ID
			for round := range rounds {
				seen := d.seen(t, wave)
				approved, changed := meet(t, func(ctx context.Context) error {
					return d.Store.ApproveWave(ctx, d.operator, wave, seen, "go", book)
				}, change(d, round))
				if changed != nil {
					t.Fatal(changed)
				}
				s, err := d.Store.Snapshot(t.Context(), d.rollout, book)
				if err != nil {
					t.Fatal(err)
				}
				match := s.Upgrades[0].Approval
				if approved == nil && match != rollout.ApprovalStale || approved != nil && (match != rollout.ApprovalNone || !strings.Contains(approved.Error(), "not as you saw it")) {
					t.Fatalf("approved: %v, and it is %s", approved, match)
				}
				if approved == nil {
					if err := d.Store.WithdrawApproval(t.Context(), d.operator, wave, "again"); err != nil {
						t.Fatal(err)
					}
				}
			}
			d.whole(t)
		})
	}
}

// TestApprovingAndANewRevisionTakeTurns: the older revision's rollout ends, and
// an approval that came too late is told so.
func TestApprovingAndANewRevisionTakeTurns(t *testing.T) {
	t.Parallel()
	d := submit(t)
	line, err := d.Store.PlanByID(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	latest := line.Revisions[0].ID
	content, err := rollout.ReadPlan(line.Revisions[0].Content)
	if err != nil {
		t.Fatal(err)
	}
	for range rounds {
		if latest, err = d.Store.AddRevision(t.Context(), d.lead, line.ID, latest, content); err != nil {
			t.Fatal(err)
		}
		wave := d.view(t).Waves[0].ID
		seen := d.seen(t, wave)
		var next int64
		approved, submitted := meet(t, func(ctx context.Context) error {
			return d.Store.ApproveWave(ctx, d.operator, wave, seen, "go", book)
		}, func(ctx context.Context) (err error) {
			next, err = d.Store.SubmitRevision(ctx, d.lead, latest, d.hash, book)
			return err
		})
		if submitted != nil || approved != nil && !strings.Contains(approved.Error(), "has ended") {
			t.Fatalf("approved: %v, submitted: %v", approved, submitted)
		}
		if got := d.view(t).State; got != rollout.RolloutStopped {
			t.Fatalf("the older rollout is %s, want stopped", got)
		}
		d.whole(t)
		d.rollout = next
	}
}

func TestPausingAndStartingTakeTurns(t *testing.T) {
	t.Parallel()
	d := ready(t)
	id := d.view(t).Waves[0].Upgrades[0].ID
	for range rounds {
		d.exec(t, "UPDATE step SET state = 'waiting'")
		d.exec(t, "UPDATE upgrade SET state = 'waiting', due_at = NULL, started_at = NULL, reasons = '[]'")
		d.exec(t, "UPDATE rollout SET state = 'running'")
		before := d.view(t).LastEvent
		paused, advanced := meet(t, func(ctx context.Context) error {
			return d.Store.PauseRollout(ctx, d.operator, d.rollout, "lunch")
		}, d.advanceNow)
		if paused != nil || advanced != nil {
			t.Fatalf("paused: %v, advanced: %v", paused, advanced)
		}
		pause, start := d.event(t, "paused the rollout"), d.event(t, "CAS1 starts")
		if state := d.upgrade(t, id).State; (state == rollout.Running) != (start > before) || start > before && start > pause {
			t.Fatalf("CAS1 is %s, started by event %d, paused by event %d", state, start, pause)
		}
		if err := d.advanceNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		if late := d.event(t, "CAS1 starts"); late > pause {
			t.Fatalf("CAS1 started by event %d, after the pause by event %d", late, pause)
		}
	}
	d.whole(t)
}

func TestStoppingAndRetryingTakeTurns(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Failed)
	for range rounds {
		d.exec(t, "UPDATE upgrade SET state = 'failed', due_at = NULL, step = 'setup' WHERE id = $1", id)
		d.exec(t, "UPDATE rollout SET state = 'running', ended_at = NULL")
		d.exec(t, "UPDATE wave SET state = 'running' WHERE number = 1")
		stopped, retried := meet(t, func(ctx context.Context) error {
			return d.Store.StopRollout(ctx, d.operator, d.rollout, "enough")
		}, func(ctx context.Context) error {
			return d.Store.RetryUpgrade(ctx, d.second, id, "again", book)
		})
		if stopped != nil || retried != nil && !strings.Contains(retried.Error(), "has ended") {
			t.Fatalf("stopped: %v, retried: %v", stopped, retried)
		}
		if err := d.advanceNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := rollout.Waiting
		if retried != nil {
			want = rollout.Failed
		}
		if got := d.upgrade(t, id).State; got != want {
			t.Fatalf("it is %s, want %s and never running", got, want)
		}
	}
	d.whole(t)
}

func TestWithdrawingAndOpeningOneWins(t *testing.T) {
	t.Parallel()
	d := submit(t)
	wave := d.view(t).Waves[0].ID
	for range rounds {
		d.exec(t, "UPDATE rollout SET state = 'waiting'")
		d.exec(t, "UPDATE approval SET withdrawn_at = now() WHERE withdrawn_at IS NULL")
		d.exec(t, "UPDATE wave SET state = 'waiting'")
		if err := d.approve(t, 0); err != nil {
			t.Fatal(err)
		}
		withdrawn, advanced := meet(t, func(ctx context.Context) error {
			return d.Store.WithdrawApproval(ctx, d.operator, wave, "no")
		}, d.advanceNow)
		if advanced != nil {
			t.Fatal(advanced)
		}
		got, want := d.view(t).Waves[0].State, rollout.WaveRunning
		if withdrawn == nil {
			want = rollout.WaveWaiting
		}
		if got != want {
			t.Fatalf("withdrawn: %v, and the wave is %s, want %s", withdrawn, got, want)
		}
	}
	d.whole(t)
}

func TestSkippingAndATickTakeTurns(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Interrupted)
	for range rounds {
		d.exec(t, "UPDATE step SET state = CASE WHEN position < 3 THEN 'done' WHEN position = 3 THEN 'running' ELSE 'waiting' END WHERE upgrade_id = $1", id)
		d.exec(t, "UPDATE upgrade SET state = 'running', due_at = now(), step = 'setup', unwinding = false, skipping = false WHERE id = $1", id)
		d.exec(t, "UPDATE host_lease SET expires_at = now() - interval '1 s'")
		w := d.work(t, id)
		lease, _ := d.hold(t, store.Tick{Upgrade: id, Generation: w.Generation})
		skipped, ticked := meet(t, func(ctx context.Context) error {
			return d.Store.SkipUpgrade(ctx, d.operator, id, store.Skip{Reason: "leave it"}, book)
		}, func(ctx context.Context) error {
			return d.Store.SaveTick(ctx, lease, store.TickSave{
				Upgrade: id, Rollout: w.Rollout, Generation: w.Generation, Wave: w.Wave, Server: "CAS1", ServerID: w.ServerID, Host: w.Hosts[0].ID,
				From: rollout.Running, To: rollout.Interrupted, Step: "setup", StepFrom: rollout.Running, StepTo: rollout.Interrupted, Show: "setup",
			})
		})
		if ticked != nil {
			t.Fatal(ticked)
		}
		u := d.upgrade(t, id)
		if skipped == nil && (u.State != rollout.Running || !u.Unwinding || u.Step != "put-back") || skipped != nil && u.State != rollout.Interrupted {
			t.Fatalf("skipped: %v, and it is %s at %s", skipped, u.State, u.Step)
		}
	}
	d.whole(t)
}

// TestADecisionAndATickOneWins: what a person decides about what is out of sight
// overtakes the tick in flight, or the tick was first.
func TestADecisionAndATickOneWins(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.OutOfSight)
	for range rounds {
		d.exec(t, "UPDATE step SET state = 'out-of-sight' WHERE upgrade_id = $1 AND position = 3", id)
		d.exec(t, "UPDATE upgrade SET state = 'out-of-sight', due_at = now() WHERE id = $1", id)
		d.exec(t, "UPDATE host_lease SET expires_at = now() - interval '1 s'")
		w := d.work(t, id)
		lease, _ := d.hold(t, store.Tick{Upgrade: id, Generation: w.Generation})
		looked, ticked := meet(t, func(ctx context.Context) error {
			return d.Store.DecideUpgrade(ctx, d.operator, id, store.Decision{Step: rollout.DecideLook}, book)
		}, func(ctx context.Context) error {
			return d.Store.SaveTick(ctx, lease, store.TickSave{
				Upgrade: id, Rollout: w.Rollout, Generation: w.Generation, Wave: w.Wave, Server: "CAS1", ServerID: w.ServerID, Host: w.Hosts[0].ID,
				From: rollout.OutOfSight, To: rollout.Unknown, Step: "setup", StepFrom: rollout.OutOfSight, StepTo: rollout.Unknown, Show: "setup",
			})
		})
		if looked != nil {
			t.Fatal(looked) // an unknown one can be looked at as well
		}
		u := d.upgrade(t, id)
		overtaken := errors.Is(ticked, store.ErrOvertaken)
		if ticked != nil && !overtaken || overtaken && u.State != rollout.OutOfSight || !overtaken && u.Decision != rollout.DecideLook {
			t.Fatalf("the tick: %v, and it is %s, decision %q", ticked, u.State, u.Decision)
		}
		d.exec(t, "UPDATE upgrade SET state = 'unknown', decision = '', returns = '', due_at = NULL WHERE id = $1", id)
	}
	d.whole(t)
}

func TestTwoDecisionsOneWins(t *testing.T) {
	t.Parallel()
	decisions := map[string]func(d submitted, id int64) func(context.Context) error{
		"clear": func(d submitted, id int64) func(context.Context) error {
			return func(ctx context.Context) error {
				return d.Store.DecideUpgrade(ctx, d.operator, id, store.Decision{Step: rollout.DecideClear, Reason: "x"}, book)
			}
		},
		"look": func(d submitted, id int64) func(context.Context) error {
			return func(ctx context.Context) error {
				return d.Store.DecideUpgrade(ctx, d.second, id, store.Decision{Step: rollout.DecideLook}, book)
			}
		},
		"verify": func(d submitted, id int64) func(context.Context) error {
			return func(ctx context.Context) error {
				return d.Store.VerifyUpgrade(ctx, d.operator, id, "repaired", book)
			}
		},
		"retry": func(d submitted, id int64) func(context.Context) error {
			return func(ctx context.Context) error {
				return d.Store.RetryUpgrade(ctx, d.second, id, "again", book)
			}
		},
		"skip": func(d submitted, id int64) func(context.Context) error {
			return func(ctx context.Context) error {
				return d.Store.SkipUpgrade(ctx, d.second, id, store.Skip{Reason: "leave it"}, book)
			}
		},
	}
	for _, pair := range []string{"clear clear", "clear look", "clear verify", "clear retry", "clear skip", "verify verify", "verify skip", "retry retry", "skip skip"} {
		t.Run(pair, func(t *testing.T) {
			t.Parallel()
			d, id := broken(t, rollout.Interrupted)
			first, second, _ := strings.Cut(pair, " ")
			for range rounds {
				d.exec(t, "UPDATE step SET state = CASE WHEN position < 3 THEN 'done' WHEN position = 3 THEN 'interrupted' ELSE 'waiting' END WHERE upgrade_id = $1", id)
				d.exec(t, "UPDATE upgrade SET state = 'interrupted', due_at = NULL, step = 'setup', decision = '', returns = '', unwinding = false, skipping = false WHERE id = $1", id)
				a, b := meet(t, decisions[first](d, id), decisions[second](d, id))
				one(t, pair, a, b)
			}
			d.whole(t)
		})
	}
}

// TestARoleTakenAwayDoesNotAct: the approval is on record before the loss of the
// role, or it is refused.
func TestARoleTakenAwayDoesNotAct(t *testing.T) {
	t.Parallel()
	d := submit(t)
	wave := d.view(t).Waves[0].ID
	for range rounds {
		seen := d.seen(t, wave)
		approved, taken := meet(t, func(ctx context.Context) error {
			return d.Store.ApproveWave(ctx, d.operator, wave, seen, "go", book)
		}, func(ctx context.Context) error {
			return d.Store.SetRoles(ctx, erika, d.operator.PersonID, []string{"auditor"})
		})
		if taken != nil || approved != nil && (!errors.Is(approved, rollout.ErrForbidden) || !strings.Contains(approved.Error(), "role operator was taken")) {
			t.Fatalf("approved: %v, taken: %v", approved, taken)
		}
		var last string
		if err := d.Store.Pool().QueryRow(t.Context(), "SELECT what FROM audit ORDER BY seq DESC LIMIT 1").Scan(&last); err != nil || last != "person.roles" {
			t.Fatalf("the last entry is %s, %v, want the loss of the role", last, err)
		}
		if err := d.Store.SetRoles(t.Context(), erika, d.operator.PersonID, []string{"operator"}); err != nil {
			t.Fatal(err)
		}
		if approved == nil {
			if err := d.Store.WithdrawApproval(t.Context(), d.second, wave, "again"); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.whole(t)
}

// TestNobodyActsWithoutTheRights goes through every method that takes an actor:
// who was disabled, or lost a role, a moment ago does nothing by any of them.
func TestNobodyActsWithoutTheRights(t *testing.T) {
	t.Parallel()
	d, id := broken(t, rollout.Interrupted)
	ctx := t.Context()
	view := d.view(t)
	wave, revision := view.Waves[0].ID, view.RevisionID
	kept := addMedium(t, d.Store, "kept")
	calls := map[string]func(store.Actor) error{
		"AddMedia": func(a store.Actor) error {
			m, manifest := medium("acted")
			_, err := d.Store.AddMedia(ctx, a, m, manifest, "")
			return err
		},
		"AskStaging": func(a store.Actor) error {
			_, err := d.Store.AskStaging(ctx, a, store.StagingAsk{Wave: wave, Reason: "x"})
			return err
		},
		"CancelStaging": func(a store.Actor) error { return d.Store.CancelStaging(ctx, a, 1, "x") },
		"ForgetMedia": func(a store.Actor) error {
			_, err := d.Store.ForgetMedia(ctx, a, kept.ID, "x")
			return err
		},
		"RemoveMediaSource": func(a store.Actor) error {
			_, err := d.Store.RemoveMediaSource(ctx, a, "")
			return err
		},
		"SetMediaSource": func(a store.Actor) error {
			return d.Store.SetMediaSource(ctx, a, store.MediaSource{Kind: store.SourceConsole})
		},
		"AddPerson": func(a store.Actor) error {
			_, err := d.Store.AddPerson(ctx, a, store.NewPerson{Name: "new", Hash: "x", Roles: []string{"admin"}})
			return err
		},
		"AddRevision": func(a store.Actor) error {
			_, err := d.Store.AddRevision(ctx, a, view.Plan, revision, view.Content)
			return err
		},
		"ApproveWave": func(a store.Actor) error { return d.Store.ApproveWave(ctx, a, wave, "", "x", book) },
		"CreatePlan": func(a store.Actor) error {
			_, _, err := d.Store.CreatePlan(ctx, a, "x", view.Content)
			return err
		},
		"DecideUpgrade": func(a store.Actor) error {
			return d.Store.DecideUpgrade(ctx, a, id, store.Decision{Step: rollout.DecideLook}, book)
		},
		"ImportInventory": func(a store.Actor) error {
			_, err := d.Store.ImportInventory(ctx, a, exchange.Inventory{}, nil, store.ImportOptions{})
			return err
		},
		"AskChecks": func(a store.Actor) error {
			_, err := d.Store.AskChecks(ctx, a, store.CheckAsk{Servers: []int64{1}, Package: "sp1"})
			return err
		},
		"AskOrganization": func(a store.Actor) error {
			_, err := d.Store.AskOrganization(ctx, a, 1, "x")
			return err
		},
		"CancelChecks": func(a store.Actor) error { return d.Store.CancelChecks(ctx, a, 1, "x") },
		"AskFix": func(a store.Actor) error {
			_, err := d.Store.AskFix(ctx, a, store.FixAsk{Name: "start-msdtc", Server: 1, Host: 1, Reason: "x"})
			return err
		},
		"DecideFix": func(a store.Actor) error { return d.Store.DecideFix(ctx, a, 1, true, "x") },
		"UndoFix":   func(a store.Actor) error { return d.Store.UndoFix(ctx, a, 1, "x") },
		"AskWaiver": func(a store.Actor) error {
			_, err := d.Store.AskWaiver(ctx, a, store.WaiverAsk{Server: 1, Package: "sp1", Rule: "x", Severity: "warning", Text: "x", Waivable: true, Reason: "x", Until: time.Now().Add(time.Hour)})
			return err
		},
		"DecideWaiver":   func(a store.Actor) error { return d.Store.DecideWaiver(ctx, a, 1, true, "x") },
		"WithdrawWaiver": func(a store.Actor) error { return d.Store.WithdrawWaiver(ctx, a, 1, "x") },
		"EnterOrganizationFact": func(a store.Actor) error {
			_, err := d.Store.EnterOrganizationFact(ctx, a, "schema", json.RawMessage("1"), "x")
			return err
		},
		"DropOrganizationFact": func(a store.Actor) error {
			_, err := d.Store.DropOrganizationFact(ctx, a, "schema", "x")
			return err
		},
		"DecideOrganization":   func(a store.Actor) error { return d.Store.DecideOrganization(ctx, a, 1, true, "x") },
		"SetPolicy":            func(a store.Actor) error { return d.Store.SetPolicy(ctx, a, "x", 1, "x") },
		"ResetPolicy":          func(a store.Actor) error { return d.Store.ResetPolicy(ctx, a, "x", "x") },
		"PauseRollout":         func(a store.Actor) error { return d.Store.PauseRollout(ctx, a, d.rollout, "x") },
		"PauseWave":            func(a store.Actor) error { return d.Store.PauseWave(ctx, a, wave, "x") },
		"WithdrawOrganization": func(a store.Actor) error { return d.Store.WithdrawOrganization(ctx, a, 1, "x") },
		"RecordPreparation":    func(a store.Actor) error { return d.Store.RecordPreparation(ctx, a, "sp1", "", "x") },
		"RejectRevision":       func(a store.Actor) error { return d.Store.RejectRevision(ctx, a, revision, "x") },
		"RequestProbes": func(a store.Actor) error {
			_, err := d.Store.RequestProbes(ctx, a, nil)
			return err
		},
		"RequestContacts": func(a store.Actor) error {
			_, err := d.Store.RequestContacts(ctx, a, nil)
			return err
		},
		"NoteContact": func(a store.Actor) error {
			return d.Store.NoteContact(ctx, a, store.HostAddress{ID: 1}, store.Contact{Outcome: "done"})
		},
		"ResumeRollout": func(a store.Actor) error { return d.Store.ResumeRollout(ctx, a, d.rollout, "x") },
		"ResumeWave":    func(a store.Actor) error { return d.Store.ResumeWave(ctx, a, wave, "x") },
		"RetryUpgrade":  func(a store.Actor) error { return d.Store.RetryUpgrade(ctx, a, id, "x", book) },
		"SavePackage": func(a store.Actor) error {
			return d.Store.SavePackage(ctx, a, store.Package{Name: "sp1", SetupSHA256: strings.Repeat("ee", 32)})
		},
		"SaveProfile": func(a store.Actor) error {
			_, err := d.Store.SaveProfile(ctx, a, store.Profile{Name: "default", HTTPS: true})
			return err
		},
		"SetCredential": func(a store.Actor) error {
			return d.Store.SetCredential(ctx, a, store.SealedCredential{ProfileID: 1, Purpose: store.PurposeWinRM, Account: "x", Sealed: []byte("x"), KeyID: "k"})
		},
		"RotateCredential": func(a store.Actor) error {
			c := store.SealedCredential{ProfileID: 1, Purpose: store.PurposeWinRM, Account: "x", Sealed: []byte("x"), KeyID: "k"}
			return d.Store.RotateCredential(ctx, a, c, 1, "H", "x")
		},
		"RetryCredential": func(a store.Actor) error {
			_, err := d.Store.RetryCredential(ctx, a, "default", store.PurposeWinRM, "x")
			return err
		},
		"AddPin":      func(a store.Actor) error { return d.Store.AddPin(ctx, a, "MBX1", strings.Repeat("ee", 32), "x") },
		"ConfirmPin":  func(a store.Actor) error { return d.Store.ConfirmPin(ctx, a, 1, strings.Repeat("ee", 32), "x") },
		"RejectPin":   func(a store.Actor) error { return d.Store.RejectPin(ctx, a, 1, strings.Repeat("ee", 32), "x") },
		"SetDisabled": func(a store.Actor) error { return d.Store.SetDisabled(ctx, a, d.second.PersonID, true) },
		"SetPassword": func(a store.Actor) error { return d.Store.SetPassword(ctx, a, d.second.PersonID, "x") },
		"SetRoles": func(a store.Actor) error {
			return d.Store.SetRoles(ctx, a, d.second.PersonID, []string{"admin"})
		},
		"SkipUpgrade": func(a store.Actor) error { return d.Store.SkipUpgrade(ctx, a, id, store.Skip{Reason: "x"}, book) },
		"StopRollout": func(a store.Actor) error { return d.Store.StopRollout(ctx, a, d.rollout, "x") },
		"SubmitRevision": func(a store.Actor) error {
			_, err := d.Store.SubmitRevision(ctx, a, revision, d.hash, book)
			return err
		},
		"SubmitConfirmed": func(a store.Actor) error {
			_, err := d.Store.SubmitConfirmed(ctx, a, revision, d.hash, nil, book)
			return err
		},
		"AllowWebhook":     func(a store.Actor) error { return d.Store.AllowWebhook(ctx, a, store.Webhook{Name: "x", Reason: "x"}) },
		"ForbidWebhook":    func(a store.Actor) error { return d.Store.ForbidWebhook(ctx, a, "x", "x") },
		"DoubtUpgrade":     func(a store.Actor) error { return d.Store.DoubtUpgrade(ctx, a, id, "x") },
		"VerifyUpgrade":    func(a store.Actor) error { return d.Store.VerifyUpgrade(ctx, a, id, "x", book) },
		"WithdrawApproval": func(a store.Actor) error { return d.Store.WithdrawApproval(ctx, a, wave, "x") },
	}
	methods := reflect.TypeFor[*store.Store]()
	var named []string
	for i := range methods.NumMethod() {
		m := methods.Method(i)
		if m.Name == "Note" || m.Name == "NoteSettings" {
			continue // what a person was refused is noted, too
		}
		for j := range m.Type.NumIn() {
			if m.Type.In(j) == reflect.TypeFor[store.Actor]() {
				named = append(named, m.Name)
			}
		}
	}
	for _, name := range named {
		if calls[name] == nil {
			t.Errorf("%s takes an actor and is not tried here", name)
		}
	}
	gone := person(t, d.Store, "gone", "admin", "planner", "operator")
	lost := person(t, d.Store, "lost", "admin", "planner", "operator")
	if err := d.Store.SetDisabled(ctx, erika, gone.PersonID, true); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.SetRoles(ctx, erika, lost.PersonID, []string{"admin", "planner"}); err != nil {
		t.Fatal(err)
	}
	never := store.Actor{PersonID: 9999, Name: "never", Roles: []string{"operator"}}
	entries := 0
	count := func() (n int) {
		if err := d.Store.Pool().QueryRow(ctx, "SELECT count(*) FROM audit").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	entries = count()
	for name, call := range calls {
		if !slices.Contains(named, name) {
			t.Errorf("there is no method %s with an actor", name)
		}
		for _, actor := range []store.Actor{gone, lost, never} {
			if err := call(actor); !errors.Is(err, rollout.ErrForbidden) {
				t.Errorf("%s by %s: %v, want forbidden", name, actor.Name, err)
			}
		}
	}
	if n := count(); n != entries {
		t.Errorf("%d entries came on record, want none", n-entries)
	}
}
