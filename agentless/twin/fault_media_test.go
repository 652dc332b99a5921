package twin_test

import (
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
)

// TestFaultsOfMediaDoWhatTheySay walks the steps up to Setup under each.
func TestFaultsOfMediaDoWhatTheySay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault twin.Fault
		ends  string // "" = at the target
	}{
		"media-cut":       {twin.Fault{Step: "stage", Times: 3}, ""},
		"media-changed":   {twin.Fault{Step: "stage"}, ""},
		"media-away":      {twin.Fault{Step: "stage"}, ""}, // the listener's; a share is there
		"media-truncated": {twin.Fault{Step: "stage", At: "request:9"}, ""},
		"tree-changed":    {twin.Fault{Step: "preflight", At: `file:setup.com`}, "preflight failed: The media is not the registered package: setup.com has another content"},
		"tree-extra":      {twin.Fault{Step: "setup", At: "request:9"}, "setup failed: The media changed after it was proven, and Setup was not begun"},
		"fips-policy":     {twin.Fault{Step: "stage"}, "stage failed: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.fault.Host, c.fault.Name = "*", name
			w, truth := walk(t, server(t, "multi1", "CAS+HT"), 4000, c.fault)
			w.disturbed = true
			if ended := w.all("facts"); !strings.HasPrefix(ended, c.ends) || c.ends == "" && ended != "" {
				t.Errorf("ended %q, want %q", ended, c.ends)
			}
			if n := len(truth.entries(t, "fault")); n == 0 && name != "media-away" {
				t.Error("the fault did not begin")
			}
			if n := len(truth.entries(t, "setup-started")); (n == 1) != (c.ends == "") {
				t.Errorf("Setup started %d times", n)
			}
		})
	}
}
