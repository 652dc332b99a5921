package rollout_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

func TestWavesOfSmallFleets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ fleet, scope, rules, want string }{
		{"", "", "", ""},
		{"mbx1=MBX cas1=CAS", "", "", "CAS1 | MBX1"},
		{"um1=UM mbx1=MBX hub1=HT cas1=CAS cas2=CAS", "", "", "CAS1 CAS2 | HUB1 | MBX1 | UM1"},
		{"um1=UM cas1=CAS edge=ET", "", "", "CAS1 EDGE | UM1"},
		{"hub1=HT edge=ET cas1=CAS:sp1", "", "", "HUB1 | EDGE"},
		{"m1=CAS+MBX m2=CAS+HT+MBX+UM h=HT", "", "", "M1 M2 | H"},
		{"m1=CAS+MBX m2=CAS+HT+MBX+UM:sp1 h=HT", "", "", "M1 | H"},
		{"a=CAS+HT b=HT+UM c=MBX", "", "", "A | B | C"},
		{"um1=UM mbx1=MBX hub1=HT cas1=CAS", "", "microsoft-2007", "CAS1 | UM1 | HUB1 | MBX1"},
		{"c1=CAS@A! c2=CAS@B m1=MBX@A m2=MBX@B", "site", "", "C1 | C2 M1 | M2"},
		{"c1=CAS@A! c2=CAS@B m1=MBX@A m2=MBX@B", "", "", "C1 C2 | M1 M2"},
		{"c1=CAS:x86 m1=MBX m2=MBX:ccr", "", "", "M1 M2"},
		{"c1=CAS:sp1 m1=MBX:sp1", "", "", ""},
	} {
		plan, report, err := rollout.Make(fleet(t, c.fleet), packageNamed(t, "sp1"), rollout.Options{Scope: c.scope, RuleSet: c.rules})
		if err != nil {
			t.Fatal(err)
		}
		var waves []string
		for _, w := range plan.Waves {
			waves = append(waves, strings.Join(w, " "))
		}
		if got := strings.Join(waves, " | "); got != c.want {
			t.Errorf("waves of %q by %q in %q = %s, want %s", c.fleet, c.rules, c.scope, got, c.want)
		}
		text, err := json.Marshal(report)
		if err != nil || strings.Contains(string(text), "null") {
			t.Errorf("report of %q holds null: %s, %v", c.fleet, text, err)
		}
	}
}

func TestRecommendedTensionIsSaidInWords(t *testing.T) {
	t.Parallel()
	_, report, err := rollout.Make(fleet(t, "m=MBX hu=HT+UM"), packageNamed(t, "sp1"), rollout.Options{})
	if err != nil || len(report.Tensions) != 1 {
		t.Fatalf("tensions %+v, %v", report.Tensions, err)
	}
	got := report.Tensions[0]
	if got.Rule != "mailbox-before-unified-messaging" || got.Strength != rollout.Recommended || !slices.Equal(got.Servers, []string{"HU", "M"}) {
		t.Errorf("tension %+v", got)
	}
}

func TestFindingsName(t *testing.T) {
	t.Parallel()
	servers := fleet(t, "c=CAS@A:x86 m=MBX@A n=MBX@A:unknown k=MBX@A:ccr u=UM h=HT@A:sp1")
	policy := rollout.DefaultPolicy()
	policy.Floor = rollout.Floor{Count: 3}
	_, report, err := rollout.Make(servers, packageNamed(t, "sp1"), rollout.Options{Policy: &policy})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range report.Findings {
		got[f.Rule] = string(f.Severity) + " " + strings.Join(f.Servers, " ")
	}
	for rule, want := range map[string]string{
		"x86-is-not-supported": "blocker C", "site-is-not-known": "warning U", "build-is-not-known": "warning N",
		"only-server-of-its-role-in-its-site": "warning U", "already-at-the-target": "info H", "floor-leaves-nothing-to-start": "blocker K M N",
		"waits-for-server-in-no-wave": "warning K M N",
	} {
		if got[rule] != want {
			t.Errorf("finding %s = %q, want %q", rule, got[rule], want)
		}
	}
}

func TestPlanKeepsItsHash(t *testing.T) {
	t.Parallel()
	servers := fleet(t, "cas1=CAS@Berlin! mbx1=MBX@BERLIN c=MBX@X:ccr")
	plan, report, err := rollout.Make(servers, packageNamed(t, "sp1"), rollout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(servers)
	_, again, err := rollout.Make(servers, packageNamed(t, "sp1"), rollout.Options{})
	if err != nil || again.Hash != report.Hash {
		t.Errorf("the order of rows changes the hash: %s, %s, %v", again.Hash, report.Hash, err)
	}
	content, err := plan.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := rollout.ReadPlan(content)
	if err != nil {
		t.Fatal(err)
	}
	if hash, err := stored.Hash(); err != nil || hash != report.Hash {
		t.Errorf("hash of the stored plan %s, %v, want %s", hash, err, report.Hash)
	}
	const golden = `{"format":"wavekeeper-plan/1","package":"sp1","policy":{"at_once":10,"at_once_per_site":0,"floor":{"count":1},"freezes":[],"overlap":false,"pilot_minutes":0,"stop_after_failures":1,"windows":[]},"ruleset":"standard@1","scope":"organization","servers":[{"address":"","arch":"x64","build":"8.0.685.25","cluster":"CCR","fqdn":"","internet_facing":false,"language":"en-US","mailboxes":0,"nodes":["CA=a","CB=b"],"os":"","port":0,"profile":"default","roles":["Mailbox"],"server":"C","services":[],"site":"X","um_languages":[]},`
	if !strings.HasPrefix(string(content), golden) {
		t.Errorf("content %s\nwant it to begin with %s", content, golden)
	}
}

func TestEveryPlanIsRight(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		servers := randomFleet(t)
		policy := randomPolicy(t)
		opt := rollout.Options{
			Scope:   rapid.SampledFrom([]string{"organization", "site"}).Draw(t, "scope"),
			RuleSet: rapid.SampledFrom([]string{"standard", "microsoft-2007"}).Draw(t, "rules"),
			Policy:  &policy, Full: true,
		}
		pkg := packageNamed(t, rapid.SampledFrom([]string{"sp1", "sp3"}).Draw(t, "package"))
		plan, report, err := rollout.Make(servers, pkg, opt)
		if err != nil {
			t.Fatal(err)
		}
		j := newJudge(servers, opt.RuleSet, opt.Scope, pkg.Target)
		units, _, _ := merged(servers)
		if fault := j.planFault(units, plan, report); fault != "" {
			t.Fatal(fault)
		}
	})
}

// planFault says what is wrong with a plan, "" when nothing is.
func (j judge) planFault(servers []exchange.Server, plan rollout.Plan, report rollout.Report) string {
	wave := map[string]int{}
	after := map[string]map[string]bool{}
	for i, w := range report.Waves {
		if w.Number != i+1 || len(w.Servers) == 0 || len(w.Servers) != len(plan.Waves[i]) {
			return fmt.Sprintf("wave %d: %+v", i+1, w)
		}
		for _, s := range w.Servers {
			if wave[s.Server] != 0 {
				return s.Server + " is in two waves"
			}
			wave[s.Server] = w.Number
			after[s.Server] = map[string]bool{}
			for _, a := range s.After {
				if a.Count != len(a.Servers) || a.Count == 0 {
					return fmt.Sprintf("%s: after %+v", s.Server, a)
				}
				for _, name := range a.Servers {
					after[s.Server][name] = true
				}
			}
		}
	}
	tense := map[[2]string]bool{}
	for _, t := range report.Tensions {
		for _, a := range t.Servers {
			for _, b := range t.Servers {
				tense[[2]string{a, b}] = true
			}
		}
	}
	direct := map[string]map[string]bool{}
	for _, b := range servers {
		direct[b.Name] = map[string]bool{}
		for _, a := range servers {
			if j.todo(a) && j.todo(b) && a.Name != b.Name && j.precedes(a, b) {
				direct[b.Name][a.Name] = true
			}
		}
	}
	closure, wanted := transitive(after), transitive(direct)
	for _, b := range servers {
		if (wave[b.Name] != 0) != j.todo(b) {
			return fmt.Sprintf("%s is in wave %d", b.Name, wave[b.Name])
		}
		if !j.todo(b) {
			continue
		}
		want, group := 1, wave[b.Name]
		for _, a := range servers {
			if !j.todo(a) || a.Name == b.Name {
				continue
			}
			before := j.precedes(a, b)
			if after[b.Name][a.Name] && !before {
				return fmt.Sprintf("%s is said to wait for %s and does not", b.Name, a.Name)
			}
			if wanted[b.Name][a.Name] != closure[b.Name][a.Name] {
				return fmt.Sprintf("%s before %s is %v, the plan says %v", a.Name, b.Name, !closure[b.Name][a.Name], closure[b.Name][a.Name])
			}
			ra, rb := j.rank(a), j.rank(b)
			if j.should(a, b) && slices.Compare(ra[:], rb[:]) >= 0 && !tense[[2]string{a.Name, b.Name}] {
				return fmt.Sprintf("the tension of %s and %s is not said", a.Name, b.Name)
			}
			if j.breaks(a, b) {
				if wave[a.Name] != group {
					return fmt.Sprintf("%s and %s break access and are in waves %d and %d", a.Name, b.Name, wave[a.Name], group)
				}
				continue
			}
			if before && wave[a.Name] >= wave[b.Name] {
				sameGroup := slices.ContainsFunc(servers, func(s exchange.Server) bool { return j.todo(s) && j.breaks(a, s) && j.breaks(s, b) })
				if !sameGroup {
					return fmt.Sprintf("%s comes before %s but is in wave %d, not before %d", a.Name, b.Name, wave[a.Name], wave[b.Name])
				}
			}
			if before {
				want = max(want, wave[a.Name]+1)
			}
		}
		inGroup := slices.ContainsFunc(servers, func(a exchange.Server) bool { return a.Name != b.Name && j.todo(a) && j.breaks(a, b) })
		if !inGroup && wave[b.Name] != want {
			return fmt.Sprintf("%s is in wave %d, want %d", b.Name, wave[b.Name], want)
		}
	}
	f := report.Forecast
	if f.PlannedMinutes < f.LowerBoundMinutes || f.P90Minutes < f.P50Minutes || (len(wave) > 0) != (f.PlannedMinutes > 0) || (len(wave) > 0) != (len(f.CriticalPath) > 0) {
		return fmt.Sprintf("forecast %+v", f)
	}
	for i := 1; i < len(f.CriticalPath); i++ {
		if !closure[f.CriticalPath[i]][f.CriticalPath[i-1]] {
			return fmt.Sprintf("critical path %v", f.CriticalPath)
		}
	}
	return ""
}

func transitive(after map[string]map[string]bool) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	var walk func(from, at string)
	walk = func(from, at string) {
		for p := range after[at] {
			if !out[from][p] {
				out[from][p] = true
				walk(from, p)
			}
		}
	}
	for name := range after {
		out[name] = map[string]bool{}
		walk(name, name)
	}
	return out
}

func bigFleet(n, sites int) []exchange.Server {
	roles := [][]exchange.Role{{exchange.ClientAccess}, {exchange.HubTransport}, {exchange.Mailbox}, {exchange.UnifiedMessaging}, {exchange.ClientAccess, exchange.HubTransport}, {exchange.ClientAccess, exchange.Mailbox}}
	out := make([]exchange.Server, n)
	for i := range out {
		out[i] = exchange.Server{
			Name: fmt.Sprintf("S%05d", i), Roles: roles[i%len(roles)], Site: fmt.Sprintf("SITE%d", i/7%sites), InternetFacing: i%50 == 0, Build: rtm,
			Arch: "x64", Language: "en-US", Profile: "default", Mailboxes: i % 3000,
		}
	}
	return out
}

func TestTenThousandServersArePlannedByGroup(t *testing.T) {
	pkg := packageNamed(t, "sp1")
	for _, c := range []struct {
		sites int
		scope string
	}{{1, "organization"}, {200, "organization"}, {1000, "site"}} {
		servers := bigFleet(10_000, c.sites)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		if _, _, err := rollout.Make(servers, pkg, rollout.Options{Scope: c.scope}); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		mb := (after.TotalAlloc - before.TotalAlloc) >> 20
		t.Logf("%d sites, scope %s: %d MB allocated", c.sites, c.scope, mb)
		if mb > 200 { // catches pairs; the time is the benchmark's
			t.Errorf("%d sites, scope %s: %d MB allocated", c.sites, c.scope, mb)
		}
	}
}

func BenchmarkMakeTenThousand(b *testing.B) {
	servers, pkg := bigFleet(10_000, 200), packageNamed(b, "sp1")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := rollout.Make(servers, pkg, rollout.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
