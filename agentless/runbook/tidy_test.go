package runbook_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/windows"
)

// TestAFolderThatIsNotOursIsLeftAlone: it bears the name of a task of ours, and
// an ordinary user made it.
func TestAFolderThatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t, nil), context.Background()
	planted, ours := windows.TaskName("test", 17, "canary", 1), windows.TaskName("test", 17, "media", 1)
	if err := f.host.MakeTaskFolder(ctx, ours); err != nil {
		t.Fatal(err)
	}
	if _, err := f.host.Run(ctx, `md "`+windows.TaskFolder(planted)+`"`); err != nil {
		t.Fatal(err)
	}
	s, _ := runbook.Standalone().Step(runbook.Tidy)
	out := f.step(t, s)
	if out.Kind != runbook.Done || !strings.Contains(out.Message, planted+" was not made by Wavekeeper") || out.Remedy == "" {
		t.Errorf("tidy: %+v", out)
	}
	if _, err := runbook.Sweep(ctx, f.host, "test", nil); err != nil {
		t.Error(err)
	}
	if left, err := f.host.TaskFolders(ctx); err != nil || !slices.Equal(left, []string{planted}) {
		t.Errorf("folders left: %v, %v, want only %s", left, err, planted)
	}
}
