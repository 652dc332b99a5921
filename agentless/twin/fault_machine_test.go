package twin_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

const thirdParty = "ScanMail_Master"

// state is a service's state and start type as sc.exe shows them.
func (c *client) state(name string) (string, string) {
	c.tb.Helper()
	word := func(out, field string) string {
		_, rest, _ := strings.Cut(out, field)
		_, rest, _ = strings.Cut(rest, ": ")
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			c.tb.Fatalf("sc.exe says %q", out)
		}
		return fields[1]
	}
	_, now, _ := c.run("sc.exe query " + name)
	_, config, _ := c.run("sc.exe qc " + name)
	return word(now, "STATE"), word(config, "START_TYPE")
}

func TestAServiceWillNotStop(t *testing.T) {
	t.Parallel()
	c, f, _ := faulty(t, 6000, "HT", twin.Fault{Host: "MBX1", Name: "service-will-not-stop"})
	c.run("sc.exe stop " + thirdParty)
	if exit, _, _ := c.run("sc.exe stop " + thirdParty); exit != "1061" {
		t.Errorf("a second stop: %s, want 1061", exit)
	}
	if now, _ := c.state(thirdParty); now != "STOP_PENDING" {
		t.Errorf("it is %s", now)
	}
	if err := f.Mend("MBX1"); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "it stops", func() bool { now, _ := c.state(thirdParty); return now == "STOPPED" })
}

func TestANamedServiceWillNotStop(t *testing.T) {
	t.Parallel()
	c, _, _ := faulty(t, 6000, "HT", twin.Fault{Host: "MBX1", Name: "service-will-not-stop", At: "service:MSDTC"})
	c.run("sc.exe stop " + thirdParty)
	c.run("sc.exe stop MSDTC")
	within(t, 10*time.Second, "the other stops", func() bool { now, _ := c.state(thirdParty); return now == "STOPPED" })
	if now, _ := c.state("MSDTC"); now != "STOP_PENDING" {
		t.Errorf("MSDTC is %s", now)
	}
}

func TestAServiceComesBack(t *testing.T) {
	t.Parallel()
	c, _, truth := faulty(t, 100, "HT", twin.Fault{Host: "MBX1", Name: "service-comes-back"})
	back := func() {
		t.Helper()
		c.run("sc.exe config " + thirdParty + " start= disabled")
		c.run("sc.exe stop " + thirdParty)
	}
	back()
	within(t, 10*time.Second, "it stops", func() bool { return len(truth.entries(t, "service-stopped")) == 1 })
	within(t, 10*time.Second, "it runs again and starts by itself", func() bool {
		now, mode := c.state(thirdParty)
		return now == "RUNNING" && mode == "AUTO_START"
	})
	back()
	within(t, 10*time.Second, "it stops again", func() bool { now, _ := c.state(thirdParty); return now == "STOPPED" })
	if _, mode := c.state(thirdParty); mode != "DISABLED" {
		t.Errorf("the second time it is %s: once was declared", mode)
	}
}

func TestAServiceComesBackWithARestart(t *testing.T) {
	t.Parallel()
	c, f, _ := faulty(t, 3000, "HT")
	c.run("sc.exe config " + thirdParty + " start= disabled")
	if err := f.Inject(twin.Fault{Host: "MBX1", Name: "service-comes-back"}); err != nil {
		t.Fatal(err)
	}
	boot := c.bootTime()
	c.restarts()
	c.bootsAgain(boot, 10*time.Second)
	if now, mode := c.state(thirdParty); now != "RUNNING" || mode != "AUTO_START" {
		t.Errorf("%s %s", now, mode)
	}
}

func TestADiskIsFull(t *testing.T) {
	t.Parallel()
	c, f, _ := faulty(t, 3000, "HT")
	if err := f.Inject(twin.Fault{Host: "MBX1", Name: "disk-full", Lasts: 9000 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	long := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 2000)))
	if got := c.scriptError("file-write", `C:\WINDOWS\Temp\a.txt`, "0", long, "1"); got != "System.IO.IOException 80070070" {
		t.Errorf("a file of 2000 bytes: %q", got)
	}
	if exit, _, _ := c.run(`echo 0>C:\WINDOWS\Temp\rc&&if exist C:\WINDOWS\Temp\rc (exit 0) else (exit 1)`); exit != "0" {
		t.Error("a short file has no room beside its name")
	}
	if _, n := c.wql("SELECT FreeSpace FROM Win32_LogicalDisk WHERE DeviceID='C:'"); n.one("FreeSpace") != "0" {
		t.Errorf("free: %s", n.one("FreeSpace"))
	}
	if err := f.Mend("MBX1"); err != nil { // somebody made room
		t.Fatal(err)
	}
	if _, n := c.wql("SELECT FreeSpace FROM Win32_LogicalDisk WHERE DeviceID='C:'"); len(n.one("FreeSpace")) < 10 {
		t.Errorf("free again: %s", n.one("FreeSpace"))
	}
	if r := c.script("file-write", `C:\WINDOWS\Temp\a.txt`, "0", long, "1"); r["length"] != "2000" {
		t.Errorf("afterwards: %v", r)
	}
}

func TestSetupFailsWhenTheDiskIsFull(t *testing.T) {
	t.Parallel()
	c, _, truth := faulty(t, 6000, "HT", twin.Fault{Host: "MBX1", Name: "disk-full", Step: "setup", Lasts: 200 * time.Hour})
	c.setupRuns(setupTask)
	within(t, 20*time.Second, "Setup ends", func() bool { return len(truth.entries(t, "setup-ended")) == 1 })
	if e := truth.entries(t, "setup-ended")[0]; e.Detail["exit"] != 1.0 {
		t.Errorf("%v", e)
	}
	if c.marker("HubTransportRole", "Action") != "" {
		t.Error("the roles are marked")
	}
}

func TestTheClockIsOff(t *testing.T) {
	t.Parallel()
	c, f, _ := faulty(t, 1000, "HT")
	clock := func() time.Time {
		t.Helper()
		_, n := c.wql("SELECT LocalDateTime FROM Win32_OperatingSystem")
		at, err := time.Parse(time.RFC3339Nano, n.one("Datetime"))
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	if off := time.Until(clock()).Abs(); off > time.Minute {
		t.Fatalf("it is off by %v before", off)
	}
	if err := f.Inject(twin.Fault{Host: "MBX1", Name: "clock-off", Offset: -5 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	if off := time.Until(clock()); off > -4*time.Hour {
		t.Errorf("it is off by %v, want five hours behind", off)
	}
	if err := f.Mend("MBX1"); err != nil {
		t.Fatal(err)
	}
	if off := time.Until(clock()).Abs(); off > time.Minute {
		t.Errorf("put right, it is off by %v", off)
	}
}

func TestTheClockPassesEveryTrigger(t *testing.T) {
	t.Parallel()
	for _, st := range []string{"23:59:59", "00:00:00"} {
		t.Run(st[:2], func(t *testing.T) {
			t.Parallel()
			c, _, truth := faulty(t, 1000, "HT", twin.Fault{Host: "MBX1", Name: "clock-past-triggers"})
			c.run(`md C:\WINDOWS\Temp\go`)
			c.write(`C:\WINDOWS\Temp\go\body.cmd`, `@echo off`, `md C:\WINDOWS\Temp\go\ran`)
			if exit, out, errs := c.runWith(`schtasks.exe /create /tn wk-t-u1-setup-a1 /tr "C:\WINDOWS\Temp\go\body.cmd" /sc ONCE /st `+st+` /ru SYSTEM`, true); exit != "0" {
				t.Fatal(exit, out, errs)
			}
			if n := len(truth.entries(t, "clock-moved")); n != 1 {
				t.Fatalf("the clock moved %d times", n)
			}
			ran := func() bool {
				exit, _, _ := c.run(`if exist C:\WINDOWS\Temp\go\ran (exit 0) else (exit 1)`)
				return exit == "0"
			}
			if st == "00:00:00" { // the midnight that passed never fires
				if n := len(truth.entries(t, "task-ran")); n != 0 || ran() {
					t.Errorf("a task without a trigger ahead ran %d times", n)
				}
				return
			}
			within(t, 10*time.Second, "a trigger that works fires", ran)
		})
	}
}

func TestTheRunAsAccountCannotLogOn(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"runas-locked": "Could not start", "runas-no-batch-right": "Could not start", "credentials-storage-forbidden": "could not be set",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, truth := faulty(t, 1000, "HT", twin.Fault{Host: "MBX1", Name: name, Lasts: 8000 * time.Hour})
			for _, f := range []string{`C:\Wavekeeper`, `C:\Wavekeeper\tasks`, taskFolder(setupTask)} {
				c.script("folder-make", f)
			}
			c.write(taskFolder(setupTask)+`\body.cmd`, body(taskFolder(setupTask), "rem")...)
			create := `schtasks.exe /create /tn ` + setupTask + ` /tr "` + taskFolder(setupTask) + `\body.cmd" /sc ONCE /st 00:00:00 /ru ` + runAsArguments
			exit, said, errs := c.runWith(create, true)
			if exit != "0" {
				t.Fatal(exit, said, errs)
			}
			c.start(setupTask) // schtasks.exe says that it was attempted
			_, out, _ := c.run("schtasks.exe /query /tn " + setupTask)
			if !strings.Contains(said+out, want) {
				t.Errorf("create said %q, query says %q, want %q", said, out, want)
			}
			if ran, refused := len(truth.entries(t, "task-ran")), len(truth.entries(t, "access-refused")); ran != 0 || refused != 1 {
				t.Errorf("%d ran, %d refused", ran, refused)
			}
		})
	}
}

func TestAnotherUserPlantsTheTasksFolder(t *testing.T) {
	t.Parallel()
	c, _, _ := faulty(t, 1000, "HT", twin.Fault{Host: "MBX1", Name: "planted-folder", Step: "preflight"})
	canary := `C:\Wavekeeper\tasks\wk-t-u1-canary-a1`
	if r := c.script("folder-list", canary); r["exists"] != "1" || !strings.HasPrefix(r["entry"], "body.cmd|f|") {
		t.Errorf("the folder before it is made: %v", r)
	}
	r := c.script("folder-make", canary)
	if r["state"] != "foreign" || !strings.HasPrefix(r["owner"], "S-1-5-21-") {
		t.Errorf("folder-make: %v", r)
	}
	if r := c.script("folder-make", `C:\Wavekeeper\tasks\wk-t-u1-media-a1`); r["state"] != "made" {
		t.Errorf("the next one: %v", r)
	}
}

func TestAnotherPersonsSetupRuns(t *testing.T) {
	t.Parallel()
	s := server(t, "mbx1", "HT")
	f, _ := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	if err := f.Inject(twin.Fault{Host: "MBX1", Name: "foreign-setup", Lasts: 9000 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	_, n := c.wql("SELECT Name,CommandLine,SessionId FROM Win32_Process")
	found := map[string]string{}
	for _, p := range n.find("XmlFragment") {
		found[p.one("Name")] = p.one("SessionId")
	}
	for _, name := range []string{"explorer.exe", "Setup.com", "ExSetup.exe"} {
		if found[name] == "" || found[name] == "0" {
			t.Errorf("%s is in session %q", name, found[name])
		}
	}
	all, err := host(t, s).Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range windows.SetupProcesses(all) {
		if p.Owner != `CORP\otheradmin` {
			t.Errorf("%s is run by %q", p.Name, p.Owner)
		}
	}
	c.prepare(setupTask, runAsArguments, setupCommand+" >out.txt 2>&1")
	c.start(setupTask)
	if rc := c.result(setupTask, 10*time.Second); rc != "1" {
		t.Errorf("our own Setup beside it ended with %s", rc)
	}
	if err := f.Mend("MBX1"); err != nil {
		t.Fatal(err)
	}
	if _, n := c.wql("SELECT Name FROM Win32_Process"); strings.Contains(strings.Join(names(n), " "), "ExSetup.exe") {
		t.Error("it is mended and still there")
	}
}

func names(n node) []string {
	var all []string
	for _, e := range n.find("Name") {
		all = append(all, strings.TrimSpace(e.Text))
	}
	return all
}

func TestOneHostCannotReachTheRevocationList(t *testing.T) {
	t.Parallel()
	c, _, _ := faulty(t, 3000, "HT", twin.Fault{Host: "MBX1", Name: "revocation-unreachable"})
	c.setupRuns(setupTask)
	usual := time.NewTimer(2500 * time.Millisecond) // an hour is 1.2 s here
	<-usual.C
	if exit, _, _ := c.run("type " + taskFolder(setupTask) + `\rc`); exit == "0" {
		t.Error("Setup with the check on has ended in its usual time")
	}
	if rc := c.result(setupTask, 20*time.Second); rc != "0" {
		t.Errorf("Setup ended with %s", rc)
	}
}
