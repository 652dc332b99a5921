package twin_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

const setupCommand = `C:\Wavekeeper\media\sp1-en-US-x64\setup.com /mode:Upgrade`

// body is a host task as the product sends it.
func body(folder string, lines ...string) []string {
	all := []string{
		`@echo off`, `md "` + folder + `\started" 2>nul || exit /b 0`, `cd /d "` + folder + `"`,
	}
	all = append(all, lines...)
	return append(all, `set code=%ERRORLEVEL%`, `>rc.tmp echo %code%`, `move /y rc.tmp rc >nul`)
}

func taskFolder(name string) string { return `C:\Wavekeeper\tasks\` + name }

// prepare makes a task's folder and body and registers it under the account.
func (c *client) prepare(name, account string, lines ...string) {
	c.tb.Helper()
	for _, f := range []string{`C:\Wavekeeper`, `C:\Wavekeeper\tasks`, taskFolder(name)} {
		if r := c.script("folder-make", f); r["state"] == "foreign" {
			c.tb.Fatalf("folder-make %s: %v", f, r)
		}
	}
	c.write(taskFolder(name)+`\body.cmd`, body(taskFolder(name), lines...)...)
	line := fmt.Sprintf(`schtasks.exe /create /tn %s /tr "%s\body.cmd" /sc ONCE /st 00:00:00 /ru %s`, name, taskFolder(name), account)
	exit, out, errs := c.runWith(line, true)
	if exit != "0" {
		c.tb.Fatalf("create task: %s %s %s", exit, out, errs)
	}
}

func (c *client) start(name string) {
	c.tb.Helper()
	if exit, _, errs := c.run(`schtasks.exe /run /tn ` + name); exit != "0" {
		c.tb.Fatalf("run task: %s %s", exit, errs)
	}
}

// result waits for a task's exit code.
func (c *client) result(name string, d time.Duration) string {
	c.tb.Helper()
	rc := ""
	within(c.tb, d, "task "+name+" has a result", func() bool {
		exit, out, _ := c.run(`type ` + taskFolder(name) + `\rc`)
		rc = strings.TrimSpace(out)
		return exit == "0"
	})
	return rc
}

const runAsArguments = `"` + runAs + `" /rp ` + runAsPass

func (c *client) configuredVersion(key string) string {
	c.tb.Helper()
	return c.registry("GetStringValue", `SOFTWARE\Microsoft\Exchange\v8.0\`+key, "ConfiguredVersion").one("sValue")
}

func TestSetupTakesAServerToItsServicePack(t *testing.T) {
	t.Parallel()
	s := server(t, "multi1", "CAS+HT+MBX")
	s.Services = []string{"ScanMail_Master"}
	_, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 6000})
	c := dial(t, s)
	for _, line := range []string{"sc.exe config ScanMail_Master start= disabled", "sc.exe stop ScanMail_Master"} {
		if exit, out, _ := c.run(line); exit != "0" {
			t.Fatalf("%s: %s %s", line, exit, out)
		}
	}
	within(t, 10*time.Second, "ScanMail_Master is stopped", func() bool {
		_, out, _ := c.run("sc.exe queryex ScanMail_Master")
		return strings.Contains(out, ": 1  STOPPED")
	})
	c.prepare("wk-t-u1-setup-a1", runAsArguments, setupCommand+` >out.txt 2>&1 <nul`)
	c.start("wk-t-u1-setup-a1")
	c.start("wk-t-u1-setup-a1") // and once more: the guard and the scheduler hold
	if rc := c.result("wk-t-u1-setup-a1", 30*time.Second); rc != "0" {
		_, log, _ := c.run(`type C:\ExchangeSetupLogs\ExchangeSetup.log`)
		t.Fatalf("Setup ended with %s\n%s", rc, log)
	}
	for _, key := range []string{"AdminTools", "ClientAccessRole", "HubTransportRole", "MailboxRole"} {
		if got := c.configuredVersion(key); got != "8.1.240.6" {
			t.Errorf("%s is at %s", key, got)
		}
		if got := c.registry("GetStringValue", `SOFTWARE\Microsoft\Exchange\v8.0\`+key, "Action").one("ReturnValue"); got != "1" {
			t.Errorf("%s still has an Action: %s", key, got)
		}
	}
	_, log, _ := c.run(`type C:\ExchangeSetupLogs\ExchangeSetup.log`)
	if !strings.Contains(log, "[0] The Exchange Server setup operation completed successfully.") {
		t.Errorf("log ends with %q", log[max(0, len(log)-300):])
	}
	if n := len(truth.entries(t, "setup-started")); n != 1 {
		t.Errorf("setup-started %d times", n)
	}
	ended := truth.entries(t, "setup-ended")
	if len(ended) != 1 || ended[0].Detail["build"] != "8.1.240.6" || ended[0].Detail["exit"] != 0.0 || ended[0].Host != "MULTI1" {
		t.Errorf("setup-ended: %v", ended)
	}
	stopped := map[string]bool{}
	for _, e := range truth.entries(t, "service-stopped") {
		stopped[e.Detail["service"].(string)] = true
	}
	for _, name := range []string{"ScanMail_Master", "MSExchangeIS", "MSExchangeADTopology", "MSExchangeTransport", "W3SVC"} {
		if !stopped[name] {
			t.Errorf("%s was not stopped", name)
		}
	}
	for _, name := range []string{"MSExchangeIS", "MSExchangeTransport", "W3SVC"} {
		if _, out, _ := c.run("sc.exe queryex " + name); !strings.Contains(out, "RUNNING") {
			t.Errorf("%s does not run: %s", name, out)
		}
	}
	if n := len(truth.entries(t, "order-broken")); n != 0 {
		t.Errorf("order-broken %d times: a server never counts against itself", n)
	}
}

func TestSetupFailsAsTheRealOne(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, before, account, line, want string
	}{
		{"system", "ver", "SYSTEM", setupCommand, "An operations error occurred"},
		{"netfx", `reg add "HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v2.0.50727" /v SP /t REG_DWORD /d 0 /f`, runAsArguments, setupCommand, ".NET Framework 2.0 Service Pack 1"},
		{"watermark", `reg add "HKLM\SOFTWARE\Microsoft\Exchange\v8.0\HubTransportRole" /v Action /d Install /f`, runAsArguments, setupCommand, `performing the action "Install"`},
		{"holder", "ver", runAsArguments, setupCommand, "Error code is 1603"},
		{"switch", "ver", runAsArguments, setupCommand + " /nosuch", "'/nosuch' is not recognized"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := server(t, "ht"+tc.name, "HT")
			if tc.name == "holder" {
				s.Services = []string{"BackupExecAgentAccelerator"}
			}
			_, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 20000})
			c := dial(t, s)
			if exit, _, errs := c.run(tc.before); exit != "0" {
				t.Fatalf("%s: %s %s", tc.before, exit, errs)
			}
			c.prepare("wk-t-u1-setup-a1", tc.account, tc.line+" >out.txt 2>&1")
			c.start("wk-t-u1-setup-a1")
			if rc := c.result("wk-t-u1-setup-a1", 20*time.Second); rc != "1" {
				t.Errorf("Setup ended with %s", rc)
			}
			_, log, _ := c.run(`type C:\ExchangeSetupLogs\ExchangeSetup.log`)
			_, out, _ := c.run(`type ` + taskFolder("wk-t-u1-setup-a1") + `\out.txt`)
			if !strings.Contains(log+out, tc.want) {
				t.Errorf("log and output lack %q:\n%s\n%s", tc.want, log, out)
			}
			if got := c.configuredVersion("HubTransportRole"); got != "8.0.685.25" {
				t.Errorf("the role is at %s", got)
			}
			if e := truth.entries(t, "setup-ended"); len(e) != 1 || e[0].Detail["exit"] != 1.0 {
				t.Errorf("setup-ended: %v", e)
			}
		})
	}
}

func TestSetupInAShellCannotReachActiveDirectory(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 20000})
	c := dial(t, s)
	exit, out, _ := c.run(setupCommand)
	if exit != "1" || !strings.Contains(out, "An operations error occurred") {
		t.Errorf("Setup in a shell: %s %q", exit, out)
	}
	exit, _, errs := c.run(`powershell -Command "Get-ExchangeServer"`)
	if exit != "1" || !strings.Contains(errs, "An operations error occurred") {
		t.Errorf("cmdlet in a shell: %s %q", exit, errs)
	}
}

func TestSecondSetupIsRefusedAndOnRecord(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	_, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 600})
	c := dial(t, s)
	c.prepare("wk-t-u1-setup-a1", runAsArguments, setupCommand)
	c.prepare("wk-t-u1-setup-a2", runAsArguments, setupCommand)
	c.start("wk-t-u1-setup-a1")
	within(t, 5*time.Second, "the first Setup runs", func() bool { return len(truth.entries(t, "setup-started")) == 1 })
	c.start("wk-t-u1-setup-a2")
	if rc := c.result("wk-t-u1-setup-a2", 5*time.Second); rc != "1" {
		t.Errorf("second Setup ended with %s", rc)
	}
	if n := len(truth.entries(t, "setup-started")); n != 2 {
		t.Errorf("setup-started %d times, want 2", n)
	}
}

func TestGuardLetsOneBodyThrough(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	_, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 60000})
	c := dial(t, s)
	c.prepare("once", runAsArguments, setupCommand)
	exit, _, errs := c.runWith(`schtasks.exe /create /tn twice /tr "`+taskFolder("once")+`\body.cmd" /sc ONCE /st 00:00:00 /ru `+runAsArguments, true)
	if exit != "0" {
		t.Fatal(errs)
	}
	var wg sync.WaitGroup
	for _, name := range []string{"once", "twice"} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c.run(`schtasks.exe /run /tn ` + name)
		}()
	}
	wg.Wait()
	if rc := c.result("once", 20*time.Second); rc != "0" {
		t.Errorf("Setup ended with %s", rc)
	}
	if ran := truth.entries(t, "task-ran"); len(ran) != 2 {
		t.Errorf("tasks ran %d times, want 2", len(ran))
	}
	if n := len(truth.entries(t, "setup-started")); n != 1 {
		t.Errorf("setup-started %d times, want 1", n)
	}
}

func TestOrderIsJudgedByItsEffect(t *testing.T) {
	t.Parallel()
	cas1, cas2, mbx := server(t, "cas1", "CAS"), server(t, "cas2", "CAS"), server(t, "mbx1", "MBX")
	far := server(t, "cas9", "CAS")
	far.Site = "Far"
	cas2.Build = exchange.Build{Major: 8, Minor: 1, Build: 240, Revision: 6}
	mbx.Site = "main"
	_, truth := start(t, twin.Options{Servers: []exchange.Server{cas1, cas2, mbx, far}, Speed: 20000})
	c := dial(t, mbx)
	c.prepare("wk-t-u1-setup-a1", runAsArguments, setupCommand)
	c.start("wk-t-u1-setup-a1")
	if rc := c.result("wk-t-u1-setup-a1", 20*time.Second); rc != "0" {
		t.Fatalf("Setup ended with %s", rc)
	}
	broken := truth.entries(t, "order-broken")
	if len(broken) != 1 || broken[0].Host != "MBX1" || broken[0].Detail["client_access"] != "CAS1" || broken[0].Detail["mailbox"] != "MBX1" {
		t.Errorf("order-broken: %v", broken)
	}
}

func TestWrongPasswordCreatesATaskThatDoesNotRun(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	_, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	c.prepare("bad", `"`+runAs+`" /rp wrong`, "echo ran")
	c.start("bad")
	if exit, _, _ := c.run(`if exist C:\WINDOWS\Tasks\bad.job (exit 0) else (exit 1)`); exit != "0" {
		t.Error("the task was not created")
	}
	if ran := truth.entries(t, "task-ran"); len(ran) != 0 {
		t.Errorf("the task ran: %v", ran)
	}
	if refused := truth.entries(t, "access-refused"); len(refused) != 1 {
		t.Errorf("access-refused: %v", refused)
	}
	c.password = "wrong"
	if status, _, err := c.post(message("x", "y", "", "", "")); err != nil || status != 401 {
		t.Errorf("wrong WinRM password: %d %v", status, err)
	}
	if refused := truth.entries(t, "access-refused"); len(refused) != 2 || refused[1].Detail["account"] != winrmUser {
		t.Errorf("access-refused: %v", refused)
	}
}

func TestRestartBringsTheHostBack(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	s.Services = []string{"ScanMail_Master"}
	_, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 100})
	c := dial(t, s)
	before := c.bootTime()
	if exit, _, _ := c.run("sc.exe config ScanMail_Master start= disabled"); exit != "0" {
		t.Fatal(exit)
	}
	c.restarts()
	within(t, 10*time.Second, "the host is unreachable", func() bool { // three minutes here are 1.8 s
		c.http.CloseIdleConnections()
		_, _, err := c.post("<x/>")
		return err != nil
	})
	c.bootsAgain(before, 10*time.Second)
	if n := len(truth.entries(t, "restart")); n != 1 {
		t.Errorf("restart %d times", n)
	}
	if _, out, _ := c.run("sc.exe queryex ScanMail_Master"); !strings.Contains(out, "STOPPED") {
		t.Errorf("a disabled service started: %s", out)
	}
	if _, out, _ := c.run("sc.exe queryex W3SVC"); !strings.Contains(out, "RUNNING") {
		t.Errorf("W3SVC: %s", out)
	}
}

func TestHostsSurviveTheTwin(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	dir := t.TempDir()
	truth := &truth{}
	o := twin.Options{Servers: []exchange.Server{s}, Speed: 800, StateDir: filepath.Join(dir, "state"), Journal: truth}
	f, _ := start(t, o)
	c := dial(t, s)
	c.prepare("wk-t-u1-setup-a1", runAsArguments, setupCommand)
	c.start("wk-t-u1-setup-a1")
	action := func() string {
		return c.registry("GetStringValue", `SOFTWARE\Microsoft\Exchange\v8.0\ClientAccessRole`, "Action").one("sValue")
	}
	within(t, 15*time.Second, "Setup is at work", func() bool { return action() == "BuildToBuildUpgrade" })
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	c.http.CloseIdleConnections()
	start(t, o)
	if n := len(truth.entries(t, "power-loss")); n != 1 {
		t.Errorf("power-loss %d times\n%s", n, truth)
	}
	if n := len(truth.entries(t, "setup-ended")); n != 0 {
		t.Errorf("setup-ended %d times: it did not end, it is gone", n)
	}
	if got := action(); got != "BuildToBuildUpgrade" {
		t.Errorf("Action is %q", got)
	}
	if exit, _, _ := c.run(`dir /b ` + taskFolder("wk-t-u1-setup-a1") + `\started\..`); exit != "0" {
		t.Error("the task folder is gone")
	}
	entries, err := os.ReadDir(o.StateDir)
	if err != nil || len(entries) != 2 || entries[0].Name() != "CAS1.json" || entries[1].Name() != "organization.json" {
		t.Errorf("state folder: %v %v", entries, err)
	}
	// Setup resumes from its marks when it is run again (domain.md 3.3).
	c.prepare("wk-t-u1-setup-a2", runAsArguments, setupCommand)
	c.start("wk-t-u1-setup-a2")
	if rc := c.result("wk-t-u1-setup-a2", 40*time.Second); rc != "0" {
		t.Errorf("Setup ended with %s", rc)
	}
}

func TestAnUnreachableRevocationListMakesSetupTakeHours(t *testing.T) {
	t.Parallel()
	slow, fast := server(t, "ht1", "HT"), server(t, "ht2", "HT")
	start(t, twin.Options{Servers: []exchange.Server{slow, fast}, Speed: 3000, RevocationListUnreachable: true})
	const key = `"HKCU\Software\Microsoft\Windows\CurrentVersion\WinTrust\Trust Providers\Software Publishing"`
	a, b := dial(t, slow), dial(t, fast)
	a.prepare("wk-t-u1-setup-a1", runAsArguments, setupCommand)
	b.prepare("wk-t-u1-setup-a1", runAsArguments, `reg add `+key+` /v State /t REG_DWORD /d 146944 /f >nul`, setupCommand)
	a.start("wk-t-u1-setup-a1")
	b.start("wk-t-u1-setup-a1")
	if rc := b.result("wk-t-u1-setup-a1", 10*time.Second); rc != "0" {
		t.Errorf("Setup with the check off ended with %s", rc)
	}
	if exit, _, _ := a.run("type " + taskFolder("wk-t-u1-setup-a1") + `\rc`); exit == "0" {
		t.Error("Setup with the check on has ended as well")
	}
}

func TestPowerLossLeavesSetupInterrupted(t *testing.T) {
	t.Parallel()
	s := server(t, "ht1", "HT")
	f, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 600})
	c := dial(t, s)
	c.prepare("wk-t-u1-setup-a1", runAsArguments, setupCommand)
	c.start("wk-t-u1-setup-a1")
	const key = `SOFTWARE\Microsoft\Exchange\v8.0\HubTransportRole`
	within(t, 10*time.Second, "Setup is at work", func() bool { return c.registry("GetStringValue", key, "Action").one("sValue") != "" })
	if err := f.PowerLoss("ht1"); err != nil {
		t.Fatal(err)
	}
	c.http.CloseIdleConnections()
	within(t, 10*time.Second, "the host answers again", func() bool { status, _, err := c.post("<x/>"); return err == nil && status > 0 })
	if got := c.registry("GetStringValue", key, "Action").one("sValue"); got != "BuildToBuildUpgrade" {
		t.Errorf("Action is %q", got)
	}
	if _, out, _ := c.run("dir /b " + taskFolder("wk-t-u1-setup-a1")); strings.Contains(out, "rc") || !strings.Contains(out, "started") {
		t.Errorf("the task's folder holds %q", out)
	}
	if n := len(truth.entries(t, "power-loss")); n != 1 || len(truth.entries(t, "setup-ended")) != 0 {
		t.Errorf("journal:\n%s", truth)
	}
}
