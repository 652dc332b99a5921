package twin_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// Both schedulers refuse the run-as account with Windows' own codes, which the
// product's client reads: 2008 most of them when it registers, 2003 at the start.
func TestTheProductReadsWhyTheAccountCannotLogOn(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{
		"runas-locked": windows.ErrLockedOut, "runas-no-batch-right": windows.ErrBatchRight, "credentials-storage-forbidden": windows.ErrCredentialStorage,
	} {
		for _, os := range []string{"2003", "2008"} {
			t.Run(name+" on "+os, func(t *testing.T) {
				t.Parallel()
				s := server(t, "mbx1", "HT")
				s.OS = os
				_, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000, Faults: []twin.Fault{{Host: "MBX1", Name: name, Lasts: 9000 * time.Hour}}})
				h := host(t, s)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				task, err := windows.ScriptTask("wk-t-u1-canary-a1", "canary", runAs, runAsPass)
				if err != nil {
					t.Fatal(err)
				}
				if err := h.PrepareTask(ctx, task); err != nil {
					t.Fatal(err)
				}
				err = h.CreateTask(ctx, task)
				if err == nil {
					err = h.RunTask(ctx, task.Name)
				}
				if err == nil {
					look, bad := h.LookTask(ctx, task.Name)
					if bad != nil {
						t.Fatal(bad)
					}
					err = look.Refused(task.Name, runAs)
				}
				if !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
				if n := len(truth.entries(t, "task-ran")); n != 0 {
					t.Errorf("the task ran %d times", n)
				}
				if err := h.DeleteTask(ctx, task.Name); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
