package page_test

import (
	"time"

	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// constants are two, of which a host contradicts one.
func constants(f ui.Frame) page.Constants {
	return page.Constants{
		Frame: f, Lead: "2 constants, 1 contradicted by a host", Note: "The hosts of this demo are simulated.",
		Facets: []page.Facet{{Title: "Standing", Choices: []page.FacetChoice{
			{Text: "all", Count: 2, Href: "/constants", On: true}, {Text: "remembered", Count: 1, Href: "/constants?standing=remembered"},
		}}},
		Acts: []ui.Act{{Href: "/servers/contact", Text: "First contact with all hosts", Post: true}},
		Rows: []page.ConstantRow{
			{
				Name: "registry.exchange", Value: `HKLM\SOFTWARE\Microsoft\Exchange\v8.0`, What: "one key for each role below it", Standing: "documented",
				Source: "the founding document", Windows: "all", How: "StdRegProv: the key is there",
			},
			{
				Name: "service.MSSpeechService", Value: "MSSpeechService", What: "stopped, started and verified by its short name", Standing: "remembered",
				Source: "general knowledge", Windows: "all", How: "WQL: Win32_Service lists it",
				Hosts:   []page.ConstantHosts{{Text: "Windows Server 2003: holds on 3 hosts"}, {Text: "Windows Server 2008: differs on 1 host", Bad: true}},
				Against: []ui.Link{{Href: "/servers/UM01", Text: "UM01 says not there"}},
			},
		},
	}
}

// serverContacted is a server of which a first contact failed at the login, and
// one constant differs from before.
func serverContacted(f ui.Frame) page.Server {
	s := server(f)
	s.Hosts[0].Contact = &page.FirstContact{
		Words: "Asked for by lead, 4 minutes ago: denied", Bad: true, At: ago(4 * time.Minute),
		Steps: []page.ContactStep{
			{Name: "port", State: "ok", Words: "10.1.2.3:5985 takes a TCP connection"},
			{Name: "authentication", State: "failed", Words: "the credential was refused", Remedy: `Name the account as DOMAIN\user.`},
			{Name: "rights", State: "not tried"},
		},
		Counts: "60 hold here, 1 differ, 20 are not for this host, 0 could not be asked",
		Differ: []page.ConstantRow{{Name: "service.MSSpeechService", Value: "MSSpeechService", What: "not there"}},
	}
	return s
}
