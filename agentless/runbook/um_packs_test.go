package runbook_test

import (
	"context"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
)

// TestALanguagePackThatDoesNotLeaveStopsTheServer before anything that cannot be
// taken back; the next attempt goes through.
func TestALanguagePackThatDoesNotLeaveStopsTheServer(t *testing.T) {
	t.Parallel()
	f := standalone(t, "UM", "en-US")
	if err := f.fleet.Inject(twin.Fault{Host: "MBX1", Name: "um-pack-stays"}); err != nil {
		t.Fatal(err)
	}
	step, out := f.walk(t, "facts")
	if step != "um-out" || out.Kind != runbook.Failed || !strings.Contains(out.Message, "de-DE is still installed") || !strings.Contains(out.Message+out.Remedy, "1612") {
		t.Fatalf("%s ended %s: %s\n%s", step, out.Kind, out.Message, out.Remedy)
	}
	for _, d := range f.did(t) {
		if d == "setup/mode:upgrade" {
			t.Error("the upgrade began")
		}
	}
	if open := f.book.open(); len(open) > 0 || len(f.book.deviations) > 0 {
		t.Errorf("ledger %+v, deviations %v: the pack never left", open, f.book.deviations)
	}
	f.clean(t)
	f.retry("facts")
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("retry ended in %s %s: %s", step, out.Kind, out.Message)
	}
	f.asSet(t)
}

// TestALanguagePackThatTheMediaLacksIsSaid, and one of an older level is not used.
func TestALanguagePackThatTheMediaLacksIsSaid(t *testing.T) {
	t.Parallel()
	f := standalone(t, "UM", "en-US")
	f.lost = func(step string, tick int) bool {
		if step == "verify" && tick == 0 {
			folder := `C:\Wavekeeper\media\sp1-en-US-x64\Setup\ServerRoles\UnifiedMessaging`
			if _, err := f.host.Run(context.Background(), `del /f /q "`+folder+`\UMLanguagePack.fr-FR.msi"`); err != nil {
				t.Error(err)
			}
		}
		return false
	}
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s %s: %s", step, out.Kind, out.Message)
	}
	if out := f.out["um-in"]; !strings.Contains(out.Message, "holds no language pack fr-FR") || out.Remedy == "" {
		t.Errorf("um-in: %+v", out)
	}
	if len(f.book.deviations) != 1 || !strings.Contains(f.book.deviations[0], "fr-FR") {
		t.Errorf("deviations: %v", f.book.deviations)
	}
}
