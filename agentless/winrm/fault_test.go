package winrm

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestEveryFaultSaysWhatItIs: each code that has a name has words, the host's own
// text stands beside them, and none of it is what is decided on.
func TestEveryFaultSaysWhatItIs(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("fault.go")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`(?m)^\s+Code\w+\s+uint32 = (\d+)`).FindAllSubmatch(source, -1)
	if len(named) != len(meanings) || len(named) < 25 {
		t.Errorf("%d codes have names, %d have words", len(named), len(meanings))
	}
	for _, m := range named {
		code := code32(string(m[1]))
		f := &Fault{Code: code, Blame: "Sender", Subcode: "X", HTTPStatus: 500, Reason: "Das geht nicht."}
		if f.Meaning() == "" || !strings.Contains(f.Error(), f.Meaning()) || !strings.Contains(f.Error(), "Das geht nicht.") || !strings.Contains(f.Error(), string(m[1])) {
			t.Errorf("%d: %v", code, f)
		}
	}
	for _, status := range []int{401, 403, 404, 413, 503} {
		if f := (&Fault{HTTPStatus: status}); f.Meaning() == "" || !strings.Contains(f.Error(), f.Meaning()) {
			t.Errorf("%d: %v", status, f)
		}
	}
	if f := (&Fault{Code: 1, Blame: "Receiver", HTTPStatus: 500, Reason: "x"}); f.Meaning() != "" || !strings.HasSuffix(f.Error(), ": x") {
		t.Errorf("a code without a name: %v", f)
	}
}

// TestFaultsOfWinRM1AreRead: codes as the old WSMan fault and as MSFT_WmiError
// carry them, signed or not, in whatever action.
func TestFaultsOfWinRM1AreRead(t *testing.T) {
	t.Parallel()
	const fault = `<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>w:AccessDenied</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="ja-JP">x</s:Text></s:Reason><s:Detail>DETAIL</s:Detail></s:Fault>`
	for detail, want := range map[string]uint32{
		`<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2147942405" Machine=""><f:Message><f:ProviderFault provider="WMIv1 plugin" path=""/></f:Message></f:WSManFault>`: CodeAccessDeniedHR,
		`<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="-2147024891"/>`:                                                                                                  CodeAccessDeniedHR,
		`<p:MSFT_WmiError xmlns:p="x"><p:error_Code>-2147024891</p:error_Code></p:MSFT_WmiError>`:                                                                                                            CodeAccessDeniedHR,
		`<p:MSFT_WmiError xmlns:p="x"><p:error_Code>2150859173</p:error_Code></p:MSFT_WmiError>`:                                                                                                             CodeShellQuota,
		``: 0,
	} {
		h := newFakeHost(t).on("Enumerate", answer(500, soapAction("http://schemas.xmlsoap.org/ws/2004/09/enumeration/fault", strings.Replace(fault, "DETAIL", detail, 1))))
		_, err := h.dial(t).Enumerate(withDeadline(t, 5*time.Second), "root/cimv2", query)
		var f *Fault
		if !errors.As(err, &f) || f.Code != want || !errors.Is(err, ErrDenied) || f.HTTPStatus != http.StatusInternalServerError {
			t.Errorf("%s: %v, want code %d and access denied", detail, err, want)
		}
	}
}
