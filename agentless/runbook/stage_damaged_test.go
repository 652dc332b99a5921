package runbook_test

import (
	"net/http"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
)

// TestADamagedFileOnTheConsoleIsNotTheHostsFault: the console says 410 for it,
// and bytes that are wrong though the console's file is right are looked for
// elsewhere. Of a mirror the same is said in its own words.
func TestADamagedFileOnTheConsoleIsNotTheHostsFault(t *testing.T) {
	t.Parallel()
	gone := func(*medium) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusGone)
		}
	}
	flipped := func(m *medium) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			wrong := append([]byte{}, m.bundle...)
			wrong[7]++
			_, _ = w.Write(wrong) // the host says what came
		}
	}
	for name, c := range map[string]struct {
		answers func(*medium) http.HandlerFunc
		token   string
		want    string // of message and remedy
	}{
		"damaged on the console": {gone, "t", "The console's own file of the media is damaged: it is not what was registered|Add the media again on the console"},
		"gone from a mirror":     {gone, "", "does not give the media to this host: HTTP 410|See that the share or mirror"},
		"changed on the way":     {flipped, "t", "is not the registered media: it came twice|look at what is on the way"},
		"changed on a mirror":    {flipped, "", "is not the registered media: it came twice|Export the media anew"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, m := withMedium(t, nil)
			mirrorOf(t, m, c.answers(m))
			m.at.Token = strings.Repeat(c.token, 64)
			out := f.stages(t, func(runbook.Outcome) {})
			message, remedy, _ := strings.Cut(c.want, "|")
			if out.Kind != runbook.Failed || !strings.Contains(out.Message, message) || !strings.Contains(out.Remedy, remedy) {
				t.Errorf("ended %v, %q, %q, want %q", out.Kind, out.Message, out.Remedy, c.want)
			}
		})
	}
}
