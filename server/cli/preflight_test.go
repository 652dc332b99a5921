package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

const checkedFleet = "server,roles,site,build,language,address\nCAS1,CAS,HQ,8.0.685.25,en-US,127.0.135.201\nMBX1,MBX,HQ,8.0.685.25,en-US,127.0.135.202\n"

// checks plays a coordinator: the checks that wait come to these findings.
func checks(t *testing.T, s *store.Store, found map[string][]preflight.Finding) {
	t.Helper()
	ctx := t.Context()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for done := 0; done < len(found); {
		runs, err := s.LastRuns(ctx, 0, 1)
		if err != nil {
			t.Error(err)
			return
		}
		for _, line := range runs {
			if line.State != rollout.Waiting {
				continue
			}
			r, err := s.RunByID(ctx, line.ID)
			if err != nil {
				t.Error(err)
				return
			}
			lease, taken, err := s.AcquireHost(ctx, "test", r.Host.ID)
			if err != nil || !taken {
				t.Error(taken, err)
				return
			}
			if err := s.BeginRun(ctx, lease, r.ID, r.Generation); err != nil {
				t.Error(err)
				return
			}
			save := r.Save()
			save.From, save.To, save.Ended, save.Judged, save.Findings = rollout.Running, rollout.Done, rollout.Done, true, found[r.Host.Name]
			if err := s.SaveRun(ctx, lease, save); err != nil {
				t.Error(err)
				return
			}
			if err := s.ReleaseLease(ctx, lease); err != nil {
				t.Error(err)
				return
			}
			done++
		}
		select {
		case <-deadline.C:
			t.Error("nobody asked for checks")
			return
		case <-every.C:
		}
	}
}

// TestPreflightAsksWaitsAndSaysByItsStatusWhatBlocks.
func TestPreflightAsksWaitsAndSaysByItsStatusWhatBlocks(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	submittedRollout(t, d, checkedFleet)
	for want, args := range map[string][]string{
		`unknown package "sp9"`:                            {"preflight", "CAS1", "--package", "sp9"},
		"say which servers":                                {"preflight", "--package", "sp1"},
		`no server "CAS9"`:                                 {"preflight", "CAS9", "--package", "sp1"},
		"there is no value":                                {"policy", "set", "backup-age", "3", "--reason", "x"},
		"is not between":                                   {"policy", "set", "backup-age-hours", "0", "--reason", "x"},
		"-4 is not between 1 and 744":                      {"policy", "set", "backup-age-hours", "-4", "--reason", "x"},
		`"two" is no whole number between 1 and 744 hours`: {"policy", "set", "backup-age-hours", "two", "--reason", "x"},
		`"99999999999999999999" is no whole number between 1 and 744`:    {"policy", "set", "backup-age-hours", "99999999999999999999", "--reason", "x"},
		"10000 is not between 0 and 9999 (a version as one number: 1001": {"policy", "set", "forefront-sp1", "10000", "--reason", "x"},
		"there is no fact":             {"organization", "set", "schemas", "1", "--reason", "x"},
		"is written as a whole number": {"organization", "set", "schema", "true", "--reason", "x"},
		"found anything by the rule":   {"waiver", "ask", "CAS1", "backup", "--package", "sp1", "--reason", "x"},
		"missing flags: --reason=TEXT": {"waiver", "withdraw", "1"},
	} {
		if strings.Contains(want, "missing flags") {
			if status, _, problems := run(t, "", args...); status != 2 || !strings.Contains(problems, want) {
				t.Errorf("%v: status %d, %s; want %q", args, status, problems, want)
			}
			continue
		}
		if status, _, problems := run(t, "", append(args, "--database-url", d.URL)...); status == 0 || !strings.Contains(problems, want) {
			t.Errorf("%v: status %d, %s; want %q", args, status, problems, want)
		}
	}
	blocks := preflight.Finding{Rule: "backup", Severity: preflight.Blocker, Text: "no full backup", Remedy: "Back it up.", Waivable: true}
	fine := preflight.Finding{Rule: "clock", Severity: preflight.Pass, Text: "the clock is right"}
	said := make(chan struct{})
	go func() {
		defer close(said)
		checks(t, d.Store, map[string][]preflight.Finding{"CAS1": {fine}, "MBX1": {blocks, fine}})
	}()
	status, out, problems := run(t, "", "preflight", "*", "--package", "sp1", "--json", "--database-url", d.URL)
	<-said
	if status != blockedExit || problems != "" {
		t.Errorf("status %d, %s, want %d", status, problems, blockedExit)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %s", len(lines), out)
	}
	for _, text := range lines {
		var line checkLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{"CAS1": 0, "MBX1": 1}[line.Host]; len(line.Findings) != want || line.State != "done" || line.Judged == "" {
			t.Errorf("%s: %d findings, want %d: %s", line.Host, len(line.Findings), want, text)
		}
	}
	ask := []string{"waiver", "ask", "MBX1", "backup", "--package", "sp1", "--reason", "it runs tonight", "--database-url", d.URL}
	if status, _, problems := run(t, "", ask...); status == 0 || !strings.Contains(problems, "--as") {
		t.Errorf("a waiver that nobody asks for: status %d, %s", status, problems)
	}
	if status, _, problems := run(t, "", append(ask, "--as", "nobody")...); status == 0 || !strings.Contains(problems, "There is nobody named nobody") {
		t.Errorf("a waiver asked for by nobody: status %d, %s", status, problems)
	}
	must(t, "", append(ask, "--as", "lead")...)
	waivers, err := d.Store.Waivers(t.Context(), 0, false)
	if err != nil || len(waivers) != 1 || waivers[0].AskedBy != "lead" || waivers[0].AskedByID == 0 {
		t.Errorf("waivers %+v, %v", waivers, err)
	}
	if list := must(t, "", "waiver", "list", "--database-url", d.URL); !strings.Contains(list, "MBX1") || !strings.Contains(list, "asked") {
		t.Errorf("waiver list says %q", list)
	}
}

// TestPreflightJudgesStoredFactsWithTheirAge: no host is asked.
func TestPreflightJudgesStoredFactsWithTheirAge(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	submittedRollout(t, d, checkedFleet)
	one, err := d.Store.ServerByName(t.Context(), "CAS1")
	if err != nil {
		t.Fatal(err)
	}
	facts := []store.Fact{{Name: "services", Value: json.RawMessage(`[{"name":"MSDTC","state":"Stopped","start_mode":"Manual","account":""}]`), Source: "Win32_Service", At: time.Now().Add(-time.Hour)}}
	if err := d.Store.SaveProbe(t.Context(), one.Hosts[0].Asked(), "done", "", facts); err != nil {
		t.Fatal(err)
	}
	status, out, problems := run(t, "", "preflight", "CAS1", "--package", "sp1", "--stored", "--database-url", d.URL)
	if status != blockedExit || problems != "" || !strings.Contains(out, "blocker msdtc:") || !strings.Contains(out, "the host was not asked; the oldest of them is of") {
		t.Errorf("status %d, %s, says %s", status, problems, out)
	}
	must(t, "", "policy", "set", "backup-age-hours", "48", "--reason", "every second day", "--database-url", d.URL)
	if shown := must(t, "", "policy", "show", "--database-url", d.URL); !strings.Contains(shown, "every second day") || !strings.Contains(shown, "48 hours") || !strings.Contains(shown, "version 10.1") || !strings.Contains(shown, "SP2") {
		t.Errorf("policy show says %q", shown)
	}
	must(t, "", "organization", "set", "schema", "10637", "--reason", "adsiedit", "--database-url", d.URL)
	if shown := must(t, "", "organization", "show", "--database-url", d.URL); !strings.Contains(shown, "10637") || !strings.Contains(shown, store.SourceByHand) {
		t.Errorf("organization show says %q", shown)
	}
}

// TestPreflightSaysAHostOnceWithItsServers: a node is shared by all clustered
// mailbox servers of its cluster.
func TestPreflightSaysAHostOnceWithItsServers(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	must(t, "", "import", inventory(t, "server,roles,cluster,nodes,build,os\nCMS1,MBX,SCC,A=127.0.135.203;B=127.0.135.204,8.0.685.25,2003\nCMS2,MBX,SCC,A=127.0.135.203;B=127.0.135.204,8.0.685.25,2003\n"), "--database-url", d.URL)
	_, out, problems := run(t, "", "preflight", "*", "--package", "sp1", "--stored", "--database-url", d.URL)
	for _, host := range []string{"A", "B"} {
		if n := strings.Count(out, "== "+host+" (CMS1, CMS2): "); n != 1 {
			t.Errorf("%s is said %d times: %s%s", host, n, out, problems)
		}
	}
}
