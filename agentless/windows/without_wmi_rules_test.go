package windows

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wavekeeper/agentless/winrm"
)

func TestTheSecondWayIsForWMIAloneNotForAHostThatIsAway(t *testing.T) {
	t.Parallel()
	h := New(nil) // nobody is asked: these errors say enough
	for _, c := range []struct {
		err        error
		want, hung bool
	}{
		{nil, false, false},
		{&winrm.Fault{Blame: "Receiver", Code: 0x800706ba, HTTPStatus: 500}, true, false},
		{&winrm.Fault{Blame: "Receiver", Code: 0x80070422, HTTPStatus: 500}, true, false},
		{&winrm.Fault{Blame: "Receiver", Code: 0x80041033, HTTPStatus: 500}, true, false},
		{&winrm.Fault{Blame: "Receiver", Code: 0x80041001, HTTPStatus: 500}, true, false},
		{&winrm.Fault{Blame: "Receiver", Code: winrm.CodeTimedOut, Subcode: "TimedOut", HTTPStatus: 500}, true, true},
		{fmt.Errorf("query: %w", &winrm.Fault{Blame: "Sender", Code: winrm.CodeFilter, HTTPStatus: 500}), true, false},
		{&winrm.Fault{Blame: "Receiver", Code: winrm.CodeAccessDeniedHR, HTTPStatus: 500}, false, false},
		{&winrm.Fault{HTTPStatus: 401}, false, false},
		{&winrm.Fault{HTTPStatus: 503}, false, false},
		{&winrm.Fault{Blame: "Receiver", Code: winrm.CodeOperationQuota, HTTPStatus: 500}, false, false},
		{winrm.ErrUnreachable, false, false},
		{ErrNoKey, false, false},
	} {
		no := h.noWMI(t.Context(), c.err)
		if got := no != nil; got != c.want || got && no.Hung != c.hung {
			t.Errorf("%v: second way %+v, want %t, hung %t", c.err, no, c.want, c.hung)
		}
	}
}

// TestAHungWMIIsLeftAloneForAWhile, and asked again.
func TestAHungWMIIsLeftAloneForAWhile(t *testing.T) {
	t.Parallel()
	k := &known{rests: time.Minute}
	now := time.Now()
	k.told(&NoWMI{Why: winrm.ErrTimeout, Hung: true}, now)
	if k.resting(now.Add(59*time.Second)) == nil || k.resting(now.Add(61*time.Second)) != nil {
		t.Error("WMI is not left alone for a minute")
	}
	k.told(&NoWMI{Why: winrm.ErrTimeout}, now)
	if k.resting(now) != nil {
		t.Error("WMI that answers with a fault is not asked again")
	}
	k.told(&NoWMI{Why: winrm.ErrTimeout, Hung: true}, now)
	k.told(nil, now)
	if k.resting(now) != nil {
		t.Error("WMI that answered is not asked again")
	}
}

func TestAStateOfAServiceIsReadByPlaceAndNumber(t *testing.T) {
	t.Parallel()
	const english = "\r\nSERVICE_NAME: winmgmt\r\n        TYPE               : 20  WIN32_SHARE_PROCESS \r\n        STATE              : 4  RUNNING \r\n" +
		"                                (STOPPABLE,PAUSABLE,ACCEPTS_SHUTDOWN)\r\n        WIN32_EXIT_CODE    : 0  (0x0)\r\n        PID                : 812\r\n"
	for _, c := range []struct{ out, name, state string }{
		{english, "winmgmt", Running},
		{strings.NewReplacer("TYPE ", "TYP  ", "STATE ", "STATUS", "SERVICE_NAME", "DIENSTNAME").Replace(english), "winmgmt", Running},
		{strings.NewReplacer("TYPE", "\u7a2e\u985e", "STATE", "\u72b6\u614b", "SERVICE_NAME", "\u30b5\u30fc\u30d3\u30b9\u540d").Replace(english), "winmgmt", Running},
		{strings.Replace(english, "4  RUNNING", "3  STOP_PENDING", 1), "winmgmt", "Stop Pending"},
		{strings.Replace(english, "4  RUNNING", "4  STOPPED", 1), "", ""},
		{strings.Replace(english, "4  RUNNING", "4  LAEUFT", 1), "", ""},
		{strings.Replace(english, "4  RUNNING", "9  RUNNING", 1), "", ""},
		{"", "", ""},
		{"a:b\nc:d\ne:\n", "", ""},
	} {
		name, state, ok := scState(c.out)
		if name != c.name || state != c.state || ok != (c.state != "") {
			t.Errorf("scState(%q) = %q, %q, %t, want %q, %q", c.out, name, state, ok, c.name, c.state)
		}
	}
}

// TestRegExeIsReadByItsTokens: both forms, the default value whatever its name,
// names and texts with blanks.
func TestRegExeIsReadByItsTokens(t *testing.T) {
	t.Parallel()
	for _, out := range []string{
		"\r\n! REG.EXE VERSION 3.0\r\n\r\nHKEY_LOCAL_MACHINE\\A b\\C\r\n    <KEIN NAME>\tREG_SZ\tx\r\n    Two words\tREG_SZ\ta    REG_DWORD b \r\n    N\tREG_DWORD\t0xfffffffe\r\n    Empty\tREG_SZ\t\r\n    M\tREG_MULTI_SZ\t\\0one\\0\\0\r\n\r\nHKEY_LOCAL_MACHINE\\A b\\C\\D\r\n",
		"\r\nHKEY_LOCAL_MACHINE\\A b\\C\r\n    (Standard)    REG_SZ    x\r\n    Two words    REG_SZ    a    REG_DWORD b \r\n    N    REG_DWORD    0xfffffffe\r\n    Empty    REG_SZ    \r\n    M    REG_MULTI_SZ    \\0one\\0\\0\r\n\r\nHKEY_LOCAL_MACHINE\\A b\\C\\D\r\n",
	} {
		want := []regKey{
			{`HKEY_LOCAL_MACHINE\A b\C`, []regValue{{"", "REG_SZ", "x"}, {"Two words", "REG_SZ", "a    REG_DWORD b "}, {"N", "REG_DWORD", "0xfffffffe"}, {"Empty", "REG_SZ", ""}, {"M", "REG_MULTI_SZ", `\0one\0\0`}}},
			{`HKEY_LOCAL_MACHINE\A b\C\D`, nil},
		}
		got := regKeys(out)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(regKey{}, regValue{})); diff != "" {
			t.Errorf("%q:\n%s", out, diff)
		}
		if text := got[0].values[2].text(); text != "4294967294" {
			t.Errorf("a DWORD is %s", text)
		}
	}
}

func TestUpdatesAreFoundByTheirKeys(t *testing.T) {
	t.Parallel()
	got := updatesOf([]string{
		"KB931836", "KB942288-v4", "Q147222", "Package_for_KB968930~31bf3856ad364e35~amd64~~6.0.1.0", "Package_1_for_KB936330~31bf3856ad364e35~amd64~en-US~6.0.1.0",
		"Package_for_KB968930_server~31bf3856ad364e35~amd64~~6.0.1.0", "Microsoft-Windows-Foundation-Package~31bf3856ad364e35~amd64~~6.0.6001.18000", "File 1",
	})
	if diff := cmp.Diff([]string{"KB931836", "KB942288-V4", "KB968930", "KB936330"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestShortNamesOfProgramsGetTheirExtensionBack(t *testing.T) {
	t.Parallel()
	for short, want := range map[string]string{
		"ExSetup": "ExSetup.exe", "setup.com": "setup.com", "Setup.COM": "Setup.COM", "Microsoft.Exchange.Search": "Microsoft.Exchange.Search.exe", "a.tmp": "a.tmp", ".x": ".x.exe",
	} {
		if got := imageOf(short); got != want {
			t.Errorf("imageOf(%q) = %q, want %q", short, got, want)
		}
	}
}

func TestWhatSystemLookSaysIsNotTrusted(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		"version": "5.2.3790", "packs": "512", "language": "0407", "now": "2008-05-01T10:00:00.1234567Z", "zone": "60", "boot": "2008-04-01T10:00:00.0000000Z",
		"windir": `C:\WINDOWS`, "drive": "C:",
	}
	records := func(change, to string) (r Records) {
		for name, value := range good {
			if name == change {
				value = to
			}
			r = append(r, Record{name, value})
		}
		return r
	}
	os, err := systemOf(records("", ""), time.Now(), time.Now())
	if err != nil || os.Name() != "2003" || os.ServicePack != 2 || os.Language != 1031 || os.Now.UTC().Hour() != 10 || os.SystemDrive != "C:" {
		t.Errorf("%+v, %v", os, err)
	}
	for _, bad := range []Record{{"version", "x"}, {"packs", ""}, {"language", "zz"}, {"now", "1.5.2008"}, {"zone", "+1"[1:] + "x"}, {"boot", ""}} {
		if os, err := systemOf(records(bad.Name, bad.Value), time.Now(), time.Now()); err == nil {
			t.Errorf("%v: %+v", bad, os)
		}
	}
	if _, err := systemOf(nil, time.Now(), time.Now()); err == nil || errors.Is(err, ErrNoKey) {
		t.Errorf("nothing was read as a system: %v", err)
	}
}
