package page_test

import (
	"strings"
	"time"

	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func mediaList(f ui.Frame) page.MediaList {
	return page.MediaList{
		Frame: f, Lead: "3 media",
		Rows: []page.MediumRow{
			{ID: "3", Href: "/media/3", Name: "SP1, 64-bit", For: "de-DE, en-US", Build: "8.1.240.6", UM: "de-DE, ja-JP", Size: "890 MB", Staged: "4 of 12 hosts", Percent: 33, Added: ago(time.Hour), By: "command line (root)"},
			{ID: "2", Href: "/media/2", Name: "SP1, 32-bit", For: "the organization only", Build: "8.1.240.6", UM: "–", Size: "810 MB", Staged: "on 0 hosts", Added: ago(2 * time.Hour), By: "command line (root)"},
			{ID: "1", Href: "/media/1", Name: "SP1, 64-bit", For: "replaced", Unused: true, Build: "–", UM: "–", Size: "890 MB", Staged: "on 2 hosts", Added: ago(50 * time.Hour), By: "command line (root)"},
		},
		Sources: []page.SourceRow{{Site: "Berlin", From: `share \\fs1\wavekeeper`, Set: ago(time.Hour), By: "command line (root)"}, {Site: "all other sites", From: "the console"}},
	}
}

func medium(f ui.Frame) page.Medium {
	return page.Medium{
		Frame: f, Row: mediaList(f).Rows[0],
		Facts: []page.MediumFact{{Name: "File", Value: "E2K7SP1EN64.exe, 901333488 bytes"}, {Name: "SHA-256 of the file", Hash: strings.Repeat("ab", 32)}},
		Uses:  []page.MediumUse{{Package: "SP1, de-DE", Folder: `C:\Wavekeeper\media\sp1-x64-abababab`, Hosts: "8 hosts"}},
		Hosts: []page.StagedHost{
			{Server: ui.Link{Href: "/servers/MBX01", Text: "MBX01"}, Host: "MBX01", State: state("running"), Words: "43 % of 890 MB, 12 MB/s, from the console", Percent: 43, Moves: true, At: ago(3 * time.Minute), Asked: "operator: before the window"},
			{Server: ui.Link{Href: "/servers/MBX02", Text: "MBX02"}, Host: "MBX02", State: state("failed"), Words: "There is no room on C:", Remedy: "Make room, then ask for it again.", Refused: "It asked from 10.9.9.9, which is none of its addresses", At: ago(time.Hour), Asked: "operator: before the window"},
			{Host: "GONE", State: state("done"), Words: "every file was right 2 h ago", Percent: 100, At: ago(2 * time.Hour), Asked: "upgrade 7"},
		},
		More: "and 200 more hosts",
	}
}

// approveMedia is a wave whose media wait on one host, are fetched by another and
// did not come to a third.
func approveMedia(f ui.Frame) page.Approve {
	v := approve(f, "")
	v.Media = page.WaveMedia{
		Lead: "on 0 of 3 hosts", Action: "/rollouts/42/waves/3/stage", Cancel: "/rollouts/42/waves/3/unstage",
		Rows: []page.StagedHost{
			{Server: ui.Link{Href: "/servers/MBX01", Text: "MBX01"}, Host: "MBX01", State: state("running"), Words: "43 % of 890 MB, 12 MB/s, from the console", Percent: 43, Moves: true, Staging: "7"},
			{Server: ui.Link{Href: "/servers/MBX02", Text: "MBX02"}, Host: "MBX02", State: state("failed"), Words: "The console's own file of the media is damaged: it is not what was registered", Remedy: "Add the media again on the console (wavekeeper media add); then try again: it goes on from what came.", Staging: "8"},
			{Server: ui.Link{Href: "/servers/MBX11", Text: "MBX11"}, Host: "MBX11", State: state("waiting"), Words: "not before 22:00 UTC", Staging: "9"},
		},
	}
	return v
}

// upgradeHeld waits for media that did not come.
func upgradeHeld(f ui.Frame) page.Upgrade {
	return page.Upgrade{
		Frame: f, Crumbs: []ui.Link{{Href: "/rollouts", Text: "Rollouts"}, {Href: "/rollouts/42", Text: "Spring 2008"}},
		Top: page.UpgradeTop{
			What:   "Build",
			Server: "MBX02", Href: "/servers/MBX02", Roles: []string{"MBX"}, Site: "Berlin", State: state("held"), From: "8.0.685.25", To: "8.1.240.6", Now: "not started",
			Wave: ui.Link{Href: "/rollouts/42/waves/3", Text: "wave 3"}, Media: ui.Link{Href: "/rollouts/42/waves/3#wave-media", Text: "Media of wave 3"},
			Reasons: []string{"The media did not come to MBX02: the disk is full. Cure that and ask for it again: it goes on from what came."},
		},
	}
}
