package runbook

import (
	"testing"

	"wavekeeper/server/exchange"
)

// TestALanguagePackOfUnknownBuildIsRight: what the registry holds of a pack is a
// product code; where Windows Installer tells no build of it, nothing is wrong.
func TestALanguagePackOfUnknownBuildIsRight(t *testing.T) {
	t.Parallel()
	target, err := exchange.ParseBuild("8.1.240.6")
	if err != nil {
		t.Fatal(err)
	}
	for version, right := range map[string]bool{"8.1.240.5": true, "8.0.685.24": false, "8.2.176.2": false, "": true, "cef60964-21ae-47e0-93c6-611aa8941b7f": true} {
		if got := sameLevel(version, target); got != right {
			t.Errorf("%q is of the level of %s: %v", version, target, got)
		}
	}
}
