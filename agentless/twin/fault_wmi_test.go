package twin_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
)

// TestWMIHangsAndAllElseGoesOn: the caller waits for as long as it said.
func TestWMIHangsAndAllElseGoesOn(t *testing.T) {
	t.Parallel()
	c, fleet, _ := faulty(t, 1, "HT")
	if err := fleet.Inject(twin.Fault{Host: "MBX1", Name: "wmi-hangs"}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	status, n := c.wql("SELECT Name FROM Win32_Service") // with two seconds for the operation
	if took := time.Since(began); status != 500 || code(n) != "2150858793" || took < 1900*time.Millisecond {
		t.Errorf("WMI that hangs: %d %s after %s", status, code(n), took)
	}
	if exit, out, _ := c.run("sc.exe queryex winmgmt"); exit != "0" || !strings.Contains(out, "RUNNING") {
		t.Errorf("a shell beside it: %s %s", exit, out)
	}
	c2, fleet, _ := faulty(t, 1, "HT")
	if err := fleet.Inject(twin.Fault{Host: "MBX1", Name: "wmi-hangs", At: "unanswered"}); err != nil {
		t.Fatal(err)
	}
	c2.http.Timeout = 2500 * time.Millisecond
	var slow net.Error
	if _, _, err := c2.post(message(enumerateURI, cimv2URI, "", "", filter("SELECT Name FROM Win32_Service", 10))); !errors.As(err, &slow) || !slow.Timeout() {
		t.Errorf("WMI that does not answer at all: %v", err)
	}
	if _, body, err := c2.post(identifyBody); err != nil || !strings.Contains(body, "IdentifyResponse") {
		t.Errorf("Identify beside it: %v", err)
	}
}

// TestADamagedRepositoryAnswersWithAFaultOrNothing: queries, methods and Get.
func TestADamagedRepositoryAnswersWithAFaultOrNothing(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"", "empty"} {
		c, fleet, _ := faulty(t, 1, "HT")
		if err := fleet.Inject(twin.Fault{Host: "MBX1", Name: "wmi-damaged", At: at}); err != nil {
			t.Fatal(err)
		}
		status, n := c.wql("SELECT Name FROM Win32_Service")
		if at == "" && (status != 500 || code(n) != "2147749889") || at == "empty" && (status != 200 || n.one("Name") != "") {
			t.Errorf("at %q a query gives %d %s", at, status, code(n))
		}
		if status, n := c.ask("http://schemas.xmlsoap.org/ws/2004/09/transfer/Get", strings.TrimSuffix(cimv2URI, "*")+"Win32_Service", "Name=winmgmt", "", ""); status != 500 {
			t.Errorf("at %q Get gives %d %s", at, status, code(n))
		}
	}
}
