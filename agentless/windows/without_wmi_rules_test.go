package windows

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"wavekeeper/agentless/winrm"
)

func TestTheSecondWayIsForWMIAloneNotForAHostThatIsAway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{&winrm.Fault{Blame: "Receiver", Code: 0x800706ba, HTTPStatus: 500}, true},
		{&winrm.Fault{Blame: "Receiver", Code: 0x80070422, HTTPStatus: 500}, true},
		{&winrm.Fault{Blame: "Receiver", Code: 0x80041033, HTTPStatus: 500}, true},
		{fmt.Errorf("query: %w", &winrm.Fault{Blame: "Sender", Code: winrm.CodeFilter, HTTPStatus: 500}), true},
		{&winrm.Fault{Blame: "Receiver", Code: winrm.CodeAccessDeniedHR, HTTPStatus: 500}, false},
		{&winrm.Fault{HTTPStatus: 401}, false},
		{&winrm.Fault{HTTPStatus: 503}, false},
		{&winrm.Fault{Blame: "Receiver", Code: winrm.CodeOperationQuota, HTTPStatus: 500}, false},
		{winrm.ErrUnreachable, false},
		{winrm.ErrTimeout, false},
		{ErrNoKey, false},
	} {
		if got := withoutWMI(c.err); got != c.want {
			t.Errorf("%v: second way %t, want %t", c.err, got, c.want)
		}
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
