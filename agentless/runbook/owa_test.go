package runbook_test

import (
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
)

// TestWhatWasChangedInOutlookWebAccessIsRecordedAndShown: the pages of logging on,
// which Setup overwrites, and the themes, of which each level brings its own.
func TestWhatWasChangedInOutlookWebAccessIsRecordedAndShown(t *testing.T) {
	t.Parallel()
	f := standalone(t, "CAS", "en-US")
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
	}
	kept := func(kind, name string) bool {
		return slices.ContainsFunc(f.evidence, func(e runbook.Evidence) bool {
			return e.Kind == kind && strings.EqualFold(e.Name, name) && strings.Contains(string(e.Data), "8.")
		})
	}
	for _, file := range []string{`ClientAccess\Owa\auth\logon.aspx`, `ClientAccess\Owa\8.0.685.25\themes\base\logon.css`, `ClientAccess\Owa\8.0.685.25\themes\base\lgntopl.gif`} {
		if !kept(runbook.KeptFileEvidence, file) {
			t.Errorf("%s was not kept", file)
		}
	}
	if !kept(runbook.NewFileEvidence, `ClientAccess\Owa\auth\logon.aspx`) {
		t.Error("the new page of logging on is not shown")
	}
	if got := f.out["um-config"].Message; !strings.Contains(got, `base\logon.css`) || !strings.Contains(got, `logon.aspx`) {
		t.Errorf("said: %s", got)
	}
	if !kept(runbook.OWAEvidence, "themes of Outlook Web Access") {
		t.Error("the differences of the themes were not kept")
	}
}
