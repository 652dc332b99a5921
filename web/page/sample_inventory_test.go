package page_test

import (
	"time"

	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func servers(f ui.Frame) page.Servers {
	row := func(name, site, build, digits string, age time.Duration, result string, roles ...string) page.ServerRow {
		return page.ServerRow{Name: name, Href: "/servers/" + name, Roles: roles, Site: site, Build: build, Digits: digits, OS: "2003", Facts: ago(age), Stale: age > 24*time.Hour, Result: state(result), ResultA: ui.Link{Href: "/rollouts/42/upgrades/" + name, Text: "Spring 2008"}}
	}
	rows := []page.ServerRow{
		row("CAS01", "Berlin", "SP1", "8.1.240.6", 8*time.Minute, "done", "CAS"),
		row("CAS02", "Berlin", "SP1", "8.1.240.6", 9*time.Minute, "done", "CAS"),
		row("CAS11", "Hamburg", "SP1", "8.1.240.6", 9*time.Minute, "done", "CAS"),
		row("EDGE01", "Berlin", "RTM", "8.0.685.25", 30*time.Hour, "waiting", "ET"),
		row("HT01", "Berlin", "SP1", "8.1.240.6", 14*time.Minute, "done", "HT"),
		row("HT02", "Berlin", "SP1", "8.1.240.6", 3*time.Minute, "done", "HT"),
		row("HUM11", "Hamburg", "RTM", "8.0.685.25", 20*time.Minute, "waiting", "HT", "UM"),
		row("MBX01", "Berlin", "RTM", "8.0.685.25", time.Minute, "running", "MBX"),
		row("MBX02", "Berlin", "RTM", "8.0.685.25", 20*time.Minute, "held", "MBX"),
		row("MBX11", "Hamburg", "RTM", "8.0.685.25", 2*time.Minute, "running", "MBX"),
		row("MULTI11", "Hamburg", "SP1", "8.1.240.6", 20*time.Minute, "done", "CAS", "HT"),
		row("UM01", "Berlin", "not known", "", 0, "interrupted", "UM"),
	}
	rows[0].Facing = true
	rows[11].Facts, rows[11].Probe = ui.Moment{}, "denied 8 min ago"
	return page.Servers{
		Frame: f, Words: "12 servers", Rows: rows, Next: "/servers?after=UM01",
		Acts: []ui.Act{{Href: "/servers/probe", Text: "Probe all 12", Post: true}, {Href: "/servers/import", Text: "Import", Kind: "primary"}},
		Facets: []page.Facet{
			{Title: "Role", Choices: []page.FacetChoice{{Text: "ClientAccess", Count: 4, Href: "/servers?role=CAS"}, {Text: "HubTransport", Count: 4, Href: "/servers"}, {Text: "Mailbox", Count: 3, Href: "/servers", On: true}, {Text: "UnifiedMessaging", Count: 2, Href: "/servers"}}},
			{Title: "Site", Choices: []page.FacetChoice{{Text: "Berlin", Count: 8, Href: "/servers"}, {Text: "Hamburg", Count: 4, Href: "/servers"}}},
			{Title: "Build", Choices: []page.FacetChoice{{Text: "RTM", Count: 5, Href: "/servers"}, {Text: "SP1", Count: 6, Href: "/servers"}, {Text: "not known", Count: 1, Href: "/servers"}}},
		},
		Columns: []page.Column{{Text: "Server", Href: "/servers", Sorted: "ascending"}, {Text: "Roles"}, {Text: "Site", Href: "/servers"}, {Text: "Build", Href: "/servers"}, {Text: "Windows"}, {Text: "Cluster"}, {Text: "Facts read", Href: "/servers"}, {Text: "Last upgrade"}},
	}
}

func importPage(f ui.Frame) page.Import {
	return page.Import{
		Frame:   f,
		Columns: []page.ImportColumn{column("server", "the server's name", true), column("roles", "ClientAccess, HubTransport, Mailbox, UnifiedMessaging, EdgeTransport (or CAS, HT, MBX, UM, ET), joined by +", true), column("site", "the AD site", false), column("build", "8.0.685.25, or as Exchange shows it", false)},
		Preview: &page.Preview{
			File: "fleet.csv", Added: 2, Changed: 1, Same: 8, Good: "Import the 11 good lines",
			Rows: []page.ImportRow{
				{Name: "CAS12", New: true, Changes: []page.Change{change("roles", "", "ClientAccess"), change("site", "", "Hamburg")}},
				{Name: "MBX02", Changes: []page.Change{change("mailboxes", "1200", "1350"), change("services", "", "SMTPFILTER")}},
				{Name: "UM12", New: true, Changes: []page.Change{change("roles", "", "UnifiedMessaging")}},
			},
			Faults: []page.Fault{{Line: 7, Column: "roles", Value: "Mailbax", Right: "Mailbox is the nearest role"}, {Line: 9, Column: "build", Value: "8.0", Right: "8.0.685.25 or Version 8.0 (Build 30685.25)"}},
		},
	}
}

func column(name, means string, required bool) page.ImportColumn {
	return page.ImportColumn{Name: name, Means: means, Required: required}
}

func change(field, from, to string) page.Change {
	return page.Change{Field: field, From: from, To: to}
}

func server(f ui.Frame) page.Server {
	fact := func(name, value string) page.HostFact {
		return page.HostFact{Name: name, Value: value, Source: "probed", At: ago(8 * time.Minute)}
	}
	return page.Server{
		Frame: f, Name: "MBX01", Roles: []string{"MBX"}, Lead: "Berlin · RTM · Windows Server 2003", State: state("running"),
		Acts:  []ui.Act{{Href: "/servers/MBX01/probe", Text: "Probe", Post: true}},
		Waits: []ui.Link{{Href: "/rollouts/42/upgrades/MBX01", Text: "Being upgraded to SP1 in Spring 2008, step 5 of 8"}},
		Items: []page.Item{{Name: "Roles", Value: "Mailbox"}, {Name: "AD site", Value: "Berlin"}, {Name: "Build", Value: "8.0.685.25", Note: "RTM"}, {Name: "Windows", Value: "Server 2003"}, {Name: "Language", Value: "en-US"}, {Name: "Mailboxes", Value: "1,350"}, {Name: "Services", Value: "SMTPFILTER"}, {Name: "Profile", Value: "default"}, {Name: "Imported", Value: "yesterday", Note: "by lead"}},
		Hosts: []page.Host{{Name: "MBX01", Address: "127.0.0.21:5985", Probe: "Probed 8 min ago: done", At: ago(8 * time.Minute), Facts: []page.HostFact{
			fact("os", "Windows Server 2003, 5.2.3790"), fact("os_service_pack", "2"), fact("winrm", "2.0"), fact("fqdn", "mbx01.example.org"), fact("boot_time", "2008-03-01T02:10:44Z"), fact("clock_offset_seconds", "1"), fact("roles", "Mailbox 8.0.685.25"),
		}, Media: []page.HostMedium{{
			Name: "SP1, 64-bit", Href: "/media/3", From: "the console",
			Stand: page.StagedHost{Host: "MBX01", State: state("done"), Words: "every file was right 2 h ago", Percent: 100, At: ago(2 * time.Hour)},
		}}}},
		Upgrades: []page.UpgradeLine{{Href: "/rollouts/42/upgrades/MBX01", Rollout: "Spring 2008", Package: "SP1", State: state("running"), Started: ago(18 * time.Minute), Took: "18 min so far"}},
	}
}

func planForm(f ui.Frame) page.PlanForm {
	choice := func(name, build, note string, on bool, roles ...string) page.ServerChoice {
		return page.ServerChoice{Name: name, Build: build, Note: note, On: on, Roles: roles}
	}
	return page.PlanForm{
		Frame: f, Title: "New plan", Action: "/plans", Button: "Work out the order", Back: ui.Link{Href: "/plans", Text: "Cancel"}, Chosen: "11 of 12 chosen",
		Packages: []page.Choice{{Value: "sp1", Text: "Service Pack 1 (8.1.240.6)", On: true}},
		Scopes:   []page.Choice{{Value: "organization", Text: "the whole organization", Hint: "strict: every ClientAccess server comes before any Mailbox server", On: true}, {Value: "site", Text: "each AD site", Hint: "sites do not wait for each other; internet-facing sites come first"}},
		Rulesets: []page.Choice{{Value: "standard", Text: "standard: CAS, HT, MBX, UM, ET", On: true}},
		Policy: []page.PolicyField{
			{Name: "at_once", Before: "At most", Value: "10", After: "at once"},
			{Name: "at_once_per_site", Before: "of them per site", Value: "0", After: "0 = no limit"},
			{Name: "floor", Before: "Keep in service", Value: "1", After: "per role, site"},
			{Name: "stop_after_failures", Before: "Stop a wave after", Value: "1", After: "failed"},
		},
		Groups: []page.ServerGroup{
			{Site: "Berlin", Servers: []page.ServerChoice{choice("CAS01", "RTM", "", true, "CAS"), choice("CAS02", "RTM", "", true, "CAS"), choice("HT01", "RTM", "", true, "HT"), choice("MBX01", "RTM", "", true, "MBX"), choice("MBX02", "RTM", "", true, "MBX")}},
			{Site: "Hamburg", Servers: []page.ServerChoice{choice("CAS11", "SP1", "at SP1 already", false, "CAS"), choice("MULTI11", "RTM", "", true, "CAS", "HT"), choice("HUM11", "RTM", "", true, "HT", "UM")}},
		},
	}
}
