package httpd

import (
	"testing"
	"time"

	"wavekeeper/web/ui"
)

// TestFactsAreShownInWords: nothing that was read is an empty cell, and times
// are the viewer's.
func TestFactsAreShownInWords(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 9, 16, 18, 25, 49, 0, time.UTC)
	clock := ui.Clock{Now: at.Add(time.Minute), Zone: time.FixedZone("CEST", 7200)}
	for _, tc := range []struct{ name, value, words, shown string }{
		{"pending_restart", `[]`, "waits for a restart", "no"},
		{"setup_processes", `[]`, "Setup processes", "none"},
		{"boot_time", `"2026-09-16T18:25:49Z"`, "running since", "20:25:49 CEST"},
		{"um_languages", `["de-DE","en-US"]`, "um languages", "de-DE, en-US"},
	} {
		if got := factName(tc.name); got != tc.words {
			t.Errorf("factName(%s) = %q, want %q", tc.name, got, tc.words)
		}
		if got := factShown(tc.name, []byte(tc.value), clock); got != tc.shown {
			t.Errorf("factShown(%s, %s) = %q, want %q", tc.name, tc.value, got, tc.shown)
		}
	}
}
