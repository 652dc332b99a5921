package page_test

import (
	"time"

	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func events() []page.Event {
	return []page.Event{
		{At: ago(12 * time.Second), State: "running", Where: "MBX01", Href: "/rollouts/42/upgrades/MBX01", Text: "Setup: configuring Mailbox role"},
		{At: ago(3 * time.Minute), State: "done", Where: "HT02", Href: "/rollouts/42/upgrades/HT02", Text: "verified at 8.1.240.6"},
		{At: ago(4 * time.Minute), State: "held", Where: "MBX02", Href: "/rollouts/42/upgrades/MBX02", Text: "held: floor of Mailbox in Berlin"},
		{At: ago(21 * time.Minute), State: "approved", Where: "Wave 2", Href: "/rollouts/42/waves/2", Text: "approved by operator: 6 servers"},
		{At: ago(55 * time.Minute), State: "done", Where: "Wave 1", Href: "/rollouts/42/waves/1", Text: "done after 34 min"},
	}
}

func waiting() []page.Waiting {
	return []page.Waiting{
		{
			State: state("interrupted"), Title: "Decide about UM01", Detail: "Spring 2008 · Setup began and did not end", Href: "/rollouts/42/upgrades/UM01", Act: "Look and decide", Since: ago(8 * time.Minute),
			Links: []ui.Link{{Href: "/rollouts/42/upgrades/UM01/look", Text: "Look again"}, {Href: "/rollouts/42/upgrades/UM01/retry", Text: "Run again"}, {Href: "/rollouts/42/upgrades/UM01/verify", Text: "Mark repaired and verify"}, {Href: "/rollouts/42/upgrades/UM01/skip", Text: "Skip"}},
		},
		{State: ui.State{Key: "warning"}, Title: "CAS11: 1 thing is not put back", Detail: "Autumn 2007 · Service SMTPFILTER", Href: "/rollouts/41/upgrades/CAS11#ledger", Act: "Look at it", Since: ago(26 * time.Hour)},
		{State: ui.State{Key: "running", Note: "silent"}, Title: "MBX01 has been silent for 44 min", Detail: "Spring 2008 · Exchange Setup runs as a host task · nothing is interrupted by that", Href: "/rollouts/42/upgrades/MBX01", Act: "Look at it", Since: ago(44 * time.Minute)},
		{State: state("waiting"), Title: "Approve wave 3: 2 servers", Detail: "Spring 2008 · SP1 · planned by lead", Href: "/rollouts/42/waves/3", Act: "Look and approve", Since: ago(65 * time.Minute)},
	}
}

func home(f ui.Frame) page.Home {
	f.Stream = "/stream"
	return page.Home{
		Frame: f, Waiting: waiting(), Events: events(),
		Running: []page.Running{
			{Href: "/rollouts/42", Name: "Spring 2008", Package: "SP1", State: state("running"), Wave: "wave 2 of 4", Parts: parts(), Words: "5 of 12 servers done", Elapsed: "1 h 12 min", Left: "about 1 h 40 min left"},
			{Href: "/rollouts/43", Name: "Edge first", Package: "SP1", State: state("waiting"), Wave: "wave 1 of 1", Parts: []ui.Part{{Key: "waiting", Count: 2}}, Words: "0 of 2 servers done", Left: "starts when wave 1 is approved"},
		},
		Fleet: page.Fleet{
			Total: "12 servers in 2 sites", Builds: []string{"RTM", "SP1", "not known"},
			Rows: []page.FleetRow{
				{Role: "ClientAccess", Cells: cells(0, 5, 0)},
				{Role: "HubTransport", Cells: cells(1, 3, 0)},
				{Role: "Mailbox", Cells: cells(3, 0, 1)},
				{Role: "UnifiedMessaging", Cells: cells(2, 0, 0)},
				{Role: "EdgeTransport", Cells: cells(1, 0, 0)},
			},
		},
	}
}

func cells(counts ...int) []page.FleetCell {
	total := 0
	for _, c := range counts {
		total += c
	}
	out := make([]page.FleetCell, 0, len(counts))
	for _, c := range counts {
		out = append(out, page.FleetCell{Count: c, Percent: 100 * c / total, Href: "/servers", Words: ui.Count(c, "server", "servers")})
	}
	return out
}

func homeEmpty(f ui.Frame) page.Home {
	f.Waiting = 0
	return page.Home{Frame: f, Start: []page.FirstStep{
		{Done: true, Text: "Make the first administrator", Detail: "admin was made today"},
		{Text: "Import the servers", Detail: "A CSV file; a preview comes first.", Link: ui.Link{Href: "/servers/import", Text: "Import servers"}},
		{Text: "Make a plan", Detail: "Choose servers and a package; the order is worked out and proven."},
		{Text: "Submit it and approve its first wave", Detail: "An operator who is not its author approves."},
	}}
}

func parts() []ui.Part {
	return []ui.Part{{Key: "done", Count: 5}, {Key: "running", Count: 2}, {Key: "held", Count: 1}, {Key: "interrupted", Count: 1}, {Key: "waiting", Count: 3}}
}

func plans(f ui.Frame) page.Plans {
	return page.Plans{
		Frame: f, Acts: []ui.Act{{Href: "/plans/new", Text: "New plan", Kind: "primary"}},
		Rows: []page.PlanRow{
			{Name: "Spring 2008", Href: "/plans/7", Package: "SP1", Revision: "revision 2", State: state("submitted"), Servers: "12 servers in 4 waves", Author: "lead", Changed: ago(3 * time.Hour), Rollout: ui.Link{Href: "/rollouts/42", Text: "Rollout 42"}, Result: state("running")},
			{Name: "Hamburg first", Href: "/plans/8", Package: "SP1", Revision: "revision 1", State: state("draft"), Servers: "5 servers in 3 waves", Author: "lead", Changed: ago(20 * time.Minute)},
			{Name: "Everything at once", Href: "/plans/6", Package: "SP1", Revision: "revision 1", State: state("rejected"), Servers: "12 servers in 4 waves", Author: "lead", Changed: ago(28 * time.Hour)},
		},
	}
}

func rollouts(f ui.Frame) page.Rollouts {
	return page.Rollouts{Frame: f, Rows: []page.RolloutRow{
		{Name: "Spring 2008", Href: "/rollouts/42", Package: "SP1", State: state("running"), Parts: parts(), Started: ago(72 * time.Minute), Took: "1 h 12 min"},
		{Name: "Lab", Href: "/rollouts/41", Package: "SP1", State: state("done"), Parts: []ui.Part{{Key: "done", Count: 4}}, Started: ago(50 * time.Hour), Took: "2 h 3 min"},
	}}
}

func history(f ui.Frame) page.History {
	return page.History{
		Frame: f, Words: "18,204 entries",
		Chain: page.Chain{Key: "done", Text: "Verified to entry 18,204 at 14:04:50 UTC", Note: "Every entry holds the hash of the one before; none was changed, taken out or put in between. Without a checkpoint kept elsewhere, tampering by the database's administrator cannot be detected."},
		Filter: page.HistoryFilter{
			People: []page.Choice{{Value: "lead", Text: "lead"}, {Value: "operator", Text: "operator", On: true}},
			Kinds:  []page.Choice{{Value: "decision", Text: "decisions"}, {Value: "event", Text: "events"}}, Set: true,
		},
		Exports: []ui.Link{{Href: "/history.csv", Text: "CSV"}, {Href: "/history.ndjson", Text: "NDJSON"}},
		Rows: []page.HistoryRow{
			{ID: "18204", At: ago(21 * time.Minute), Decision: true, Who: "operator", What: "Wave approved", Kind: "wave.approve", Subject: "Spring 2008, wave 2", Href: "/rollouts/42/waves/2", Detail: "Change 4712, agreed with the help desk", Hash: "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9", State: "approved"},
			{ID: "42-311", At: ago(22 * time.Minute), Who: "the coordinator", What: "Upgrade done", Kind: "upgrade.done", Subject: "CAS02", Href: "/rollouts/42/upgrades/CAS02", Detail: "verified at 8.1.240.6", State: "done"},
			{ID: "18203", At: ago(3 * time.Hour), Decision: true, Who: "lead", What: "Plan submitted", Kind: "plan.submit", Subject: "Spring 2008, revision 2", Href: "/plans/7", Detail: "12 servers in 4 waves", Hash: "7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730", State: "submitted"},
			{ID: "18202", At: ago(28 * time.Hour), Decision: true, Who: "lead", What: "Inventory imported", Kind: "inventory.import", Subject: "fleet.csv", Detail: "12 new", Hash: "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"},
		},
		Next: "/history?before=x",
	}
}
