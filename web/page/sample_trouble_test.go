package page_test

import (
	"time"

	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

const base = "/rollouts/42/upgrades/MBX01"

func decision(title, verb, kind, then string) page.Decision {
	return page.Decision{Title: title, Then: then, Act: ui.Act{Href: base + "/" + verb, Text: title, Kind: kind}}
}

var marked = []page.MarkerRow{
	{Path: `HKLM\SOFTWARE\Microsoft\Exchange\v8.0\MailboxRole\Action`, Kind: "REG_SZ", Value: "BuildToBuildUpgrade"},
	{Path: `HKLM\SOFTWARE\Microsoft\Exchange\v8.0\MailboxRole\Watermark`, Kind: "REG_SZ", Value: "2a2fa9a4-9d31-4c5f-8d5b-6e2f8b1f0c11"},
}

func pieces() []page.EvidenceRow {
	row := func(id, kind, name, size string) page.EvidenceRow {
		return page.EvidenceRow{Kind: kind, Name: name, Host: "MBX01", Step: "Setup, attempt 2", At: ago(24 * time.Minute), Size: size, SHA256: hash, Href: base + "/evidence/" + id, Raw: base + "/evidence/" + id + "/raw"}
	}
	return []page.EvidenceRow{
		row("16", "Who is logged on", "sessions", "28 bytes"), row("15", "Host tasks", "tasks", "112 bytes"), row("14", "End of the setup log", `C:\ExchangeSetupLogs\ExchangeSetup.log`, "64 KB"),
		row("13", "Processes", "processes", "9 KB"), row("12", "Action and Watermark", "markers.reg", "704 bytes"), row("11", "Builds and markers", "roles", "203 bytes"),
	}
}

// steady takes the steps of an upgrade to the one that made trouble.
func steady(u *page.Upgrade, key, message string) {
	for i := range u.Steps {
		if i == 4 {
			u.Steps[i].State, u.Steps[i].Message, u.Steps[i].Took = state(key), message, ""
		}
	}
	u.Top.State, u.Top.Busy, u.Top.Message, u.Top.Remedy = state(key), false, message, ""
}

func upgradeInterrupted(f ui.Frame, viewer string) page.Upgrade {
	u := upgrade(f)
	message := "Setup began and did not end, and nothing of it runs: the host restarted at 13:38:20, its System log says that the restart was unexpected."
	steady(&u, "interrupted", message)
	u.Evidence, u.Archive, u.Repair = pieces(), base+"/evidence.zip", "1 thing is not put back. Running again, verifying and skipping each end with the steps that put it back exactly."
	u.Trouble = &page.Trouble{
		State: state("interrupted"), Lead: "The host says that the step Setup began, did not end, and nothing of it runs.",
		Known: []page.Item{
			{Name: "Since", Value: "13:41:02 UTC", Note: "24 min ago"},
			{Name: "Last contact", Value: "13:41:02 UTC", Note: "24 min ago"},
			{Name: "Last news of the step", Value: "13:37:44 UTC", Note: "27 min ago"},
			{Name: "Step", Value: "Exchange Setup runs as a host task, attempt 2"},
			{Name: "Setup was at", Value: "Configuring Mailbox role", Note: "62 %"},
		},
		Errors: logShown, Recoveries: []page.RecoveryText{interruption},
		Markers: marked, MarksAsOf: "13:41:02 UTC", Here: []string{`session 2: CONTOSO\maria`}, HereAsOf: "13:41:02 UTC", Without: "WMI did not answer on the host. Read without it: processes, roles.",
		Safe: []string{
			"Nothing is started on MBX01 before a person decides, however long that takes.", "Action and Watermark stay as Setup left them; they are never deleted without a person's decision.",
			"Still changed for a while: service SMTPFILTER. The states found before are on record below.", "Servers that wait for MBX01 stay held.", "Wave 2 is stopped: no further server of it starts. Servers in work come to their end.",
		},
		Decisions: []page.Decision{
			decision("Look again", "look", "", "The host is asked how it stands, and its answers are kept as evidence. Nothing on it is changed; the decision is yours again."),
			decision("Run again", "retry", "primary", "A new attempt begins at the step Facts when order, floor, limits and approval allow its start. Each step looks at the host first. Setup is meant to go on from its Watermark: this is the advice to try first."),
			decision("Mark repaired and verify", "verify", "", "For a server that you repaired or upgraded by hand. Builds and services are verified; it is done only if all are as they must be, else failed with what is missing. What was changed for a while is put back afterwards."),
			decision("Clear Action and Watermark", "clear", "danger", "Break-glass. 2 values are deleted on the host, each kept on record first. Refused on the host while anything of Setup is alive. Afterwards the decision is yours again, and the values can be put back."),
			decision("Skip this server", "skip", "danger", "What was changed for a while is put back first; then it is out of this rollout and never counts as upgraded. Servers that wait for it stay held."),
			decision("Stop the rollout", "stop", "danger", "Nothing starts in this rollout ever again. MBX01 itself stays as it is and still waits for a decision."),
		},
	}
	if viewer == "auditor" {
		for i := range u.Trouble.Decisions {
			u.Trouble.Decisions[i].Act.Why = "Only an operator can do this."
		}
	}
	return u
}

func upgradeOutOfSight(f ui.Frame) page.Upgrade {
	u := upgrade(f)
	steady(&u, "out-of-sight", "No contact since 13:53:10: the host does not answer at 10.1.0.21 (connection timed out).")
	u.Trouble = &page.Trouble{
		State: state("out-of-sight"), Lead: "MBX01 does not answer; the step Setup may go on there.",
		Known: []page.Item{
			{Name: "Since", Value: "13:53:20 UTC", Note: "11 min ago"},
			{Name: "Last contact", Value: "13:53:10 UTC", Note: "11 min ago"},
			{Name: "Last news of the step", Value: "13:52:58 UTC", Note: "12 min ago"},
			{Name: "Step", Value: "Exchange Setup runs as a host task"},
			{Name: "Setup was at", Value: "Configuring Mailbox role", Note: "62 %"},
		},
		Limits: []page.Limit{
			{Name: "Longer than expected after", Length: "2 h", Words: "passed 20 min ago", Percent: 100, Passed: true},
			{Name: "Silent for too long after", Length: "40 min", Words: "in 28 min", Percent: 30},
			{Name: "A person decides after", Length: "6 h", Words: "in 3 h 40 min", Percent: 38},
		},
		Safe: []string{
			"Nothing else is tried on MBX01. What runs there goes on by itself and is not touched.", "It is asked again and again; when it answers, the step goes on by itself. Nothing has to be decided.",
			"If it does not answer until 17:45:02 UTC, the outcome counts as unknown and a person decides. Setup is not started a second time.", "Servers that wait for MBX01 stay held.",
		},
		Decisions: []page.Decision{
			decision("Look again", "look", "", "It is asked at once, and the step's limits count from now. Nothing on the host is changed."),
			decision("Stop the rollout", "stop", "danger", "Nothing starts in this rollout ever again. MBX01 itself stays as it is and still waits for a decision."),
		},
	}
	return u
}

// upgradeDecided is one on which a decision is carried out, after the values
// were cleared once before.
func upgradeDecided(f ui.Frame) page.Upgrade {
	u := upgradeInterrupted(f, "")
	u.Top.State, u.Top.Message = ui.State{Key: "running", Note: "decision"}, ""
	u.Top.AtWork = "By a decision of operator: Action and Watermark of the roles are kept on record, then deleted."
	u.Trouble.Decisions, u.Trouble.State = nil, state("unknown")
	u.Trouble.Lead = "It cannot be said whether the step Setup did its work."
	u.Trouble.Quiet = "A decision of operator is carried out on the host now. When it has ended, MBX01 is unknown again."
	u.Trouble.Markers, u.Trouble.Cleared = nil, []page.ClearedRow{
		{MarkerRow: marked[0], By: "operator", At: ago(4 * time.Second), Open: true}, {MarkerRow: marked[1], By: "operator", At: ago(2 * time.Hour), PutBack: ago(time.Hour)},
	}
	u.Steps = append(u.Steps, page.StepRow{Name: "clear-markers", Words: "Decided by a person: action and Watermark of the roles are kept on record, then deleted", State: state("running"), Took: "4 s"})
	return u
}

func upgradeSlow(f ui.Frame) page.Upgrade {
	u := upgrade(f)
	u.Top.Slow = "Nothing new came since 13:20:11 UTC, for longer than the 40 min that are normal here. The host answers. It takes longer than the 2 h that are expected at most, since 13:58:00 UTC. Nothing is interrupted by that. A person decides from 17:58:00 UTC on, if it has not ended by then."
	u.Top.Silence = "nothing new for 44 min; quiet for up to 40 min is normal here"
	u.Steps[4].Late = true
	u.Ledger = []page.LedgerRow{
		{Thing: "Service SMTPFILTER", Before: "running, automatic", Meant: "stopped, disabled", Changed: ago(12 * time.Minute), Restored: ago(time.Minute), Deviation: "it does not start any more: error 1068"},
		{Thing: "Certificate revocation check of the svc-setup account", Before: "value State 146432", Meant: "switched off (bit 512)", Changed: ago(12 * time.Minute)},
	}
	u.Repair = "1 thing is changed now; the steps that end the upgrade put it back, whatever the outcome."
	return u
}

func confirmClear(f ui.Frame) page.Confirm {
	return page.Confirm{
		Frame: f, Crumbs: []ui.Link{{Href: "/rollouts", Text: "Rollouts"}, {Href: "/rollouts/42", Text: "Spring 2008"}, {Href: base, Text: "MBX01"}}, Title: "Clear Action and Watermark on MBX01",
		Lead: "This is a break-glass action: Setup forgets that it was interrupted. It is refused on the host while anything of Setup is alive, and never done without a person.",
		Rows: []page.ConfirmRow{{Server: "MBX01", State: state("interrupted"), Then: "has the values below deleted, each kept on record first; then it is interrupted again and the decision is yours"}},
		Parts: []page.ConfirmPart{
			{Title: "What is deleted", Markers: marked, Lines: []string{"Read from the host at 2008-03-14 13:41:02 UTC. The host is read again before anything goes.", "The whole state of the host is kept as evidence first, and each value before it is deleted: it can be put back exactly."}},
			{Title: "What is known of it: the sources disagree", Lines: []string{
				"Microsoft's readiness rule InstallWatermark says: run Setup again for just this role, or remove the role. Setup is meant to go on from its Watermark, so run it again first.",
				"From the field: where Setup refused because it believed another Setup to be active, deleting all Action and Watermark values let it go on; back the key up first.",
				"Deleting tells Setup that nothing was interrupted. What was half configured is then not resumed: verification afterwards shows what is missing.",
			}},
		},
		Action: base + "/clear", Reason: "Reason, kept on record", Typed: "MBX01", Button: "Clear 2 values on MBX01", Kind: "danger", Back: ui.Link{Href: base, Text: "Back, change nothing"},
		Hidden: []page.Hidden{{Name: "seen", Value: "interrupted/2/setup//running"}, {Name: "values", Value: "9f86d081884c"}},
	}
}

func evidenceText(f ui.Frame) page.EvidenceText {
	return page.EvidenceText{
		Frame: f, Crumbs: []ui.Link{{Href: "/rollouts", Text: "Rollouts"}, {Href: "/rollouts/42", Text: "Spring 2008"}, {Href: base + "#evidence", Text: "MBX01"}}, Row: pieces()[2],
		Note: "Only the end is shown; the download holds everything.",
		Lines: []string{
			"[3/14/2008 1:37:40 PM] [1] Executing 'Start-SetupService -ServiceName MSExchangeIS' handler 4, 'Mailbox'.",
			"[3/14/2008 1:37:44 PM] [2] [WARNING] Service 'MSExchangeIS' did not reach status 'Running' within 25000 ms.",
			"[3/14/2008 1:37:44 PM] [2] The line with a mark ␛[2J and a very long path C:\\Program Files\\Microsoft\\Exchange Server\\Mailbox\\First Storage Group\\Mailbox Database\\Something\\Else\\That\\Goes\\On\\And\\On\\MailboxDatabase.edb",
		},
	}
}
