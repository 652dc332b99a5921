package windows

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestEveryRefusalHasARemedy(t *testing.T) {
	t.Parallel()
	for code, want := range map[uint32]error{
		0x80070520: ErrCredentialStorage, 0x80070569: ErrBatchRight, 0x8007052e: ErrLogon, 0x80070775: ErrLockedOut, 0x80070532: ErrLogonRestricted,
		0x80070005: ErrSchedulerDenied, 0x80070422: ErrSchedulerDisabled,
	} {
		if err := refusal("t", "a", code); !errors.Is(err, want) {
			t.Errorf("0x%08x is %v, want %v", code, err, want)
		}
	}
	for code, r := range refusals {
		if r.kind == nil || r.what == "" || !strings.HasSuffix(r.remedy, ".") {
			t.Errorf("0x%08x: %+v", code, r)
		}
	}
	for _, code := range []uint32{0, 1, 0x41301, 0x41303, 0x80070002, 0x80041315, 0x8007051f} {
		if err := refusal("t", "a", code); err != nil {
			t.Errorf("0x%08x: %v", code, err)
		}
	}
	if err := (TaskLook{Last: 0x80070569}).Refused("t", "a"); !errors.Is(err, ErrBatchRight) {
		t.Errorf("a last result: %v", err)
	}
	var denied *TaskRefusedError
	err := (TaskLook{Last: 0x80070005}).Refused("t", "a")
	if !errors.As(err, &denied) || !errors.Is(err, ErrStartDenied) || errors.Is(err, ErrSchedulerDenied) || strings.Contains(denied.Remedy(), "WinRM") {
		t.Errorf("a start that was denied: %v", err)
	}
}

func TestATaskIsDescribedInOneLineOfXML(t *testing.T) {
	t.Parallel()
	name := TaskName("demo", 17, "setup", 1)
	for account, want := range map[string]string{
		"":                 `<UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel>`,
		`LAB\svc <&> "ü"`:  `<UserId>LAB\svc &lt;&amp;&gt; &#34;ü&#34;</UserId><LogonType>Password</LogonType><RunLevel>HighestAvailable</RunLevel>`,
		`svc@corp.example`: `<UserId>svc@corp.example</UserId><LogonType>Password</LogonType><RunLevel>HighestAvailable</RunLevel>`,
	} {
		text, err := taskXML(Task{Name: name, Account: account, Password: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{
			want, `<Triggers />`, `<MultipleInstancesPolicy>IgnoreNew<`, `<ExecutionTimeLimit>PT0S<`, `<Priority>4<`, `<DisallowStartIfOnBatteries>false<`,
			`<StopIfGoingOnBatteries>false<`, `<Arguments>/d /c "C:\Wavekeeper\tasks\` + name + `\body.cmd"</Arguments>`,
		} {
			if !strings.Contains(text, part) {
				t.Errorf("%q lacks %s", text, part)
			}
		}
		if strings.Contains(text, "secret") {
			t.Errorf("the password is in %q", text)
		}
		decoder := xml.NewDecoder(strings.NewReader(text))
		decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
		if err := decoder.Decode(&struct{}{}); err != nil {
			t.Error(err)
		}
		if _, err := Quote(text); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []Task{
		{Name: "x", Account: "a", Password: "p"}, {Name: name, Account: "a"}, {Name: name, Account: "a\nb", Password: "p"}, {Name: name, Account: "a", Password: "p\x00"},
	} {
		if _, err := taskXML(bad); err == nil {
			t.Errorf("%+v was described", bad)
		}
	}
}
