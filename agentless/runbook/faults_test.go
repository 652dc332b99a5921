//go:build !race

package runbook_test

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
)

// TestEveryDeclaredFaultEndsAsDoneOrAsADecision walks the runbook under each
// fault: it ends as said, with cause and remedy, Setup at most once, and nothing
// left but where a person has to decide.
func TestEveryDeclaredFaultEndsAsDoneOrAsADecision(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  twin.Fault
		step   string // where it ends
		kind   runbook.Kind
		says   string // in the message
		remedy string
	}{
		"reset during Setup":        {twin.Fault{Name: "connection-reset", Step: "setup", At: "answer:3", Times: 3}, "tidy", runbook.Done, "", ""},
		"401 in preflight":          {twin.Fault{Name: "unauthorized", Step: "preflight", Times: 2}, "tidy", runbook.Done, "", ""},
		"garbage in setup":          {twin.Fault{Name: "garbage-xml", Step: "setup", At: "answer:5", Times: 3}, "tidy", runbook.Done, "", ""},
		"64 MB in record":           {twin.Fault{Name: "oversized-xml", Step: "record"}, "tidy", runbook.Done, "", ""},
		"WinRM not ready":           {twin.Fault{Name: "identify-only", Step: "setup", At: "phase:4"}, "tidy", runbook.Done, "", ""},
		"service will not stop":     {twin.Fault{Name: "service-will-not-stop", At: "service:ScanMail_Master"}, "stop-services", runbook.Failed, "ScanMail_Master", "by hand"},
		"service comes back":        {twin.Fault{Name: "service-comes-back", At: "service:ScanMail_Master"}, "", "", "", ""},
		"Setup fails, phase 4":      {twin.Fault{Name: "setup-fails", At: "phase:4"}, "setup", runbook.Failed, "last error", "run again"},
		"Setup fails, phase 6":      {twin.Fault{Name: "setup-fails", At: "phase:6"}, "setup", runbook.Failed, "exit code", "run again"},
		"Setup fails, phase 8":      {twin.Fault{Name: "setup-fails", At: "phase:8"}, "setup", runbook.Failed, "Action", "run again"},
		"Setup fails, phase 9":      {twin.Fault{Name: "setup-fails", At: "phase:9"}, "setup", runbook.Failed, "exit code", "run again"},
		"power loss in Setup":       {twin.Fault{Name: "power-loss", Step: "setup"}, "setup", runbook.Interrupted, "started anew", "Run again"},
		"disk full before":          {twin.Fault{Name: "disk-full", Step: "facts"}, "preflight", runbook.Failed, "disk", "disk space"},
		"disk full in Setup":        {twin.Fault{Name: "disk-full", Step: "setup", Lasts: 1000 * time.Hour}, "setup", runbook.Failed, "disk C: has 0 MB free", "Free disk space"},
		"restart in Setup":          {twin.Fault{Name: "slow-restart", Step: "setup", At: "phase:5"}, "setup", runbook.Interrupted, "started anew", "Run again"},
		"address lost in Setup":     {twin.Fault{Name: "address-lost", Step: "setup", At: "phase:7"}, "tidy", runbook.Done, "", ""},
		"WMI stopped by Setup":      {twin.Fault{Name: "wmi-stopped", Step: "setup"}, "tidy", runbook.Done, "", ""},
		"WMI stopped by an abort":   {twin.Fault{Name: "wmi-stopped", Step: "setup", At: "phase:7"}, "setup", runbook.Failed, "WMI does not answer on the host", "run again"},
		"WMI stopped before all":    {twin.Fault{Name: "wmi-stopped", Step: "facts"}, "tidy", runbook.Done, "", ""},
		"WMI stopped before Setup":  {twin.Fault{Name: "wmi-stopped", Step: "stop-services"}, "tidy", runbook.Done, "", ""},
		"WMI damaged before all":    {twin.Fault{Name: "wmi-damaged", Step: "facts"}, "tidy", runbook.Done, "", ""},
		"WMI empty before all":      {twin.Fault{Name: "wmi-damaged", Step: "facts", At: "empty"}, "tidy", runbook.Done, "", ""},
		"WMI empty in Setup":        {twin.Fault{Name: "wmi-damaged", Step: "setup", At: "empty"}, "tidy", runbook.Done, "", ""},
		"WMI hangs before Setup":    {twin.Fault{Name: "wmi-hangs", Step: "stop-services", Lasts: 1000 * time.Hour}, "tidy", runbook.Done, "", ""},
		"WMI hangs in Setup":        {twin.Fault{Name: "wmi-hangs", Step: "setup", At: "phase:3", Lasts: 1000 * time.Hour}, "tidy", runbook.Done, "", ""},
		"clock off":                 {twin.Fault{Name: "clock-off", Step: "facts"}, "tidy", runbook.Done, "", ""},
		"clock past triggers":       {twin.Fault{Name: "clock-past-triggers"}, "tidy", runbook.Done, "", ""},
		"run-as locked":             {twin.Fault{Name: "runas-locked", Step: "preflight", Lasts: 1000 * time.Hour}, "preflight", runbook.Failed, "run-as account", "nlock"},
		"run-as locked for Setup":   {twin.Fault{Name: "runas-locked", Step: "setup", Lasts: 1000 * time.Hour}, "setup", runbook.Failed, "locked", "nlock"},
		"no batch right":            {twin.Fault{Name: "runas-no-batch-right"}, "preflight", runbook.Failed, "run-as account", "batch"},
		"no storage of credentials": {twin.Fault{Name: "credentials-storage-forbidden"}, "preflight", runbook.Failed, "run-as account", ""},
		"planted folder":            {twin.Fault{Name: "planted-folder", Step: "preflight"}, "preflight", runbook.Failed, "not made by Wavekeeper", "who made the folder"},
		"planted folder for Setup":  {twin.Fault{Name: "planted-folder", Step: "setup"}, "setup", runbook.Failed, "not made by Wavekeeper", "who made the folder"},
		"no revocation list":        {twin.Fault{Name: "revocation-unreachable"}, "tidy", runbook.Done, "", ""},
		"foreign Setup before":      {twin.Fault{Name: "foreign-setup", Step: "facts", Lasts: 100 * time.Hour}, "preflight", runbook.Failed, "runs as process", "its owner"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.fault.Host = "MBX1"
			if ahead := time.Now().UTC().Add(3 * time.Hour).Hour(); c.fault.Name == "clock-off" && (ahead == 23 || ahead == 0) {
				c.fault.Offset = 5 * time.Hour // no task is registered around the host's midnight
			}
			f := newFixture(t, func(o *twin.Options) { o.Faults = []twin.Fault{c.fault} })
			f.limits = true
			before := f.allServices(t)
			step, out := f.walk(t, "facts")
			if c.step == "" { // either is right
				c.step, c.kind = step, out.Kind
			}
			if step != c.step || out.Kind != c.kind || !strings.Contains(out.Message, c.says) || !strings.Contains(out.Remedy, c.remedy) {
				t.Errorf("%s ended %s: %q, %q\nwant %s %s, saying %q and %q", step, out.Kind, out.Message, out.Remedy, c.step, c.kind, c.says, c.remedy)
			}
			if out.Kind != runbook.Done && (out.Message == "" || out.Remedy == "") {
				t.Errorf("no cause or no remedy: %+v", out)
			}
			if n := f.journal.count(t, "setup-started"); n > 1 && c.fault.Name != "foreign-setup" {
				t.Errorf("Setup started %d times", n)
			}
			if out.Kind == runbook.Interrupted || out.Kind == runbook.Unknown {
				return
			}
			if name != "planted folder" && name != "planted folder for Setup" { // it is not ours to remove
				f.clean(t)
			}
			for service, state := range f.allServices(t) {
				_, mode, _ := strings.Cut(state, " "+windows.StartDisabled)
				if want := before[service]; state != want && c.fault.Name != "service-will-not-stop" && c.fault.Name != "service-comes-back" &&
					(name != "WMI stopped before Setup" || service != "winmgmt") { // which somebody else did
					t.Errorf("%s is %s, was %s%s", service, state, want, mode)
				}
			}
			if len(f.book.deviations) > 0 && !strings.HasPrefix(c.fault.Name, "service-") {
				t.Errorf("deviations: %v", f.book.deviations)
			}
		})
	}
}
