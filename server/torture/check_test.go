//go:build !race

package torture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// truth is the journal of the simulated hosts: what really happened.
type truth struct {
	mu      sync.Mutex
	entries []twin.Observation
}

// Write takes one journal line.
func (j *truth) Write(b []byte) (int, error) {
	var one twin.Observation
	if err := json.Unmarshal(bytes.TrimSpace(b), &one); err != nil {
		return 0, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, one)
	return len(b), nil
}

// of returns the entries of a kind on a host ("" = on any), in their order.
func (j *truth) of(host, what string) []twin.Observation {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []twin.Observation
	for _, e := range j.entries {
		if e.What == what && (host == "" || e.Host == host) {
			out = append(out, e)
		}
	}
	return out
}

// count says how often something happened on a host ("" = on any).
func (j *truth) count(host, what string) int { return len(j.of(host, what)) }

// check is the end of a rollout that nothing may change: every server done, its
// Setup started once, the order kept, everything put back, nothing left.
func (a *arena) check(t testing.TB) {
	t.Helper()
	v := a.view(t)
	if v.State != rollout.RolloutDone {
		t.Errorf("the rollout is %s, want done", v.State)
	}
	for _, w := range v.Waves {
		for _, u := range w.Upgrades {
			if u.State != rollout.Done || u.VerifiedAt == nil {
				t.Errorf("%s is %s at %s, want done and verified", u.Server, u.State, u.Step)
				continue
			}
			if n := a.truth.count(u.Server, "setup-started"); n != 1 {
				t.Errorf("%s: Setup was started %d times, want once", u.Server, n)
			}
			a.checkTold(t, u)
			a.checkLedger(t, u.ID, u.Server)
			a.checkPutBack(t, u.Server)
			a.checkMedia(t, u.Server)
		}
	}
	if !t.Failed() {
		ledger.held("every server done, Setup started once", 1)
		ledger.held("ledger empty, hosts as they were", 1)
	}
	a.checkAlways(t)
}

// checkAlways is what holds at any moment and after any fault.
func (a *arena) checkAlways(t testing.TB) {
	t.Helper()
	a.checkStarts(t)
	for _, o := range a.truth.of("", "order-broken") {
		t.Errorf("order broken: %v", o.Detail)
	}
	a.checkEvents(t)
	if _, err := a.Store.VerifyAudit(t.Context()); err != nil {
		t.Errorf("the audit chain: %v", err)
	}
	a.checkSecrets(t)
	if !t.Failed() {
		for _, what := range []string{"at most one setup-started per attempt", "no order broken", "event numbers without a gap", "audit chain whole", "no secret anywhere"} {
			ledger.held(what, 1)
		}
	}
}

// checkStarts: on no host more Setups than attempts at the step setup, and never
// two at the same time.
func (a *arena) checkStarts(t testing.TB) {
	t.Helper()
	rows, err := a.Store.Pool().Query(t.Context(), `SELECT s.name, max(st.attempt) FROM step st JOIN upgrade u ON u.id = st.upgrade_id
		JOIN server s ON s.id = u.server_id WHERE st.name = 'setup' GROUP BY s.name`)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var server string
		var attempts int
		must(t, rows.Scan(&server, &attempts))
		if n := a.truth.count(server, "setup-started"); n > attempts {
			t.Errorf("%s: Setup was started %d times in %d attempts", server, n, attempts)
		}
		tasks := map[string]int{}
		for _, o := range a.truth.of(server, "task-ran") {
			name, _ := o.Detail["name"].(string)
			if tasks[name]++; strings.Contains(name, "-setup-") && tasks[name] > 1 {
				t.Logf("%s: the task %s was run %d times; its body's guard lets one through", server, name, tasks[name])
			}
		}
	}
	must(t, rows.Err())
	for _, host := range a.truth.overlapping() {
		t.Errorf("%s: a Setup was started while another one ran", host)
	}
}

// overlapping are the hosts on which a Setup was started while another one ran:
// it ends by itself or with the machine.
func (j *truth) overlapping() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var wrong []string
	runs := map[string]bool{}
	for _, e := range j.entries {
		switch e.What {
		case "setup-started":
			if runs[e.Host] {
				wrong = append(wrong, e.Host)
			}
			runs[e.Host] = true
		case "setup-ended", "power-loss", "restart":
			runs[e.Host] = false
		}
	}
	return wrong
}

// checkTold: what a tick changes is saved with its events or not at all, so each
// step that is done was told to be, and so was the server.
func (a *arena) checkTold(t testing.TB, u store.UpgradeRow) {
	t.Helper()
	events, err := a.Store.EventsOfServer(t.Context(), a.rollout, u.Server, 10_000)
	must(t, err)
	told := map[string]bool{}
	for _, e := range events {
		switch {
		case e.Kind == store.EventStep && strings.HasSuffix(e.Text, ": done"):
			told[e.Step] = true
		case e.Kind == store.EventUpgrade && e.Data["state"] == string(rollout.Done):
			told[""] = true
		}
	}
	for _, s := range u.Steps {
		if s.State == rollout.Done && !told[s.Name] {
			t.Errorf("%s: no event says that the step %s is done", u.Server, s.Name)
		}
	}
	if !told[""] {
		t.Errorf("%s is done, and no event says so", u.Server)
	}
}

func (a *arena) checkLedger(t testing.TB, upgrade int64, server string) {
	t.Helper()
	full, err := a.Store.Upgrade(t.Context(), upgrade)
	must(t, err)
	if len(full.Ledger) == 0 {
		t.Errorf("%s: the ledger has no entry, want the stopped services in it", server)
	}
	for _, l := range full.Ledger {
		if l.RestoredAt == nil || l.Deviation != "" {
			t.Errorf("%s: ledger: %s %s is not put back: %q", server, l.Kind, l.Name, l.Deviation)
		}
	}
}

// checkPutBack compares the host with what it was before: services and the
// revocation switch as found, no task, no folder of a task. What an ended
// upgrade left is removed by a sweep of its own, which is waited for.
func (a *arena) checkPutBack(t testing.TB, server string) {
	t.Helper()
	var wrong []string
	if !poll(hostWithin, func() bool {
		wrong = a.differences(t, server)
		return len(wrong) == 0
	}) {
		t.Errorf("%s is not as it was: %s", server, strings.Join(wrong, "; "))
	}
}

// differences lists what is not as it was on a host, but for what an upgrade is
// meant to change.
func (a *arena) differences(t testing.TB, server string) []string {
	t.Helper()
	was, is := a.before[server], a.inspect(t, server)
	var wrong []string
	for _, task := range is.Tasks {
		wrong = append(wrong, "task "+task)
	}
	for _, file := range is.Files {
		if strings.HasPrefix(file, `c:\wavekeeper\tasks\`) {
			wrong = append(wrong, "file "+file)
		}
	}
	for name, state := range was.Services {
		if is.Services[name] != state {
			wrong = append(wrong, fmt.Sprintf("service %s is %q, was %q", name, is.Services[name], state))
		}
	}
	for name, value := range was.Registry {
		if strings.Contains(name, `\software publishing\`) && is.Registry[name] != value {
			wrong = append(wrong, fmt.Sprintf("%s is %s, was %s", name, is.Registry[name], value))
		}
	}
	return wrong
}

// checkEvents: numbers without a gap, and times that never go back by more than
// a clock was set.
func (a *arena) checkEvents(t testing.TB) {
	t.Helper()
	events, err := a.Store.Events(t.Context(), a.rollout, 0, 1_000_000)
	must(t, err)
	for i, e := range events {
		if e.Number != int64(i)+1 {
			t.Errorf("event %d has number %d, want no gap", i+1, e.Number)
			return
		}
	}
}

// checkSecrets looks for the passwords in every table, byte for byte in what was
// kept of the hosts, and in the coordinators' logs.
func (a *arena) checkSecrets(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	rows, err := a.Store.Pool().Query(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'")
	must(t, err)
	var tables []string
	for rows.Next() {
		var name string
		must(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	must(t, rows.Err())
	for _, table := range tables {
		var n int
		must(t, a.Store.Pool().QueryRow(ctx, "SELECT count(*) FROM "+table+" r WHERE r::text LIKE '%'||$1||'%' OR r::text LIKE '%'||$2||'%'", winrmPassword, runasPassword).Scan(&n))
		if n > 0 {
			t.Errorf("a password is in table %s", table)
		}
	}
	for _, password := range []string{winrmPassword, runasPassword} {
		var n int // a row's text shows bytes as hexadecimal digits
		must(t, a.Store.Pool().QueryRow(ctx, "SELECT count(*) FROM evidence WHERE position($1::bytea in data) > 0 OR position($2::bytea in data) > 0",
			[]byte(password), utf16Bytes(password)).Scan(&n))
		if n > 0 {
			t.Errorf("a password is in %d pieces of evidence", n)
		}
	}
	a.mu.Lock()
	logs := a.logs
	a.mu.Unlock()
	for _, log := range logs {
		if text := tailOf(log, 1_000_000); strings.Contains(text, winrmPassword) || strings.Contains(text, runasPassword) {
			t.Errorf("a password is in %s", log)
		}
	}
}

// utf16Bytes is an ASCII text as Windows writes it.
func utf16Bytes(text string) []byte {
	var out []byte
	for _, c := range []byte(text) {
		out = append(out, c, 0)
	}
	return out
}
