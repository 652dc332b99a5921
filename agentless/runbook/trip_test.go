package runbook_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
)

// preparedFor is an organization that is prepared for every service pack, as its
// facts are kept.
func preparedFor(w *runbook.Work) {
	w.Organization = map[string]preflight.Fact{}
	for name, value := range map[string]string{
		"schema": `14625`, "organization": `11222`, "domains": `[{"name":"lab.test","version":11221,"prepared_2003":false}]`,
		"exchange_2003": `[]`, "exchange_2000": `[]`, "single_label": `false`, "replication": `{"checked_at":"2010-01-01T00:00:00Z","behind":[]}`,
	} {
		w.Organization[name] = preflight.Fact{Value: json.RawMessage(value), Source: "test", At: w.Now}
	}
	w.Fleet = preflight.Fleet{Known: true, PublicFolders: []string{"PF1"}}
}

// checked runs the check of a host that differs from a healthy one by traits:
// "2003 CAS,HT,MBX,UM sp1: wmf3, disk-free=C:900".
func checked(t *testing.T, words string, change func(*runbook.Work)) []runbook.Finding {
	t.Helper()
	head, traits, _ := strings.Cut(words, ":")
	parts := strings.Fields(head)
	var roles []exchange.Role
	for _, short := range strings.Split(parts[1], ",") {
		role, err := exchange.ParseRole(short)
		if err != nil {
			t.Fatal(err)
		}
		roles = append(roles, role)
	}
	var tags []string
	for _, trait := range strings.Split(traits, ", ") {
		if trait = strings.TrimSpace(trait); trait != "" {
			tags = append(tags, twin.TagTrait+trait)
		}
	}
	build := exchange.Build{Major: 8, Minor: 0, Build: 685, Revision: 25}
	if parts[0] != "2003" { // RTM was never on it
		build = exchange.Build{Major: 8, Minor: 1, Build: 240, Revision: 6}
	}
	f := newFixture(t, func(o *twin.Options) {
		o.Servers[0].OS, o.Servers[0].Roles, o.Servers[0].Tags, o.Servers[0].Build = parts[0], roles, tags, build
		o.WinRM = map[string]string{"2003": "1.1"}[parts[0]]
	})
	f.server.OS, f.server.Roles = parts[0], roles
	target, err := exchange.PackageByName(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	f.change = func(w *runbook.Work) {
		w.Package = runbook.Package{Name: target.Words, Target: target.Target, Language: "en-US", Arch: "x64"}
		preparedFor(w)
		if change != nil {
			change(w)
		}
	}
	for _, s := range runbook.Checking().Steps {
		out := f.step(t, s)
		if s.Name == "preflight" {
			return out.Findings
		}
		if out.Kind != runbook.Done {
			t.Fatalf("%s: step %s ended %+v", words, s.Name, out)
		}
	}
	t.Fatal("a check has no preflight")
	return nil
}

func TestAHealthyHostPassesEveryRuleThatItsFactsCanAnswer(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"2003 CAS,HT,MBX,UM sp1", "2008 CAS,HT,MBX,UM sp2", "2008R2 CAS,HT,MBX sp3", "2003 ET sp1"} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			for _, f := range checked(t, words, nil) {
				if f.Severity != runbook.Pass && (f.Severity != runbook.Info || f.Unknown) {
					t.Errorf("%s: %s: %s (%s)", f.Rule, f.Severity, f.Text, f.Evidence)
				}
			}
		})
	}
}

// TestEveryRuleIsTrippedByAHost: what a trait makes of a simulated host trips the
// rule, through facts, tasks and judging. The healthy hosts above are the ones
// that do not.
func TestEveryRuleIsTrippedByAHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule     string
		words    string
		change   func(*runbook.Work)
		severity runbook.Severity // default blocker
	}{
		{"windows", "2003 HT sp1: os-no-service-pack-2", nil, ""},
		{"windows", "2008R2 HT sp2", nil, ""},
		{"windows-updates", "2003 HT sp1: updates-old=900", nil, runbook.Warning},
		{"memory", "2003 HT sp1: memory=1024", nil, runbook.Warning},
		{"disk", "2003 HT sp1: disk-free=C:900", nil, ""},
		{"dotnet20-sp1", "2003 HT sp1: dotnet20-rtm", nil, ""},
		{"dotnet20-sp1", "2003 HT sp1: dotnet20-absent", nil, ""},
		{"time-zone-update", "2003 HT sp1: time-zones-old", nil, ""},
		{"windows-installer", "2003 HT sp2: installer-old", nil, ""},
		{"windows-installer", "2008 HT sp3: installer-old", nil, ""},
		{"powershell", "2003 HT sp1: powershell-absent", nil, ""},
		{"no-wmf3", "2003 HT sp1: wmf3", nil, ""},
		{"mmc3", "2003 HT sp1: mmc-old", nil, ""},
		{"services", "2003 HT sp1: service-absent=ScanMail_Master", nil, ""},
		{"msdtc", "2003 CAS sp1: service-stopped=MSDTC", nil, ""},
		{"com-event-system", "2003 CAS sp1: service-stopped=EventSystem", nil, ""},
		{"w3svc", "2003 MBX sp1: service-disabled=W3SVC", nil, ""},
		{"iis", "2003 CAS sp1: iis-absent", nil, ""},
		{"iis", "2008 MBX sp2: iis-component-absent=Metabase", nil, ""},
		{"iis-64bit", "2003 CAS sp1: iis-32bit", nil, ""},
		{"foreign-services", "2003 HT sp1: service-foreign=Hook|Other Maker|MSExchangeTransport", nil, runbook.Warning},
		{"interrupted-setup", "2003 HT sp1: interrupted-setup", nil, ""},
		{"pending-restart", "2003 HT sp1: pending-rename", nil, ""},
		{"pending-restart", "2003 HT sp1: pending-update", nil, ""},
		{"sessions", `2003 HT sp1: logged-on=LAB\admin1`, nil, runbook.Warning},
		{"cached-patches", "2003 HT sp1: patch-not-cached=Update Rollup 4 for Exchange Server 2007 (KB940006)", nil, ""},
		{"interim-updates", "2003 HT sp1: interim-update", nil, ""},
		{"fqdn", "2003 HT sp1: dns-suffix=", nil, ""},
		{"fqdn-is-no-smtp-domain", "2003 HT sp1: smtp-domain=mbx1.lab.test", nil, ""},
		{"fqdn-is-no-smtp-domain", "2003 HT sp1: address-policy=mbx1.lab.test", nil, ""},
		{"single-label-domain", "2003 HT sp1: single-label-domain=lab", nil, ""},
		{"static-controller", "2003 HT sp1: static-dc=dc9.lab.test", nil, runbook.Info},
		{"language", "2003 HT sp1", func(w *runbook.Work) { w.Package.Language = "de-DE" }, ""},
		{"architecture", "2003 HT sp1", func(w *runbook.Work) { w.Package.Arch = "x86" }, ""},
		{"organization-prepared", "2003 HT sp1", func(w *runbook.Work) { w.Prepared = false }, ""},
		{"organization-versions", "2003 HT sp1", func(w *runbook.Work) {
			w.Organization["schema"] = preflight.Fact{Value: json.RawMessage(`10637`)}
		}, ""},
		{"organization-replicated", "2003 HT sp1", func(w *runbook.Work) {
			w.Organization["replication"] = preflight.Fact{Value: json.RawMessage(`{"checked_at":"2010-01-01T00:00:00Z","behind":["DC2"]}`)}
		}, ""},
		{"exchange-2003-sp2", "2003 HT sp1", func(w *runbook.Work) {
			w.Organization["exchange_2003"] = preflight.Fact{Value: json.RawMessage(`[{"name":"OLD1","version":"6.5.7226.0","sp2":false}]`)}
		}, ""},
		{"build", "2008 HT sp1: ", func(w *runbook.Work) { w.Package.Target = exchange.Build{Major: 8, Minor: 1, Build: 240, Revision: 5} }, runbook.Pass},
		{"roles", "2003 HT sp1", func(w *runbook.Work) { w.Server.Roles = []exchange.Role{exchange.Mailbox} }, ""},
		{"rollup-level", "2003 HT sp1-ru5", nil, ""},
		{"backup-recent", "2003 MBX sp1: backup-age=72", nil, ""},
		{"no-backup-running", "2003 MBX sp1: backup-running", nil, ""},
		{"databases-mounted", "2003 MBX sp1: dismounted", nil, runbook.Warning},
		{"streaming-backup-key", "2003 MBX sp1: streaming-wrong-key", nil, runbook.Warning},
		{"public-folders-elsewhere", "2003 MBX sp1", func(w *runbook.Work) { w.Fleet.PublicFolders = []string{w.Server.Name} }, runbook.Warning},
		{"offline-address-books", "2003 MBX sp1", nil, runbook.Info},
		{"offline-address-book-server", "2003 CAS sp1: oab-orphaned", nil, ""},
		{"receive-connector-fqdn", "2003 HT sp1: connector-fqdn=mail.contoso.com", nil, ""},
		{"receive-connector-name", "2003 HT sp1: connector-name=lab.test", nil, ""},
		{"transport-agents", "2003 HT sp1: agent=Scan Agent", nil, runbook.Info},
		{"transport-queue", "2003 HT sp1: queued-mail=501", nil, runbook.Warning},
		{"certificates", "2003 HT sp1: certificate-ends=-3", nil, ""},
		{"certificates", "2003 HT sp1: certificate-no-key", nil, ""},
		{"pop3-imap4", "2008 CAS sp2: pop3-login=PlainTextLogin", nil, runbook.Info},
		{"um-language-packs", "2003 UM sp1: um-pack=de-DE", nil, runbook.Warning},
		{"um-default-language", "2003 UM sp1: um-default-language=de-DE", nil, runbook.Warning},
		{"um-calls", "2003 UM sp1: um-calls=2", nil, runbook.Warning},
		{"forefront", "2003 HT sp1: forefront=10.0.0566.0", nil, ""},
		{"firewall", "2003 HT sp1: firewall-filters", nil, ""},
		{"firewall", "2003 HT sp1: firewall-unsaid", nil, ""},
		{"revocation", "2003 HT sp1: crl-unreachable", nil, runbook.Warning},
		{"media", "2003 HT sp1", func(w *runbook.Work) { w.Media.SetupSHA256 = strings.Repeat("0", 64) }, ""},
	} {
		t.Run(c.rule+" "+c.words, func(t *testing.T) {
			t.Parallel()
			want := c.severity
			if want == "" {
				want = runbook.Blocker
			}
			all := checked(t, c.words, c.change)
			i := slices.IndexFunc(all, func(f runbook.Finding) bool { return f.Rule == c.rule })
			if i < 0 || all[i].Severity != want || all[i].Unknown {
				t.Errorf("finding %+v, want %s; all: %d", append(all, runbook.Finding{})[max(i, 0)], want, len(all))
			}
		})
	}
}
