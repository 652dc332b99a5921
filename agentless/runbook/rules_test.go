package runbook

import (
	"fmt"
	"testing"

	"wavekeeper/agentless/windows"
)

func TestAnAlgorithmThatThePolicyForbidsIsSaid(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]Kind{
		"System.InvalidOperationException 80131509": Failed,
		"System.IO.IOException 80070020":            Again,
	} {
		out, err := trouble("write", fmt.Errorf("x: %w", &windows.ScriptError{Script: "file-write", What: what}))
		if err != nil || out.Kind != want || (out.Remedy != "") != (want == Failed) {
			t.Errorf("%s: %+v, %v, want %s", what, out, err, want)
		}
	}
}

func TestAHiddenCommandLineMayBeATasks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p    windows.Process
		want bool
	}{
		{windows.Process{Name: "CMD.EXE"}, true},
		{windows.Process{Name: "cmd.exe", CommandLine: "cmd"}, false},
		{windows.Process{Name: "System"}, false},
	} {
		if got := unreadable([]windows.Process{c.p}); got != c.want {
			t.Errorf("unreadable(%+v) = %t", c.p, got)
		}
	}
}
