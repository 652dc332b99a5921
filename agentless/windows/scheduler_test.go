package windows_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
)

// within polls until ok says so.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func TestAHostTaskRunsOnceOnWindows2008(t *testing.T) {
	t.Parallel()
	const secret = `pa"ss %PATH% ^&|<>'ü東\`
	var (
		mu   sync.Mutex
		seen []string
	)
	h, ctx := hostWith(t, func(o *twin.Options) {
		o.Servers[0].OS, o.RunAsPassword = "2008", secret
		o.Observe = func(it twin.Observation) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, fmt.Sprint(it.What, it.Detail))
		}
	}), context.Background()
	for account, password := range map[string]string{"": "", `LAB\svc`: secret} {
		name := fmt.Sprintf("wk-test-u%d-canary-a1", 1+len(account))
		task, err := windows.ScriptTask(name, "canary", account, password)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.PrepareTask(ctx, task); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a repeated registration changes nothing
			if err := h.CreateTask(ctx, task); err != nil {
				t.Fatalf("create as %q: %v", account, err)
			}
		}
		if look, err := h.LookTask(ctx, name); err != nil || look.State != windows.TaskCreated || !look.Job {
			t.Errorf("registered as %q: %+v, %v", account, look, err)
		}
		for range 2 { // and a repeated start neither
			if err := h.RunTask(ctx, name); err != nil {
				t.Fatal(err)
			}
		}
		within(t, 20*time.Second, "the task ends", func() bool {
			look, err := h.LookTask(ctx, name)
			return err == nil && look.State == windows.TaskEnded && look.Exit == 0
		})
		records, err := h.TaskRecords(ctx, name, "canary")
		if err != nil {
			t.Fatal(err)
		}
		if who := records.Get("user"); account != "" && who != account {
			t.Errorf("it ran as %s, want %s", who, account)
		}
		if tasks, err := h.RegisteredTasks(ctx, `C:\Windows`); err != nil || len(tasks) != 1 || tasks[0] != name {
			t.Errorf("registered tasks %v, %v", tasks, err)
		}
		for range 2 {
			if err := h.DeleteTask(ctx, name); err != nil {
				t.Fatal(err)
			}
		}
		if there, err := h.TaskRegistered(ctx, name); there || err != nil {
			t.Errorf("deleted task: %t, %v", there, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, line := range seen {
		if strings.Contains(line, "pa\"ss") {
			t.Errorf("the password is on the host in %q", line)
		}
	}
}

func TestAnAccountThatIsRefusedIsSaidInWords(t *testing.T) {
	t.Parallel()
	h, ctx := hostWith(t, func(o *twin.Options) { o.Servers[0].OS = "2008" }), context.Background()
	task, err := windows.ScriptTask("wk-test-u1-canary-a1", "canary", `LAB\svc`, "wrong")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.PrepareTask(ctx, task); err != nil {
		t.Fatal(err)
	}
	err = h.CreateTask(ctx, task)
	var refused *windows.TaskRefusedError
	if !errors.As(err, &refused) || !errors.Is(err, windows.ErrLogon) || refused.Code != 0x8007052e || refused.Remedy() == "" || refused.Account != `LAB\svc` {
		t.Errorf("a wrong password: %v", err)
	}
	if there, err := h.TaskRegistered(ctx, task.Name); there || err != nil {
		t.Errorf("a refused task is registered: %t, %v", there, err)
	}
	if err := h.RunTask(ctx, task.Name); err == nil {
		t.Error("a task that is not there was run")
	}
}
