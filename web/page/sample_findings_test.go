package page_test

import (
	"time"

	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func found(server, severity, rule, text string) page.FoundRow {
	return page.FoundRow{
		Server: ui.Link{Href: "/servers/" + server + "/findings?package=sp1", Text: server}, Host: server, State: state(severity),
		Rule: ui.Link{Href: "/rules/" + rule, Text: rule}, Text: text, Facts: ago(4 * time.Minute),
	}
}

func foundRows() []page.FoundRow {
	msdtc := found("CAS01", "blocker", "msdtc", "The service MSDTC is stopped")
	msdtc.Evidence, msdtc.Remedy, msdtc.Since = "MSDTC Stopped, Manual", "Set MSDTC to start automatically and start it.", "new"
	msdtc.Acts = []ui.Link{{Href: "/servers/CAS01/fix?name=start-msdtc", Text: "Have it fixed"}}
	backup := found("MBX01", "blocker", "backup", "A database has no full backup of the last 24 hours")
	backup.State.Note, backup.Waiver = "waived", &ui.Link{Href: "/waivers/3", Text: "Waived until 2 May 2008, 22:00 by operator: the backup runs tonight, before the window"}
	key := found("MBX01", "warning", "streaming-backup", "The wrongly spelled key for remote streaming backup is there")
	key.Since = "was blocker"
	key.Acts = []ui.Link{{Href: "/servers/MBX01/waive?rule=streaming-backup", Text: "Accept for a while"}}
	key.Fixed = &ui.Link{Href: "/fixes/2", Text: "lead asked to have it fixed, 2 May, 11:59 UTC: the check found it (it waits for an operator)"}
	return []page.FoundRow{msdtc, backup, key, found("UM01", "info", "transport-agents", "2 transport agents are not Microsoft's: FooScan, BarSign")}
}

func foundGroups() []page.FoundGroup {
	rows := foundRows()
	schema := found("HT01", "blocker", "organization-versions", "")
	schema.Before = "Found before the organization was recorded as prepared, 2 May 2008, 12:00: check again."
	return []page.FoundGroup{
		{State: rows[0].State, Rule: rows[0].Rule, Words: "2 hosts", Rows: rows[:1], Rest: []page.FoundRow{found("CAS02", "blocker", "msdtc", "The service MSDTC is stopped")}},
		{State: state("blocker"), Rule: schema.Rule, Words: "about the organization, seen from 2 hosts", Text: "The schema is behind", Remedy: "Prepare the organization.", Rows: []page.FoundRow{schema}, Rest: []page.FoundRow{schema}},
		{State: rows[1].State, Rule: rows[1].Rule, Words: "1 host", Rows: rows[1:2]},
		{State: rows[2].State, Rule: rows[2].Rule, Words: "1 host", Rows: rows[2:3]},
		{State: rows[3].State, Rule: rows[3].Rule, Words: "1 host", Rows: rows[3:]},
	}
}

func sampleChoices(on string, values ...string) []page.Choice {
	var all []page.Choice
	for _, v := range values {
		all = append(all, page.Choice{Value: v, Text: v, On: v == on})
	}
	return all
}

func fleetFindings(f ui.Frame) page.FleetFindings {
	return page.FleetFindings{
		Frame: f, Words: "12 hosts checked for SP1: 1 blocker, 1 warning, 1 waived", Package: "sp1", Packages: sampleChoices("sp1", "sp1", "sp2"),
		Severities: sampleChoices("", "blocker", "warning", "info"), Rules: sampleChoices("", "msdtc", "backup"), Scope: "Check all 12 servers",
		Notes: []string{"1 host was not checked within the last 24 hours.", "MBX11 was not checked: Not finished in 2 hours: the host did not answer"},
		Batches: []page.BatchRow{
			{ID: "4", Package: "SP1", Words: "4 of 12 hosts over, 8 in work", Percent: 33, Open: true, By: "operator", At: ago(time.Minute), Cancel: true},
		},
		Groups: foundGroups(), Gone: []string{"HT01: pending-restart: Windows waits for a restart"}, More: "Findings 501 to 1,000 of 1,204.", Before: "/findings?page=1", After: "/findings?page=3",
	}
}

func serverFindings(f ui.Frame) page.ServerFindings {
	rows := foundRows()
	return page.ServerFindings{
		Frame: f, Name: "CAS01", Package: "sp1", Packages: sampleChoices("sp1", "sp1", "sp2"), Asked: &ui.Link{Href: "/servers/CAS01/findings?package=sp1&stored=1", Text: "Judge stored facts by today's rules"},
		Hosts: []page.HostFindings{{
			Host: "CAS01", Words: "1 blocker, 1 warning of 61 rules; checked 4 min ago by operator", Rows: rows[:3],
			Passed: []string{"dotnet20-sp1: .NET Framework 2.0 has its service pack", "clock: The host's clock is right"}, Gone: []string{"pending-restart: Windows waits for a restart"},
		}},
		Overwritten: []ui.Link{{Href: "/servers/CAS01/reapply?upgrade=7&evidence=12", Text: `ClientAccess\web.config on CAS01`}},
		Waivers:     []page.WaiverRow{{Link: ui.Link{Href: "/waivers/3"}, Rule: "backup, SP1", State: state("approved"), Until: ago(-24 * time.Hour), Reason: "the backup runs tonight, before the window", By: "lead, decided by operator"}},
		Fixes:       []page.FixRow{{Link: ui.Link{Href: "/fixes/1", Text: "start-msdtc"}, State: ui.State{Key: "waiting", Note: "for an operator"}, At: ago(time.Minute), Reason: "lead: the check found it"}},
		Runs: []page.RunRow{
			{Host: "CAS01", What: "check for SP1", State: state("done"), At: ago(4 * time.Minute), By: "operator", Message: "1 blocker, 1 warning of 61 rules"},
			{Host: "CAS01", What: "look at the organization", State: state("failed"), At: ago(time.Hour), By: "operator", Message: "The host did not answer"},
		},
	}
}

func organization(f ui.Frame) page.Organization {
	return page.Organization{
		Frame: f, Lead: "3 facts", Look: "It could not be read on MBX01, 2 h ago: the account may not read the schema", LookBad: true,
		Versions: []page.VersionRow{
			{Package: "SP1", State: state("pass"), Words: "Schema, organization and domains are at what it needs."},
			{Package: "SP2", State: ui.State{Key: "warning", Note: "to be prepared"}, Words: "the schema is at 11116, SP2 wants 14622 (/PrepareSchema)"},
			{Package: "SP3", State: state("unknown"), Words: "Not known: the versions of schema, organization and domains were not read."},
		},
		Facts: []page.OrganizationFact{
			{Name: "schema", Value: "11116", Source: "read on MBX01", By: "operator", Reason: "before planning", At: ago(4 * time.Minute)},
			{Name: "organization", Value: "11221", Source: "entered by hand by lead, confirmed by operator", By: "lead", Reason: "adsiedit on DC01", At: ago(50 * time.Hour), Old: true},
		},
		Wishes: []page.OrganizationWish{
			{ID: 1, Words: "schema is to be 14622", By: "lead", Reason: "adsiedit on DC01", At: ago(4 * time.Minute), Own: true, WhyNot: "You asked for this: somebody else has to confirm it."},
			{ID: 2, Words: "domains is to be taken back", By: "operator", Reason: "restored from backup", At: ago(4 * time.Minute)},
		},
		Servers: sampleChoices("MBX01", "CAS01", "MBX01"), Names: sampleChoices("", "schema", "organization", "domains"),
		Shapes: []page.Shape{{Name: "schema", Words: "a whole number, such as 11116"}, {Name: "single label", Words: "true or false"}},
	}
}

func rules(f ui.Frame) page.Rules {
	return page.Rules{
		Frame: f, Lead: "2 rules",
		Rows: []page.RuleRow{
			{Link: ui.Link{Href: "/rules/msdtc", Text: "msdtc"}, State: state("blocker"), Words: "The Distributed Transaction Coordinator runs", For: "service pack · ClientAccess, UnifiedMessaging"},
			{Link: ui.Link{Href: "/rules/clock", Text: "clock"}, State: state("warning"), Words: "The host's clock is right", For: "every server"},
		},
		Values: []page.PolicyRow{{Name: "backup-age-hours", Words: "age of the newest full backup of each database", Value: "48 hours", Own: "24 hours (remembered: daily full backups)", Set: "2 h ago by admin: backups every second day"}},
	}
}

func rule(f ui.Frame) page.Rule {
	return page.Rule{
		Frame: f, Name: "msdtc", State: state("blocker"), Words: "The Distributed Transaction Coordinator runs.",
		Items: []page.Item{{Name: "Source", Value: "topic 280ca216 of the Exchange Best Practices Analyzer"}, {Name: "May be accepted", Value: "no, it has to be cured"}},
	}
}

func reapply(f ui.Frame) page.Reapply {
	return page.Reapply{
		Frame: f, Server: "UM01", Host: "UM01", File: `bin\globcfg.xml`, Back: ui.Link{Href: "/servers/UM01/findings", Text: "Findings"},
		Lead:   "Choose the values that are to be as before.",
		Hidden: []page.Hidden{{Name: "upgrade", Value: "7"}, {Name: "evidence", Value: "12"}},
		Rows: []page.ReapplyRow{
			{Index: 0, Path: "/Configuration[1]/MaxCalls[1]", Old: "250", New: "100"},
			{Index: 1, Path: "/Configuration[1]/Old[1]", Old: "yes", Why: "the new file has no place for it"},
		},
	}
}
