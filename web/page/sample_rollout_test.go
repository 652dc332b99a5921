package page_test

import (
	"fmt"
	"strconv"
	"time"

	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

const hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

var steps = []page.MatrixStep{
	{Name: "facts", Words: "Facts are read", Short: "Facts"},
	{Name: "preflight", Words: "Preflight", Short: "Preflight"},
	{Name: "record", Words: "State is recorded", Short: "Record"},
	{Name: "stop-services", Words: "Third-party services are stopped", Short: "Stop"},
	{Name: "setup", Words: "Exchange Setup runs as a host task", Short: "Setup"},
	{Name: "verify", Words: "Builds and services are verified", Short: "Verify"},
	{Name: "put-back", Words: "What was changed is put back", Short: "Put back"},
	{Name: "tidy", Words: "Tasks and folders are removed", Short: "Tidy"},
}

func matrixRow(id int, name, site, key string, at int, message string, roles ...string) page.MatrixRow {
	r := page.MatrixRow{ID: strconv.Itoa(id), Server: name, Href: "/rollouts/42/upgrades/" + name, Roles: roles, Site: site, State: state(key), Message: message}
	for i, s := range steps {
		k := "waiting"
		switch {
		case i < at:
			k = "done"
		case i == at:
			k = key
		}
		r.Cells = append(r.Cells, page.MatrixCell{State: k, Title: s.Words + ": " + ui.State{Key: k}.Word()})
	}
	return r
}

// clusterRow is a cluster in the middle of its downtime.
func clusterRow() page.MatrixRow {
	r := matrixRow(17, "MBX21", "Berlin", "running", 5, "Setup /UpgradeCms, phase 7 of 9", "MBX")
	r.Times = []string{"Downtime: 3 min so far, usually 17 min", "No failover: 48 min so far, usually 2 h 4 min"}
	return r
}

func rollout(f ui.Frame) page.Rollout {
	f.Stream = "/rollouts/42/stream"
	mbx := matrixRow(8, "MBX01", "Berlin", "running", 4, "Setup: configuring Mailbox role (quiet for 2 min)", "MBX")
	mbx.Busy, mbx.Percent = true, 62
	lost := matrixRow(2, "CAS02", "Berlin", "out-of-sight", 4, "Contact lost: connection timed out", "CAS")
	lost.Since = "last heard 14:02:10 UTC"
	mbx11 := matrixRow(10, "MBX11", "Hamburg", "running", 5, "Verifying builds and services", "MBX")
	return page.Rollout{
		Frame: f, Decisions: waiting(), Events: events(),
		Head: page.RolloutHead{
			ID: "42", Name: "Spring 2008", Package: "SP1, to 8.1.240.6", State: state("running"), PlanHref: "/plans/7", Hash: hash, By: "lead",
			Started: ago(72 * time.Minute), Elapsed: "1 h 12 min", Left: "about 1 h 40 min", Words: "5 of 12 servers done", Parts: parts(),
			Note: "Wave 2 is under way. Wave 3 wants an approval: 2 servers.", NoteKey: "running",
			Acts: []ui.Act{{Href: "/rollouts/42/pause", Text: "Pause"}, {Href: "/rollouts/42/stop", Text: "Stop", Kind: "danger"}},
		},
		Lanes: []page.Lane{
			{Number: 1, Title: "Wave 1", State: state("done"), Parts: []ui.Part{{Key: "done", Count: 4}}, Words: "ClientAccess, 34 min", Href: "/rollouts/42/waves/1"},
			{Number: 2, Title: "Wave 2", State: state("running"), Parts: []ui.Part{{Key: "done", Count: 1}, {Key: "running", Count: 2}, {Key: "held", Count: 1}, {Key: "interrupted", Count: 1}}, Words: "5 servers", Href: "/rollouts/42/waves/2", Here: true},
			{Number: 3, Title: "Wave 3", State: state("waiting"), Parts: []ui.Part{{Key: "waiting", Count: 2}}, Words: "2 servers", Href: "/rollouts/42/waves/3", Act: ui.Link{Href: "/rollouts/42/waves/3", Text: "Approve"}},
			{Number: 4, Title: "Wave 4", State: state("waiting"), Parts: []ui.Part{{Key: "waiting", Count: 1}}, Words: "1 server", Href: "/rollouts/42/waves/4"},
		},
		Groups: []page.MatrixGroup{
			{ID: "g2", Title: "Wave 2", Words: "5 servers", State: state("running"), Open: true, Steps: steps, Rows: []page.MatrixRow{
				matrixRow(7, "HT02", "Berlin", "done", 8, "Verified at 8.1.240.6", "HT"),
				mbx, clusterRow(), matrixRow(9, "MBX02", "Berlin", "held", -1, "Floor: MBX01 is in work, and one Mailbox server of Berlin stays in service", "MBX"), mbx11,
				matrixRow(11, "UM01", "Berlin", "interrupted", 4, "Setup began and did not end: Action and Watermark are set for UnifiedMessaging", "UM"),
			}},
			{ID: "g3", Title: "Wave 3", Words: "2 servers", State: state("waiting"), Open: true, Steps: steps, Rows: []page.MatrixRow{
				matrixRow(12, "HUM11", "Hamburg", "waiting", -1, "Wave 3 is not approved", "HT", "UM"),
				matrixRow(13, "EDGE01", "Berlin", "waiting", -1, "Wave 3 is not approved", "ET"),
			}},
			{ID: "g1", Title: "Wave 1", Words: "4 servers, done after 34 min", State: state("done"), Steps: steps, Rows: []page.MatrixRow{
				matrixRow(1, "CAS01", "Berlin", "done", 8, "Verified at 8.1.240.6", "CAS"), lost, matrixRow(3, "CAS11", "Hamburg", "failed", 1, "Preflight: .NET 2.0 SP1 is missing", "CAS"),
				matrixRow(4, "CAS12", "Hamburg", "paused", 2, "Paused by lead", "CAS"), matrixRow(5, "CAS13", "Hamburg", "unknown", 4, "It cannot be said whether Setup ran", "CAS"), matrixRow(6, "CAS14", "Hamburg", "skipped", 0, "Skipped by operator: retired in May", "CAS"),
			}},
		},
	}
}

func confirm(f ui.Frame) page.Confirm {
	return page.Confirm{
		Frame: f, Crumbs: []ui.Link{{Href: "/rollouts", Text: "Rollouts"}, {Href: "/rollouts/42", Text: "Spring 2008"}}, Title: "Pause the rollout Spring 2008",
		Lead: "Nothing new starts until a person resumes it. Setup that is running is never cut short.", Field: "how",
		Choices: []page.Choice{{Value: "server", Text: "Finish the servers in work", Hint: "2 servers come to their end, about 35 min", On: true}, {Value: "step", Text: "Finish the step in work", Hint: "each server stops after its step, some with services stopped"}},
		Rows:    []page.ConfirmRow{{Server: "MBX01", State: state("running"), Then: "Setup goes on to its end, then the server is verified and everything is put back."}, {Server: "MBX02", State: state("held"), Then: "does not start."}, {Server: "HUM11", State: state("waiting"), Then: "does not start."}},
		Action:  "/rollouts/42/pause", Reason: "Reason", Button: "Pause: 2 servers in work, 5 not started", Kind: "primary", Back: ui.Link{Href: "/rollouts/42", Text: "Back, change nothing"},
	}
}

func plan(f ui.Frame) page.Plan {
	s := func(name, site, minutes, reason string, roles ...string) page.PlanServer {
		return page.PlanServer{Name: name, Href: "/servers/" + name, Roles: roles, Site: site, Build: "RTM", Minutes: minutes, Reason: reason}
	}
	ht := s("HT01", "Berlin", "35 min", "after 4 ClientAccess servers (CAS01, CAS02, CAS11 and 1 more)", "HT")
	ht.After = []string{"after 4 ClientAccess servers in the organization: recommended", "after MULTI11: equal rank does not wait"}
	return page.Plan{
		Frame: f, Name: "Spring 2008", Package: "SP1, to 8.1.240.6", State: state("draft"), Revision: "Revision 2", Hash: hash, Author: "lead", Created: ago(20 * time.Minute),
		Verdict:  page.Verdict{Key: "warning", Right: "The order is proven by the rule set standard@1; 2 warnings to read.", Over: "about 2 h 50 min, 3 h 40 min if it goes slowly", Servers: "11 servers in 4 waves"},
		Checks:   checks(),
		Findings: []page.Finding{{Severity: "warning", Text: "MBX11 is the only Mailbox server in Hamburg: its mailboxes are out of service while it is upgraded.", Servers: "MBX11", Remedy: "Tell the users of Hamburg, or approve the wave for the evening."}},
		Tensions: []page.Tension{{Strength: "recommended", Text: "HUM11 holds HubTransport and UnifiedMessaging: UnifiedMessaging should come after Mailbox, but HubTransport before it. It goes with HubTransport.", Servers: "HUM11"}},
		Policy:   []string{"At most 10 servers at once.", "One server of each role stays in service in each AD site that has two or more.", "A wave stops after 1 failed server.", "Waves do not overlap: the next starts when all before is done or decided."},
		Waves: []page.PlanWave{
			{Number: 1, Title: "Wave 1", Words: "3 servers · about 40 min", Why: "ClientAccess comes first", Servers: []page.PlanServer{s("CAS01", "Berlin", "30 min", "nothing comes before it", "CAS"), s("CAS02", "Berlin", "30 min", "nothing comes before it", "CAS"), s("MULTI11", "Hamburg", "40 min", "nothing comes before it", "CAS", "HT")}},
			{Number: 2, Title: "Wave 2", Words: "2 servers · about 35 min", Why: "HubTransport after ClientAccess", Servers: []page.PlanServer{ht, s("HUM11", "Hamburg", "45 min", "after 4 ClientAccess servers", "HT", "UM")}},
			{Number: 3, Title: "Wave 3", Words: "3 servers · about 60 min", Why: "Mailbox after HubTransport", Servers: []page.PlanServer{s("MBX01", "Berlin", "60 min", "after 3 HubTransport servers", "MBX"), s("MBX02", "Berlin", "60 min", "after 3 HubTransport servers", "MBX"), s("MBX11", "Hamburg", "55 min", "after 3 HubTransport servers", "MBX")}},
		},
		Left:      []page.Item{{Name: "CAS11", Value: "at SP1 already"}},
		Prepared:  page.Prepared{Text: "Nobody recorded it yet. The first Setup would extend the schema unasked, so no server starts before.", Action: "/plans/7/prepared"},
		Submit:    ui.Act{Href: "/plans/7/submit", Text: "Submit for approval", Kind: "primary", Post: true},
		Acts:      []ui.Act{{Href: "/plans/7/edit", Text: "Change"}},
		Revisions: []page.RevisionLine{{Text: "Revision 2", State: state("draft"), Author: "lead", At: ago(20 * time.Minute), Here: true}, {Href: "/plans/7/revisions/1", Text: "Revision 1", State: state("superseded"), Author: "lead", At: ago(2 * time.Hour)}},
	}
}

func approve(f ui.Frame, why string) page.Approve {
	return page.Approve{
		Frame: f, Crumbs: []ui.Link{{Href: "/rollouts", Text: "Rollouts"}, {Href: "/rollouts/42", Text: "Spring 2008"}}, Title: "Approve wave 3", State: state("waiting"), Lead: "Spring 2008 · SP1, to 8.1.240.6",
		Blast: []page.Item{{Name: "Servers", Value: "3"}, {Name: "Mailboxes", Value: "4,150"}, {Name: "Sites", Value: "2", Note: "Berlin, Hamburg"}, {Name: "Last of its role", Value: "1"}},
		Diff:  "Revision 2 is the first that is approved; there is nothing to compare with.",
		Servers: []page.ApproveServer{
			{Name: "MBX01", Href: "/servers/MBX01", Roles: []string{"MBX"}, Site: "Berlin", From: "8.0.685.25", To: "8.1.240.6", Mailboxes: "1,350", After: "after HubTransport"},
			{Name: "MBX02", Href: "/servers/MBX02", Roles: []string{"MBX"}, Site: "Berlin", From: "8.0.685.25", To: "8.1.240.6", Mailboxes: "1,300"},
			{Name: "MBX11", Href: "/servers/MBX11", Roles: []string{"MBX"}, Site: "Hamburg", From: "8.0.685.25", To: "8.1.240.6", Mailboxes: "1,500", Last: "the only Mailbox server in Hamburg"},
		},
		Checks:   checks(),
		Evidence: []page.Finding{{Severity: "warning", Text: "MBX11 is the only Mailbox server in Hamburg.", Servers: "MBX11"}},
		Fresh:    "read between 2 min and 20 min ago; read again when each server starts", Prepared: "recorded as prepared for SP1 by lead, 14 Mar: Change 4711", Floor: "one server of each role stays in service in Berlin; Hamburg has one Mailbox server and none to keep",
		When:  []page.Item{{Name: "Window", Value: "open: the plan has none"}, {Name: "Begins", Value: "at once, as soon as wave 2 is done"}, {Name: "Takes", Value: "about 2 h, 2 h 20 min if it goes slowly"}},
		Stops: "After 1 failed server no further server of this wave starts; those in work come to their end.",
		NoReturn: []string{
			"Setup raises the server to SP1. There is no way back to RTM but a restore.",
			"Mailbox databases are upgraded when they are mounted the first time.",
		},
		Bound: []page.BoundServer{
			{Name: "MBX01", Addresses: []string{"10.1.0.21"}, Build: "8.0.685.25", Folder: `C:\Wavekeeper\media\sp1-en-US-x64`, Hash: hash, RunAs: `CONTOSO\svc-setup`, Profile: "default", Services: "stops SMTPFILTER, BackupAgent, AntiVirusForMail"},
			{Name: "MBX02", Addresses: []string{"10.1.0.22:5986"}, Build: "8.0.685.25", Folder: `C:\Wavekeeper\media\sp1-en-US-x64`, Hash: hash, RunAs: `CONTOSO\svc-setup`, Profile: "default", Services: "stops no service of a third party"},
			{Name: "MBX11", Addresses: []string{"10.2.0.21"}, Build: "8.0.685.25", Folder: `C:\Wavekeeper\media\sp1-en-US-x64`, RunAs: "–", Profile: "branch", Services: "stops no service of a third party"},
		},
		Hash: hash, Revision: "Revision 2", Action: "/rollouts/42/waves/3/approve", Reject: "/rollouts/42/waves/3/reject", Button: "Approve wave 3: 3 servers", Why: why,
	}
}

// checks is a wave of which one server is blocked and one was never checked.
func checks() []page.Checks {
	server := func(name string) ui.Link {
		return ui.Link{Href: "/servers/" + name + "/findings?package=sp1", Text: name}
	}
	return []page.Checks{{
		State: state("blocker"), Href: "/findings?package=sp1",
		Words: "The last checks for SP1 found 1 blocker on 1 host: each keeps its server from starting until it is cured or accepted. 1 host was never checked.",
		Hosts: []page.CheckedHost{
			{Server: server("MBX01"), Host: "MBX01", State: state("blocker"), Words: "1 blocker, 2 warnings, 1 note, 1 waived", At: ago(4 * time.Minute), Blockers: []string{"msdtc: The service MSDTC does not run"}, Waivers: []ui.Link{{Href: "/waivers/3", Text: "backup accepted until 2 May 2008, 22:00 by operator: the backup runs tonight"}}},
			{Server: server("MBX11"), Host: "NODEA", State: ui.State{Key: "unknown", Note: "never checked"}, Words: "Never checked for SP1."},
			{Server: server("MBX02"), Host: "MBX02", State: state("pass"), Words: "0 blockers, 0 warnings, 0 notes", At: ago(50 * time.Hour), Old: true},
		},
		Rest: []page.CheckedHost{{Server: server("MBX03"), Host: "MBX03", State: state("pass"), Words: "0 blockers, 0 warnings, 0 notes", At: ago(time.Hour)}},
	}}
}

func upgrade(f ui.Frame) page.Upgrade {
	f.Stream = "/rollouts/42/upgrades/MBX01/stream"
	row := func(i int, key, took, expected, message string) page.StepRow {
		return page.StepRow{Name: steps[i].Name, Words: steps[i].Words, State: state(key), Took: took, Expected: expected, Message: message}
	}
	rows := []page.StepRow{
		row(0, "done", "4 s", "", "Windows Server 2003 SP2, Mailbox 8.0.685.25"), row(1, "done", "41 s", "", "11 checks passed"), row(2, "done", "6 s", "", "14 services recorded"), row(3, "done", "9 s", "", "SMTPFILTER stopped and disabled"),
		row(4, "running", "12 min", "usually 40 min", "Configuring Mailbox role"), row(5, "waiting", "", "usually 2 min", ""), row(6, "waiting", "", "usually 1 min", ""), row(7, "waiting", "", "usually 10 s", ""),
	}
	rows[4].NoReturn = true
	log := page.Log{Words: "lines 121 to 160 of 160", Older: "/rollouts/42/upgrades/MBX01?before=121", Raw: "/rollouts/42/upgrades/MBX01/log", Action: "/rollouts/42/upgrades/MBX01"}
	for i := range 40 {
		line := page.LogLine{Number: strconv.Itoa(121 + i), Text: fmt.Sprintf("[3/14/2008 1:%02d:%02d PM] [1] Executing 'set-taskparameters' handler %d, 'Mailbox'.", 40+i/3, i, i)}
		if i == 17 {
			line.Kind, line.Text = "warning", "[3/14/2008 1:45:17 PM] [1] [WARNING] The service 'SMTPFILTER' could not be reached while Setup looked for it; it is skipped."
		}
		log.Lines = append(log.Lines, line)
	}
	return page.Upgrade{
		Frame: f, Crumbs: []ui.Link{{Href: "/rollouts", Text: "Rollouts"}, {Href: "/rollouts/42", Text: "Spring 2008"}}, Steps: rows, Log: log,
		Top: page.UpgradeTop{
			What:   "Build",
			Server: "MBX01", Href: "/servers/MBX01", Roles: []string{"MBX"}, Site: "Berlin", State: state("running"), From: "8.0.685.25", To: "8.1.240.6", Now: "step 5 of 8: Exchange Setup runs as a host task",
			Busy: true, Percent: 62, Phase: "Configuring Mailbox role", Silence: "quiet for 2 min; quiet phases of 24 min are normal here", Started: ago(13 * time.Minute), Took: "13 min",
		},
		Ledger:   []page.LedgerRow{{Thing: "Service SMTPFILTER", Before: "running, automatic", Meant: "stopped, disabled", Changed: ago(12 * time.Minute)}, {Thing: "Revocation check of the run-as account", Before: "State 0x23c00", Meant: "State 0x23e00", Changed: ago(12 * time.Minute), Restored: ago(time.Minute)}},
		Findings: []page.Finding{{Severity: "pass", Text: "Windows Server 2003 with Service Pack 2"}, {Severity: "pass", Text: "Setup's media is present and its hash is right"}, {Severity: "warning", Text: "12 GB are free on C:; Setup asks for 10 GB", Remedy: "Nothing has to be done; less than 20 GB is said."}},
	}
}

func upgradeFailed(f ui.Frame) page.Upgrade {
	u := upgrade(f)
	u.Top.State, u.Top.Busy = state("failed"), false
	u.Top.Now, u.Top.Message = "step 2 of 8: Preflight", "Microsoft .NET Framework 2.0 Service Pack 1 is missing."
	u.Top.Remedy = "Install KB110806 on MBX01, restart it if it asks, then retry from this step."
	u.Top.Acts = []ui.Act{{Href: "/rollouts/42/upgrades/MBX01/retry", Text: "Retry from Preflight", Kind: "primary"}, {Href: "/rollouts/42/upgrades/MBX01/skip", Text: "Skip this server", Kind: "danger"}}
	for i := range u.Steps {
		switch {
		case i == 1:
			u.Steps[i].State, u.Steps[i].Message = ui.State{Key: "failed", Note: "attempt 2"}, ".NET 2.0 SP1: build 50727.42 found, 50727.1433 is needed"
		case i > 1:
			u.Steps[i].State, u.Steps[i].Took, u.Steps[i].Message = state("waiting"), "", ""
		}
	}
	u.Ledger = nil
	u.Log = page.Log{Quiet: "Setup has not run yet; its log appears here as it is written.", Action: "/rollouts/42/upgrades/MBX01"}
	u.Findings = []page.Finding{{Severity: "blocker", Text: "Microsoft .NET Framework 2.0 Service Pack 1 is missing", Remedy: "Install KB110806."}, {Severity: "pass", Text: "Windows Server 2003 with Service Pack 2"}}
	return u
}
