package runbook_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

const rollupFolder = `C:\Wavekeeper\media\sp1-ru8-x64`

// rollupFixture is a server at SP1 whose package is rollup 8 (KB968012).
func rollupFixture(t *testing.T, change func(*twin.Options)) *fixture {
	t.Helper()
	f := newFixture(t, func(o *twin.Options) {
		o.Servers[0].Build = sp1
		o.Rollups = map[string][]byte{rollupFolder: twin.RollupBytes("sp1-ru8", "x64")}
		if change != nil {
			change(o)
		}
	})
	f.change = func(w *runbook.Work) {
		w.Package = runbook.Package{Name: "SP1 RU8", Target: exchange.Build{Major: 8, Minor: 1, Build: 375, Revision: 2}, Language: "en-US", Arch: "x64"}
		w.Media = runbook.Media{Folder: rollupFolder, SetupSHA256: twin.RollupSHA256("sp1-ru8", "x64")}
	}
	return f
}

// everyService is every service's state and start type, as the host has them.
func (f *fixture) everyService(t *testing.T) string {
	t.Helper()
	all, err := f.host.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range all {
		if s.Name != "MSIServer" && s.Name != "msiserver" { // ends by itself
			out = append(out, fmt.Sprintf("%s %s %s", s.Name, s.State, s.StartMode))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// TestServerGetsARollupAsMicrosoftAsks walks the runbook to its end and compares
// with Microsoft's procedure, written here on its own. Sources: technet ff772434
// (stop what interferes; interim updates out; run elevated; services may stay
// disabled), KB2784788 (verbose log), KB944752 (revocation), KB935490 (services are
// stopped and started by the rollup; a restart may be wanted).
func TestServerGetsARollupAsMicrosoftAsks(t *testing.T) {
	t.Parallel()
	for _, kind := range []twin.Platform{{OS: "2003", Language: "en-US"}, {OS: "2008", Language: "de-DE"}} {
		t.Run(kind.OS+" "+kind.Language, func(t *testing.T) {
			t.Parallel()
			f := rollupFixture(t, func(o *twin.Options) { o.Language = kind.Language; o.Servers[0].OS = kind.OS })
			before := f.everyService(t)
			if step, out := f.walkTable(t, runbook.StandaloneRollup(), ""); step != "tidy" || out.Kind != runbook.Done {
				t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
			}
			if got := f.out[runbook.RollupVerify]; got.Build != "8.1.375.2" || !strings.Contains(got.Message, "KB968012") || !strings.Contains(got.Message, "package is kept") {
				t.Errorf("verified: %s %s", got.Build, got.Message)
			}
			// disable what interferes, then the patch as SYSTEM with a verbose log, nothing of Setup
			var did []string
			for _, e := range f.journal.entries(t) {
				command := strings.ToLower(fmt.Sprint(e.Detail["command"]))
				switch {
				case e.What == "rollup-started":
					did = append(did, "patch")
					for _, want := range []string{"/p ", "/qn", "/norestart", "/lxv*", `\rollup.msp`} {
						if !strings.Contains(command, want) {
							t.Errorf("%s lacks %s", command, want)
						}
					}
				case e.What == "setup-started":
					did = append(did, "setup")
				case e.What == "service-changed" && strings.Contains(fmt.Sprint(e.Detail), "ScanMail_Master"):
					did = append(did, "service")
				case e.What == "task-ran" && strings.Contains(fmt.Sprint(e.Detail["name"]), "-rollup-"):
					if account := fmt.Sprint(e.Detail["account"]); !strings.Contains(strings.ToUpper(account), "SYSTEM") {
						t.Errorf("the patch ran as %s", account)
					}
				}
			}
			if slices.Contains(did, "setup") || strings.Count(strings.Join(did, " "), "patch") != 1 {
				t.Errorf("the host did %v", did)
			}
			if got, want := f.revocation(t), "146432>146944 146944>146432"; got != want {
				t.Errorf("revocation switch %s, want %s", got, want)
			}
			if after := f.everyService(t); after != before {
				t.Errorf("services before:\n%s\nafter:\n%s", before, after)
			}
			if !slices.ContainsFunc(f.out[runbook.RollupName].Evidence, func(e runbook.Evidence) bool { return strings.HasSuffix(e.Name, "ServiceControl.log") }) {
				t.Error("ServiceControl.log was not collected")
			}
			if len(f.book.deviations) > 0 {
				t.Errorf("deviations: %v", f.book.deviations)
			}
			f.clean(t)
			t.Logf("%d ticks", f.ticks)
		})
	}
}

// TestFailedRollupSaysWhyInWordsAndIsTakenUpAgain has each way in which Windows
// Installer ends; afterwards everything is put back, and a second attempt installs
// it.
func TestFailedRollupSaysWhyInWordsAndIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]string{
		"rollup-fails": "1603", "cached-patch-lost": "cached packages of earlier rollups is gone", "installer-busy": "another installation was running",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			f := rollupFixture(t, func(o *twin.Options) { o.Faults = []twin.Fault{{Host: "MBX1", Name: fault}} })
			before := f.everyService(t)
			step, out := f.walkTable(t, runbook.StandaloneRollup(), "")
			if step != runbook.RollupName || out.Kind != runbook.Failed || !strings.Contains(out.Message, want) || out.Remedy == "" {
				t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
			}
			if after := f.everyService(t); after != before {
				t.Errorf("services before:\n%s\nafter:\n%s", before, after)
			}
			f.clean(t)
			for _, s := range runbook.StandaloneRollup().Steps {
				f.attempt[s.Name] = 1
			}
			if step, out := f.walkTable(t, runbook.StandaloneRollup(), "preflight"); step != "tidy" || out.Kind != runbook.Done {
				t.Fatalf("the second attempt ended in %s: %s: %s", step, out.Kind, out.Message)
			}
			f.clean(t)
		})
	}
}

// TestAFailedRollupShowsItsOwnLog: what Windows Installer wrote is read as it grows,
// in UTF-16; the known error's name and remedy are in the outcome, the end of the
// log and what was recognised are kept, and of an unknown error its lines.
func TestAFailedRollupShowsItsOwnLog(t *testing.T) {
	t.Parallel()
	const quoted = "exclusive access to the file"
	for _, c := range []struct {
		words, fault, trait string
		rule                string // of the known error that names the cause
		says, kept          string
	}{
		{"a cached package is gone", "cached-patch-lost", "", "missing-msp", "", `33502bc.msp`},
		{"Windows Management Framework 3.0", "", "wmf3", "wmf3", "", "Setup ended prematurely"},
		{"a cause that nobody knows", "rollup-fails", "", "", quoted, quoted},
	} {
		t.Run(c.words, func(t *testing.T) {
			t.Parallel()
			f := rollupFixture(t, func(o *twin.Options) {
				if c.fault != "" {
					o.Faults = []twin.Fault{{Host: "MBX1", Name: c.fault}}
				}
				if c.trait != "" {
					o.Traits = map[string][]string{"MBX1": {c.trait}}
				}
			})
			s, _ := runbook.StandaloneRollup().Step(runbook.RollupName)
			out := f.step(t, s)
			if out.Kind != runbook.Failed || !strings.Contains(out.Message, c.says) {
				t.Fatalf("%s: %s", out.Kind, out.Message)
			}
			if known, ok := exchange.KnownErrorByRule(c.rule); ok && (!strings.Contains(out.Message, known.Words) || !strings.Contains(out.Remedy, known.Remedy)) {
				t.Errorf("%q, %q: want %q and %q", out.Message, out.Remedy, known.Words, known.Remedy)
			}
			tail, recognised := "", ""
			for _, e := range out.Evidence {
				switch {
				case e.Kind == runbook.LogTailEvidence && strings.HasSuffix(e.Name, windows.RollupLog):
					tail = strings.ReplaceAll(string(e.Data), "\x00", "")
				case e.Kind == runbook.SetupErrorsEvidence:
					recognised = string(e.Data)
				}
			}
			if !strings.HasPrefix(tail, "\xff\xfe") || !strings.Contains(tail, c.kept) || !strings.Contains(tail, "MainEngineThread is returning") {
				t.Errorf("the end of the log that was kept: %q", tail)
			}
			if !strings.Contains(recognised, c.kept) || !strings.Contains(recognised, `"`+c.rule+`"`) {
				t.Errorf("recognised: %s", recognised)
			}
			if !slices.ContainsFunc(f.logged, func(line string) bool {
				return strings.Contains(line, "MainEngineThread is returning") && !strings.Contains(line, "\x00")
			}) {
				t.Errorf("the log was not followed: %q", f.logged)
			}
		})
	}
}

// TestServicesThatARollupLeftDisabledAreFoundAndPutBack.
func TestServicesThatARollupLeftDisabledAreFoundAndPutBack(t *testing.T) {
	t.Parallel()
	f := rollupFixture(t, func(o *twin.Options) { o.Faults = []twin.Fault{{Host: "MBX1", Name: "services-left-disabled"}} })
	before := f.everyService(t)
	if step, out := f.walkTable(t, runbook.StandaloneRollup(), ""); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
	}
	if got := f.out[runbook.RollupServices].Message; !strings.Contains(got, "MSExchangeIS") {
		t.Errorf("said: %s", got)
	}
	if after := f.everyService(t); after != before {
		t.Errorf("services before:\n%s\nafter:\n%s", before, after)
	}
}

// TestServicesThatMissTheirTimeAfterARollupAreExplained: the managed services that
// KB944752 names do not come to run where the revocation list cannot be reached. The
// cause is told by the number of an event, in any language, and the article's cure
// is what helps.
func TestServicesThatMissTheirTimeAfterARollupAreExplained(t *testing.T) {
	t.Parallel()
	f := rollupFixture(t, func(o *twin.Options) {
		o.Language, o.Servers[0].OS = "de-DE", "2008"
		o.Faults = []twin.Fault{{Host: "MBX1", Name: "service-times-out", Times: 1000}}
	})
	later := time.Duration(0)
	f.change2(func(w *runbook.Work) {
		if f.at == runbook.RollupVerify && f.attempt[f.at] == 0 { // its patience is a quarter of an hour
			later += 20 * time.Second
			w.Now = w.Now.Add(later)
		}
	})
	step, out := f.walkTable(t, runbook.StandaloneRollup(), "")
	known, _ := exchange.KnownErrorByRule("service-timeout")
	if step != runbook.RollupVerify || out.Kind != runbook.Failed || !strings.Contains(out.Message, "MSExchangeTransport") ||
		!strings.Contains(out.Message, "event 7009 says") || !strings.Contains(out.Message, known.Words) || !strings.Contains(out.Remedy, "generatePublisherEvidence") {
		t.Fatalf("ended in %s: %s: %s, %s", step, out.Kind, out.Message, out.Remedy)
	}
	if kept := eventsOf(t, out); !strings.Contains(kept, "Service Control Manager 7000 type 1") {
		t.Errorf("kept:\n%s", kept)
	}
	for _, name := range []string{"MSExchangeEdgeSync", "MSExchangeTransport", "MSExchangeTransportLogSearch"} {
		path := `C:\Program Files\Microsoft\Exchange Server\bin\` + name + `.exe.config`
		if err := f.host.WriteFile(t.Context(), path, []byte(`<configuration><runtime><generatePublisherEvidence enabled="false"/></runtime></configuration>`)); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range runbook.StandaloneRollup().Steps {
		f.attempt[s.Name] = 1
	}
	if step, out := f.walkTable(t, runbook.StandaloneRollup(), "preflight"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("the second attempt ended in %s: %s: %s", step, out.Kind, out.Message)
	}
	if n := f.journal.count(t, "rollup-started"); n != 1 {
		t.Errorf("the rollup ran %d times, want once", n)
	}
	f.clean(t)
}

// TestARollupThatIsThereIsNotInstalledAgain, nor an older one over it.
func TestARollupThatIsThereIsNotInstalledAgain(t *testing.T) {
	t.Parallel()
	f := rollupFixture(t, func(o *twin.Options) {
		o.Traits = map[string][]string{"MBX1": {"exsetup-version=8.1.393.1", "patch=Update Rollup 9 for Exchange Server 2007 Service Pack 1 (KB970162)"}}
	})
	for _, s := range runbook.StandaloneRollup().Steps {
		if s.Name == runbook.RollupName {
			if out := f.step(t, s); out.Kind != runbook.Done || f.journal.count(t, "rollup-started") > 0 {
				t.Errorf("%s: %s", out.Kind, out.Message)
			}
		}
	}
}

// TestInstallersCodesAreSaidInWords: those that domain.md lists.
func TestInstallersCodesAreSaidInWords(t *testing.T) {
	t.Parallel()
	for _, code := range []int{0, 3010, 1641, 1602, 1603, 1612, 1618, 1635, 1636, 1642} {
		if windows.InstallerWords(code) == "" {
			t.Errorf("nothing is said of %d", code)
		}
	}
}

// TestTheAdministratorsOwnScriptIsFoundCalledAndLeftAlone: rollups call it from SP2
// on (Exchange team, "Customizable Script In Exchange 2007 SP2 Rollup Installation",
// June 2010); it is kept as evidence and never written, also where an attempt fails.
func TestTheAdministratorsOwnScriptIsFoundCalledAndLeftAlone(t *testing.T) {
	t.Parallel()
	const own = `C:\Program Files\Microsoft\Exchange Server\Scripts\Customization\CustomPatchInstallerActions.ps1`
	const folder = `C:\Wavekeeper\media\sp2-ru4-x64`
	for fault, want := range map[string]string{"": "PrePatchInstallActions PostPatchInstallActions", "rollup-fails": "PrePatchInstallActions PatchRollbackActions"} {
		t.Run("fault "+fault, func(t *testing.T) {
			t.Parallel()
			f := rollupFixture(t, func(o *twin.Options) {
				o.Servers[0].Build = exchange.Build{Major: 8, Minor: 2, Build: 176, Revision: 2}
				o.Rollups = map[string][]byte{folder: twin.RollupBytes("sp2-ru4", "x64")}
				o.Traits = map[string][]string{"MBX1": {"patch-actions"}}
				if fault != "" {
					o.Faults = []twin.Fault{{Host: "MBX1", Name: fault}}
				}
			})
			f.change2(func(w *runbook.Work) {
				ru4, err := exchange.PackageByName("sp2-ru4")
				if err != nil {
					t.Error(err)
				}
				w.Package.Name, w.Package.Target = ru4.Words, ru4.Target
				w.Media = runbook.Media{Folder: folder, SetupSHA256: twin.RollupSHA256("sp2-ru4", "x64")}
			})
			before := f.file(t, own)
			if len(before) == 0 {
				t.Fatal("the script is not there")
			}
			step, out := f.walkTable(t, runbook.StandaloneRollup(), "")
			if fault == "" && (step != "tidy" || out.Kind != runbook.Done) || fault != "" && (step != runbook.RollupName || out.Kind != runbook.Failed) {
				t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
			}
			if after := f.file(t, own); after != before {
				t.Errorf("the script is %q, was %q", after, before)
			}
			if !slices.ContainsFunc(f.evidence, func(e runbook.Evidence) bool {
				return e.Name == "CustomPatchInstallerActions.ps1" && string(e.Data) == before
			}) {
				t.Error("the script was not kept as evidence")
			}
			var called []string
			for _, e := range f.journal.entries(t) {
				if e.What == "patch-actions-called" {
					called = append(called, fmt.Sprint(e.Detail["section"]))
				}
				if strings.Contains(fmt.Sprint(e.Detail), "Customization") {
					t.Errorf("the host was told %s: %v", e.What, e.Detail)
				}
			}
			if got := strings.Join(called, " "); got != want {
				t.Errorf("called %s, want %s", got, want)
			}
			f.clean(t)
		})
	}
}

// file is a file of the host, "" where there is none.
func (f *fixture) file(t *testing.T, path string) string {
	t.Helper()
	chunk, err := f.host.ReadFile(t.Context(), path, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return string(chunk.Data)
}
