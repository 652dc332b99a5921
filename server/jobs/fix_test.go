package jobs_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// fix asks for a fix on a server's host as who may do everything.
func (w *world) fix(t *testing.T, by store.Actor, name, server string) int64 {
	t.Helper()
	s, err := w.Store.ServerByName(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.Store.AskFix(t.Context(), by, store.FixAsk{Name: name, Server: s.ID, Host: s.Hosts[0].ID, Rule: "x", Reason: "the check found it"})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w *world) awaitFix(t *testing.T, id int64, state string) store.Fix {
	t.Helper()
	var f store.Fix
	w.until(t, "fix is "+state, func() bool {
		var err error
		if f, err = w.Store.FixByID(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return f.State != store.FixApproved && f.State != store.FixUndoing && f.State != store.FixAsked
	})
	if f.State != state {
		t.Fatalf("fix %s is %s, want %s: %s", f.Name, f.State, state, f.Message)
	}
	return f
}

func (w *world) seen(t *testing.T, host, service string) string {
	t.Helper()
	in, err := w.fleet.Inspect(host)
	if err != nil {
		t.Fatal(err)
	}
	return in.Services[service]
}

// TestAServiceIsStartedAsAFixAndStoppedAgain: asked for by one person, done only
// after another approved, its state before on record, and undone.
func TestAServiceIsStartedAsAFixAndStoppedAgain(t *testing.T) {
	t.Parallel()
	w := checkWorld(t, "11")
	ctx := t.Context()
	other := w.person(t, "other", "operator")
	before := w.seen(t, "CAS1", "MSDTC")
	id := w.fix(t, w.operator, runbook.StartMSDTC, "CAS1")
	if err := w.Store.DecideFix(ctx, w.operator, id, true, "go"); !errors.Is(err, store.ErrOwnWork) {
		t.Errorf("his own fix: %v, want refused", err)
	}
	if got := w.seen(t, "CAS1", "MSDTC"); got != before {
		t.Errorf("MSDTC is %s before anybody approved", got)
	}
	if err := w.Store.DecideFix(ctx, other, id, true, "nothing speaks against it"); err != nil {
		t.Fatal(err)
	}
	f := w.awaitFix(t, id, store.FixDone)
	if got := w.seen(t, "CAS1", "MSDTC"); !strings.HasPrefix(strings.ToUpper(got), "RUNNING") || strings.Fields(got)[1] != strings.Fields(before)[1] {
		t.Errorf("MSDTC is %s, was %s: want it running with its start type kept", got, before)
	}
	if len(f.Changes) != 1 || f.Changes[0].Before["state"] != windows.Stopped || !f.Undoable() {
		t.Errorf("changes %+v, want the state before", f.Changes)
	}
	if err := w.Store.UndoFix(ctx, other, id, "back to how it was"); err != nil {
		t.Fatal(err)
	}
	if f = w.awaitFix(t, id, store.FixUndone); f.Changes[0].RestoredAt == nil || f.Changes[0].Deviation != "" || f.Undoable() {
		t.Errorf("changes %+v, want put back exactly", f.Changes)
	}
	if got := w.seen(t, "CAS1", "MSDTC"); got != before {
		t.Errorf("MSDTC is %s, was %s", got, before)
	}
	if err := w.Store.UndoFix(ctx, other, id, "once more"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("undone twice: %v", err)
	}
}

// TestAServiceThatSomebodyDisabledIsNotStarted: that was a decision.
func TestAServiceThatSomebodyDisabledIsNotStarted(t *testing.T) {
	t.Parallel()
	w := checkWorld(t, "12")
	other := w.person(t, "other", "operator")
	if result, err := w.host(t, "127.0.162.122").Run(t.Context(), "sc.exe config MSDTC start= disabled"); err != nil || result.Exit != 0 {
		t.Fatal(result, err)
	}
	service(t, w, "HUB1", "MSDTC", "stop")
	id := w.fix(t, w.operator, runbook.StartMSDTC, "HUB1")
	if err := w.Store.DecideFix(t.Context(), other, id, true, "go"); err != nil {
		t.Fatal(err)
	}
	if f := w.awaitFix(t, id, store.FixFailed); !strings.Contains(f.Message, "disabled") || len(f.Changes) > 0 {
		t.Errorf("%s, %+v, want nothing changed", f.Message, f.Changes)
	}
}

// TestTheWrongKeyIsRemovedAsAFixAndPutBack with the value that it had.
func TestTheWrongKeyIsRemovedAsAFixAndPutBack(t *testing.T) {
	t.Parallel()
	w := checkWorld(t, "13")
	ctx := t.Context()
	other := w.person(t, "other", "operator")
	const key = `SYSTEM\CurrentControlSet\Services\MSExchangeIS\ParametersSystem/Enable`
	h := w.host(t, "127.0.162.133")
	if err := errors.Join(h.CreateKey(ctx, windows.LocalMachine, key), h.SetDWORD(ctx, windows.LocalMachine, key, "Remote Streaming Backup", 1)); err != nil {
		t.Fatal(err)
	}
	id := w.fix(t, w.operator, runbook.CleanStreamingKey, "MBX1")
	if err := w.Store.DecideFix(ctx, other, id, true, "nothing reads it"); err != nil {
		t.Fatal(err)
	}
	w.awaitFix(t, id, store.FixDone)
	if _, err := h.Values(ctx, windows.LocalMachine, key); !errors.Is(err, windows.ErrNoKey) {
		t.Errorf("the key: %v, want gone", err)
	}
	if err := w.Store.UndoFix(ctx, other, id, "to show that it can be"); err != nil {
		t.Fatal(err)
	}
	w.awaitFix(t, id, store.FixUndone)
	if n, err := h.DWORDValue(ctx, windows.LocalMachine, key, "Remote Streaming Backup"); err != nil || n != 1 {
		t.Errorf("the value is %d, %v, want 1 again", n, err)
	}
}

// TestAValueThatSetupOverwroteIsReappliedAndTakenBack: the chosen value alone, in
// the very file that was compared.
func TestAValueThatSetupOverwroteIsReappliedAndTakenBack(t *testing.T) {
	t.Parallel()
	w := checkWorld(t, "14")
	ctx := t.Context()
	other := w.person(t, "other", "operator")
	h := w.host(t, "127.0.162.143")
	install, err := h.InstallPath(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const name = `bin\demo.config`
	path := strings.TrimSuffix(install, `\`) + `\` + name
	before, after := `<a><calls>250</calls><b>x</b></a>`, `<a><calls>100</calls><b>x</b><c/></a>`
	if err := h.WriteFile(ctx, path, []byte(after)); err != nil {
		t.Fatal(err)
	}
	all, err := runbook.ConfigDifferences([]byte(before), []byte(after))
	if err != nil {
		t.Fatal(err)
	}
	var chosen []runbook.ConfigDifference
	for _, d := range all {
		if d.Old == "250" {
			chosen = append(chosen, d)
		}
	}
	text, err := json.Marshal(chosen)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.Store.ServerByName(ctx, "MBX1")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(sum string) int64 {
		t.Helper()
		id, err := w.Store.AskFix(ctx, w.operator, store.FixAsk{
			Name: runbook.ReapplyUMConfig, Server: s.ID, Host: s.Hosts[0].ID, Reason: "250 calls",
			Choice: map[string]string{runbook.ChoiceFile: name, runbook.ChoiceSHA256: sum, runbook.ChoiceDifferences: string(text)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Store.DecideFix(ctx, other, id, true, "as before"); err != nil {
			t.Fatal(err)
		}
		return id
	}
	holds := func(want string) {
		t.Helper()
		got, err := h.ReadFile(ctx, path, 0, 0)
		if err != nil || string(got.Data) != want {
			t.Errorf("the file holds %q, %v, want %q", got.Data, err, want)
		}
	}
	w.awaitFix(t, ask(strings.Repeat("0", 64)), store.FixFailed) // another file than the one that was compared
	holds(after)
	sum := sha256.Sum256([]byte(after))
	id := ask(hex.EncodeToString(sum[:]))
	w.awaitFix(t, id, store.FixDone)
	holds(`<a><calls>250</calls><b>x</b><c/></a>`)
	if err := w.Store.UndoFix(ctx, other, id, "100 is enough"); err != nil {
		t.Fatal(err)
	}
	w.awaitFix(t, id, store.FixUndone)
	holds(after)
}
