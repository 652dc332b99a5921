package httpd

import (
	"testing"

	"wavekeeper/server/store"
)

// TestHistorySaysBeforeAndAfter: of a change, the values that differ.
func TestHistorySaysBeforeAndAfter(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string]string{
		`{"before":{"auth":"basic","ranges":["10.0.0.0/8"],"https":false},"after":{"auth":"basic","ranges":["10.0.0.0/8","127.0.0.0/8"],"https":true}}`: "moved · https false → true, ranges 10.0.0.0/8 → 10.0.0.0/8, 127.0.0.0/8",
		`{"before":null,"after":{"ca":"","plain_basic":true}}`: "moved · plain basic – → true",
		`{"decision":"clear-markers","state":"out-of-sight"}`:  "moved · decision Clear Action and Watermark, state out of sight",
		`{"servers":2,"empty":null}`:                           "moved · servers 2",
	} {
		if got := entryWords(store.HistoryEntry{Source: "a", Reason: "moved", Detail: detail}); got != want {
			t.Errorf("entryWords(%s) = %q, want %q", detail, got, want)
		}
	}
}
