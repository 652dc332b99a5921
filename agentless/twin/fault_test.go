package twin_test

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

const setupTask = "wk-t-u1-setup-a1"

// faulty runs one host with declared faults.
func faulty(t *testing.T, speed float64, roles string, faults ...twin.Fault) (*client, *twin.Fleet, *truth) {
	t.Helper()
	s := server(t, "mbx1", roles)
	s.Services = []string{"ScanMail_Master"}
	f, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: speed, Faults: faults})
	return dial(t, s), f, truth
}

// identifyBody is the question that needs no shell.
const identifyBody = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">` +
	`<s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>`

// setupRuns prepares and starts Setup with no third party's service in its way.
func (c *client) setupRuns(name string) {
	c.tb.Helper()
	c.run("sc.exe config ScanMail_Master start= disabled")
	c.run("sc.exe stop ScanMail_Master")
	within(c.tb, 10*time.Second, "ScanMail_Master is stopped", func() bool {
		_, out, _ := c.run("sc.exe queryex ScanMail_Master")
		return strings.Contains(out, ": 1  STOPPED")
	})
	c.prepare(name, runAsArguments, setupCommand+" >out.txt 2>&1")
	c.start(name)
}

// restarts asks the host to restart; the answer may be lost on the way.
func (c *client) restarts() {
	c.tb.Helper()
	_, _, _ = c.post(message(shellURI+"/Command", shellURI+"/cmd", shellSelector(c.open()), "",
		`<rsp:CommandLine><rsp:Command>shutdown.exe -r -t 0</rsp:Command></rsp:CommandLine>`))
}

// bootsAgain waits until the host tells another boot time than before. A host
// that goes down may still answer a moment, or lose the answer on the way.
func (c *client) bootsAgain(before string, d time.Duration) {
	c.tb.Helper()
	question := message(enumerateURI, cimv2URI, "", "", filter("SELECT LastBootUpTime FROM Win32_OperatingSystem", 10))
	within(c.tb, d, "the host is up with another boot time", func() bool {
		c.http.CloseIdleConnections()
		status, raw, err := c.post(question)
		var n node
		return err == nil && status == 200 && xml.Unmarshal([]byte(raw), &n) == nil && n.one("Datetime") != before
	})
}

// answers waits until the host answers again.
func (c *client) answers(d time.Duration) {
	c.tb.Helper()
	within(c.tb, d, "the host answers", func() bool {
		c.http.CloseIdleConnections()
		status, _, err := c.post(identifyBody)
		return err == nil && status == 200
	})
}

func (c *client) marker(role, name string) string {
	c.tb.Helper()
	return c.registry("GetStringValue", `SOFTWARE\Microsoft\Exchange\v8.0\`+role, name).one("sValue")
}

func TestAConnectionIsResetAtTheSecondRequest(t *testing.T) {
	t.Parallel()
	c, _, truth := faulty(t, 1000, "HT", twin.Fault{Host: "mbx1", Name: "connection-reset", At: "request:2", Times: 1})
	if status, _, err := c.post(identifyBody); status != 200 || err != nil {
		t.Fatalf("first: %d %v", status, err)
	}
	if _, _, err := c.post(identifyBody); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("second: %v, want a reset", err)
	}
	if status, _, err := c.post(identifyBody); status != 200 || err != nil {
		t.Errorf("third: %d %v", status, err)
	}
	if n := len(truth.entries(t, "fault")); n != 1 {
		t.Errorf("%d faults in the journal, want 1", n)
	}
}

func TestAnAnswerIsLostAfterTheHostActed(t *testing.T) {
	t.Parallel()
	c, _, _ := faulty(t, 1000, "HT", twin.Fault{Host: "MBX1", Name: "connection-reset", At: "answer:2"})
	shell := c.open()
	_, _, err := c.post(message(shellURI+"/Command", shellURI+"/cmd", shellSelector(shell), "",
		`<rsp:CommandLine><rsp:Command>md C:\made</rsp:Command></rsp:CommandLine>`))
	if err == nil {
		t.Fatal("the second request was answered")
	}
	within(t, 5*time.Second, "the folder is made", func() bool {
		exit, _, _ := c.run(`if exist C:\made (exit 0) else (exit 1)`)
		return exit == "0"
	})
}

func TestAHangLastsUntilTheClientsDeadline(t *testing.T) {
	t.Parallel()
	c, _, _ := faulty(t, 1000, "HT", twin.Fault{Host: "MBX1", Name: "hang"})
	c.http.Timeout = 300 * time.Millisecond
	began := time.Now()
	_, _, err := c.post(identifyBody)
	if waited := time.Since(began); err == nil || waited < 250*time.Millisecond {
		t.Errorf("answered after %v: %v", waited, err)
	}
	if status, _, err := c.post(identifyBody); status != 200 || err != nil {
		t.Errorf("next: %d %v", status, err)
	}
}

func TestPowerLossInPhaseSevenLeavesHalfNewRoles(t *testing.T) {
	t.Parallel()
	c, _, truth := faulty(t, 2000, "CAS+HT", twin.Fault{Host: "MBX1", Name: "power-loss", Step: "setup", At: "phase:7", Lasts: 10 * time.Minute})
	c.setupRuns(setupTask)
	within(t, 20*time.Second, "the power goes", func() bool { return len(truth.entries(t, "power-loss")) == 1 })
	c.answers(10 * time.Second)
	unpacked := map[string]bool{}
	for _, role := range []string{"AdminTools", "ClientAccessRole", "HubTransportRole"} {
		if c.marker(role, "Action") != "BuildToBuildUpgrade" || c.marker(role, "Watermark") == "" {
			t.Errorf("%s: Action %q, Watermark %q", role, c.marker(role, "Action"), c.marker(role, "Watermark"))
		}
		if got := c.marker(role, "ConfiguredVersion"); got == "8.1.240.6" {
			t.Errorf("%s is configured at %s", role, got)
		}
		unpacked[c.marker(role, "UnpackedVersion")] = true
	}
	if len(unpacked) != 2 || !unpacked["8.1.240.6"] {
		t.Errorf("unpacked versions: %v, want the new and the old", unpacked)
	}
	if _, out, _ := c.run("dir /b " + taskFolder(setupTask)); strings.Contains(out, "rc") || !strings.Contains(out, "started") {
		t.Errorf("the task's folder holds %q", out)
	}
	if len(truth.entries(t, "setup-ended")) != 0 {
		t.Error("Setup ended")
	}
}

func TestSetupFailsInEachPhase(t *testing.T) {
	t.Parallel()
	for phase := 1; phase <= 9; phase++ {
		t.Run(string(rune('0'+phase)), func(t *testing.T) {
			t.Parallel()
			at := "phase:" + string(rune('0'+phase))
			c, _, _ := faulty(t, 6000, "CAS+HT", twin.Fault{Host: "MBX1", Name: "setup-fails", Step: "setup", At: at})
			c.setupRuns(setupTask)
			if rc := c.result(setupTask, 20*time.Second); rc != "1" {
				t.Fatalf("Setup ended with %s", rc)
			}
			_, log, _ := c.run(`type C:\ExchangeSetupLogs\ExchangeSetup.log`)
			if !strings.Contains(log, "[ERROR]") || !strings.Contains(log, "setup operation did not complete") {
				t.Errorf("log:\n%s", log)
			}
			marked, disabled := c.marker("HubTransportRole", "Action") != "", c.disabled(t)
			if marked != (phase == 7 || phase == 8) {
				t.Errorf("markers: %v", marked)
			}
			if disabled > 0 != (phase >= 6) {
				t.Errorf("%d services of Exchange are disabled", disabled)
			}
			c.prepare("wk-t-u1-setup-a2", runAsArguments, setupCommand)
			c.start("wk-t-u1-setup-a2")
			rc := c.result("wk-t-u1-setup-a2", 20*time.Second)
			if phase == 9 { // the roles are at the target: there is nothing to resume
				if rc != "1" {
					t.Errorf("Setup once more ended with %s", rc)
				}
				return
			}
			if rc != "0" || c.marker("HubTransportRole", "ConfiguredVersion") != "8.1.240.6" || c.disabled(t) > 0 {
				t.Errorf("Setup resumed: %s, %d services disabled", rc, c.disabled(t))
			}
		})
	}
}

// disabled counts Exchange's services that are disabled.
func (c *client) disabled(t *testing.T) int {
	t.Helper()
	n := 0
	for _, name := range []string{"MSExchangeADTopology", "MSExchangeTransport", "MSExchangeServiceHost", "MSExchangeFDS", "MSExchangeEdgeSync", "MSExchangeAntispamUpdate"} {
		if _, out, _ := c.run("sc.exe qc " + name); strings.Contains(out, "4   DISABLED") {
			n++
		}
	}
	return n
}

func TestTheAddressIsLostWhileSetupGoesOn(t *testing.T) {
	t.Parallel()
	c, _, truth := faulty(t, 3000, "HT", twin.Fault{Host: "MBX1", Name: "address-lost", At: "phase:7", Lasts: time.Hour})
	c.setupRuns(setupTask)
	within(t, 20*time.Second, "the address is lost", func() bool { return len(truth.entries(t, "fault")) == 1 })
	within(t, 5*time.Second, "connections are refused", func() bool {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp4", strings.TrimSuffix(strings.TrimPrefix(c.url, "http://"), "/wsman"))
		if err == nil {
			conn.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	c.answers(10 * time.Second)
	if rc := c.result(setupTask, 20*time.Second); rc != "0" {
		t.Errorf("Setup ended with %s", rc)
	}
	if len(truth.entries(t, "power-loss"))+len(truth.entries(t, "restart")) != 0 {
		t.Error("the machine went down")
	}
}

func TestAHostWhoseAddressIsLostCanBeSilent(t *testing.T) {
	t.Parallel()
	c, _, _ := faulty(t, 600, "HT", twin.Fault{Host: "MBX1", Name: "address-lost", At: "silent", Lasts: 10 * time.Minute})
	c.http.Timeout = 200 * time.Millisecond
	for range 2 {
		var slow net.Error
		if _, _, err := c.post(identifyBody); !errors.As(err, &slow) || !slow.Timeout() {
			t.Errorf("%v, want a time-out", err)
		}
	}
	c.answers(10 * time.Second)
}

func TestSetupStopsWMIAndAnAbortLeavesItDisabled(t *testing.T) {
	t.Parallel()
	c, _, _ := faulty(t, 3000, "HT", twin.Fault{Host: "MBX1", Name: "wmi-stopped", Step: "setup", At: "phase:8"})
	c.setupRuns(setupTask)
	if rc := c.result(setupTask, 20*time.Second); rc != "1" {
		t.Fatalf("Setup ended with %s", rc)
	}
	if status, n := c.wql("SELECT Name FROM Win32_Service"); status != 500 || code(n) == "" {
		t.Errorf("WMI answers %d %s", status, code(n))
	}
	if _, out, _ := c.run("sc.exe qc winmgmt"); !strings.Contains(out, "4   DISABLED") {
		t.Errorf("winmgmt: %s", out)
	}
	if exit, out, _ := c.run(`reg.exe query "HKLM\SOFTWARE\Microsoft\Exchange\v8.0" /s`); exit != "0" || !strings.Contains(out, "Watermark") {
		t.Errorf("the second way: %s %s", exit, out)
	}
	c.prepare("wk-t-u1-setup-a2", runAsArguments, setupCommand)
	c.start("wk-t-u1-setup-a2")
	if rc := c.result("wk-t-u1-setup-a2", 20*time.Second); rc != "0" {
		t.Errorf("the second Setup ended with %s", rc)
	}
	if status, _ := c.wql("SELECT Name FROM Win32_Service"); status != 200 {
		t.Errorf("WMI answers %d after a Setup that completed", status)
	}
}

func (c *client) wql(query string) (int, node) {
	c.tb.Helper()
	return c.ask(enumerateURI, cimv2URI, "", "", filter(query, 100))
}

// sound is an answer that can be read.
func sound(raw string) bool { return xml.Unmarshal([]byte(raw), new(node)) == nil }
