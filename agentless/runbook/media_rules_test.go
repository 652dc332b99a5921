package runbook

import (
	"testing"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

func TestMediaIsComparedWithTheHost(t *testing.T) {
	t.Parallel()
	const english, german = 1033, 1031
	for name, c := range map[string]struct {
		inventory, media string
		windows          int
		want             Severity
	}{
		"all alike":                            {"en-US", "en-us", english, Pass},
		"media of another language":            {"en-US", "de-DE", english, Blocker},
		"English Exchange on a German Windows": {"en-US", "en-US", german, Warning},
		"an inventory that says nothing":       {"", "en-US", english, Pass},
	} {
		w := &Work{Server: exchange.Server{Language: c.inventory}, Package: Package{Language: c.media}}
		if got := ruleLanguage(w, seen{os: windows.OS{Language: c.windows}}); got.severity != c.want {
			t.Errorf("language, %s: %+v, want %s", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		inventory, media, windows string
		want                      Severity
	}{
		"all alike":                      {"x64", "x64", "x64", Pass},
		"an inventory that is wrong":     {"x64", "x64", "x86", Blocker},
		"media of another architecture":  {"x64", "x86", "x86", Blocker},
		"a host that says nothing":       {"x64", "x64", "", Pass},
		"media that nothing is known of": {"x64", "", "x64", Pass},
	} {
		w := &Work{Server: exchange.Server{Arch: c.inventory}, Package: Package{Arch: c.media}}
		if got := ruleArchitecture(w, seen{arch: c.windows}); got.severity != c.want {
			t.Errorf("architecture, %s: %+v, want %s", name, got, c.want)
		}
	}
}
