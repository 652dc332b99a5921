package runbook_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// roleSets are the servers that the runbook of a standalone server is for.
var roleSets = map[string][]exchange.Role{
	"CAS":        {exchange.ClientAccess},
	"HT":         {exchange.HubTransport},
	"MBX":        {exchange.Mailbox},
	"UM":         {exchange.UnifiedMessaging},
	"CAS+HT+MBX": {exchange.ClientAccess, exchange.HubTransport, exchange.Mailbox},
	"Edge":       {exchange.EdgeTransport},
	// all that one server can be, Edge is alone
	"CAS+HT+MBX+UM": {exchange.ClientAccess, exchange.HubTransport, exchange.Mailbox, exchange.UnifiedMessaging},
}

// standalone is a host of that role set and language, with everything beside
// Exchange that the procedure has to care for.
func standalone(t *testing.T, set, language string, more ...string) *fixture {
	t.Helper()

	f := newFixture(t, func(o *twin.Options) {
		o.ShellSpeed = 10 // of what a host waits for us
		s := &o.Servers[0]
		s.Roles, s.Language = roleSets[set], language
		traits := []string{"firewall-needed", "restart-wanted", `log-level=MSExchange ActiveSync\Requests2:High`, "service-foreign=MOM|Microsoft Corporation"}
		if s.Has(exchange.UnifiedMessaging) {
			s.UMLanguages = []string{"de-DE", "fr-FR"}
			traits = append(traits, "um-calls=3", "um-config=250")
		}
		if s.Has(exchange.ClientAccess) {
			traits = append(traits, "pop3-login=PlainTextLogin")
		}
		if s.Has(exchange.Mailbox) {
			traits = append(traits, "streaming-backup=1")
		}
		if s.Has(exchange.HubTransport) || s.Has(exchange.EdgeTransport) {
			traits = append(traits, "queued-mail=400")
		}
		for _, trait := range append(traits, more...) {
			s.Tags = append(s.Tags, twin.TagTrait+trait)
		}
	})
	f.server.Roles, f.server.Language = roleSets[set], language
	if f.server.Has(exchange.UnifiedMessaging) {
		f.server.UMLanguages = []string{"de-DE", "fr-FR"}
	}
	f.change = func(w *runbook.Work) {
		w.Package.Language = language
		w.Media = runbook.Media{Folder: `C:\Wavekeeper\media\sp1-` + language + `-x64`, SetupSHA256: twin.SetupSHA256("sp1", language, "x64")}
	}
	return f
}

// did is what the journal says that was done, as short words in order.
func (f *fixture) did(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, e := range f.journal.entries(t) {
		word := ""
		switch e.What {
		case "setup-started":
			_, arguments, _ := strings.Cut(strings.ToLower(fmt.Sprint(e.Detail["command"])), "setup.com")
			word = "setup" + strings.Trim(strings.ReplaceAll(arguments, `"`, ""), " ")
			word, _, _ = strings.Cut(word, " ")
		case "service-stopped", "service-started", "service-paused", "service-continued":
			word = strings.TrimPrefix(e.What, "service-") + " " + fmt.Sprint(e.Detail["service"])
		case "exchange-changed":
			word = fmt.Sprint(e.Detail["setting"], " ", e.Detail["to"])
		case "um-pack-removed", "um-pack-added":
			word = e.What + " " + fmt.Sprint(e.Detail["culture"])
		case "restart":
			word = "restart"
		}
		if word != "" {
			out = append(out, word)
		}
	}
	return out
}

// order is what Microsoft's procedure requires, written down from its sources and
// not from the code: each line comes after the one before it. "A|B" is either.
// A line counts only for hosts that have what it speaks of.
func order(f *fixture) []string {
	um, cas := f.server.Has(exchange.UnifiedMessaging), f.server.Has(exchange.ClientAccess)
	mail := f.server.Has(exchange.HubTransport) || f.server.Has(exchange.EdgeTransport)
	firewall := "SharedAccess"
	var lines []string
	add := func(when bool, words ...string) {
		if when {
			lines = append(lines, words...)
		}
	}
	add(um, "um NoNewCalls")                                                // technet bb738116: disabled gracefully before maintenance
	add(mail, "paused MSExchangeTransport")                                 // remembered: a paused transport takes nothing new
	add(um, "um-pack-removed de-DE", "um-pack-removed fr-FR")               // founding document; AdditionalUMLangPackExists: before the upgrade
	add(true, "stopped MOM")                                                // founding document: monitoring stopped
	add(true, "stopped BackupExecAgentAccelerator")                         // founding document: third-party services stopped
	add(true, "started "+firewall)                                          // founding document: firewall started so that Setup can write exceptions
	add(true, "setup/mode:upgrade")                                         // founding document: Setup /m:upgrade
	add(true, "restart")                                                    // Setup wanted it
	add(um, "um-pack-added de-DE", "um-pack-added fr-FR")                   // founding document: added again; of the new level (Microsoft's table)
	add(cas, "pop PlainTextLogin", "imap PlainTextLogin")                   // page on archiving POP3 and IMAP4: values back
	add(true, "started ScanMail_Master|started BackupExecAgentAccelerator") // founding document: started by hand again
	add(um, "um Enabled")                                                   // takes calls again
	return lines
}

// follows finds the lines one after the other.
func follows(done, want []string) (missing string) {
	i := 0
	for _, line := range want {
		for i < len(done) && !slices.Contains(strings.Split(line, "|"), done[i]) {
			i++
		}
		if i == len(done) {
			return line
		}
		i++
	}
	return ""
}

func TestStandaloneServersOfEveryRoleSetGoTheWholeWay(t *testing.T) {
	t.Parallel()
	for set := range roleSets {
		for _, language := range []string{"en-US", "de-DE"} {
			t.Run(set+" "+language, func(t *testing.T) {
				t.Parallel()
				f := standalone(t, set, language)
				before := f.allServices(t)
				if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
					t.Fatalf("ended in %s %s: %s\n%s", step, out.Kind, out.Message, out.Remedy)
				}
				done := f.did(t)
				if missing := follows(done, order(f)); missing != "" {
					t.Errorf("not done, or not in its order: %s\n%s", missing, strings.Join(done, "\n"))
				}
				if i := slices.Index(done, "setup/mode:upgrade"); i < 0 || !slices.Contains(done[i:], "stopped SharedAccess") {
					t.Error("the firewall's service was not stopped again, as the founding document has it")
				}
				upgrades := 0
				for _, d := range done {
					if d == "setup/mode:upgrade" {
						upgrades++
					}
				}
				if upgrades != 1 {
					t.Errorf("the upgrade ran %d times", upgrades)
				}
				if after := f.allServices(t); !maps.Equal(after, before) {
					for name := range before {
						if after[name] != before[name] {
							t.Errorf("service %s is %s, was %s", name, after[name], before[name])
						}
					}
				}
				if len(f.book.deviations) > 0 {
					t.Errorf("deviations: %v", f.book.deviations)
				}
				f.asSet(t)
				f.clean(t)
			})
		}
	}
}

// asSet compares the settings that Setup resets with what they were.
func (f *fixture) asSet(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	if f.server.Has(exchange.Mailbox) {
		if value, set, err := f.host.Streaming(ctx); err != nil || !set || value != 1 {
			t.Errorf("remote streaming backup is %d, set %v, %v", value, set, err)
		}
	}
	if f.server.Has(exchange.UnifiedMessaging) {
		packs, err := f.host.UMPackVersions(ctx)
		if err != nil || !strings.HasPrefix(packs["de-DE"], "8.1.") || !strings.HasPrefix(packs["fr-FR"], "8.1.") {
			t.Errorf("language packs %v, %v, want those of the new level", packs, err)
		}
		diff := ""
		for _, e := range f.evidence {
			if e.Kind == runbook.ConfigDiffEvidence {
				diff += e.Name + " " + string(e.Data)
			}
		}
		if !strings.Contains(diff, "MaxCalls") || !strings.Contains(diff, `"old":"250"`) {
			t.Errorf("differences of the configuration: %q", diff)
		}
	}
	if !slices.Contains(f.did(t), `level MSExchange ActiveSync\Requests2 High`) {
		t.Error("the event-log level was not set back")
	}
}
