package winrm

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestReturnCodesAreSaidInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		class, code, want string
		denied            bool
	}{
		{"root/default/StdRegProv", "0", "", false},
		{"root/default/StdRegProv", "2", "StdRegProv.Do returned 2: there is no such key, value or file", false},
		{"root/default/StdRegProv", "5", "StdRegProv.Do returned 5: access denied", true},
		{"root/cimv2/Win32_Service", "5", "Win32_Service.Do returned 5: the service does not take it in its state", false},
		{"root/cimv2/Win32_Service", "2", "Win32_Service.Do returned 2: access denied", true},
		{"root/cimv2/Win32_OperatingSystem", "1314", "Win32_OperatingSystem.Do returned 1314: access denied: the privilege is missing", true},
		{"root/cimv2/Win32_Other", "2147749890", "Win32_Other.Do returned 2147749890: there is no such object", false},
		{"root/cimv2/Win32_Other", "4711", "Win32_Other.Do returned 4711", false},
		{"root/cimv2/Win32_Other", "", "Win32_Other.Do returned no code", false},
		{"root/cimv2/Win32_Other", "null", "Win32_Other.Do returned no code", false},
	} {
		value := `<p:ReturnValue>` + c.code + `</p:ReturnValue>`
		switch c.code {
		case "":
			value = ""
		case "null":
			value = `<p:ReturnValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>`
		}
		h := newFakeHost(t).on("Do", answer(200, soapBody(`<p:Do_OUTPUT xmlns:p="x">`+value+`</p:Do_OUTPUT>`)))
		out, err := h.dial(t).Invoke(withDeadline(t, 5*time.Second), c.class, nil, "Do", nil)
		if err != nil {
			t.Fatal(err)
		}
		err = Returned(c.class, "Do", out)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if said != c.want || errors.Is(err, ErrDenied) != c.denied {
			t.Errorf("%s, %s: %q, denied %t; want %q, %t", c.class, c.code, said, errors.Is(err, ErrDenied), c.want, c.denied)
		}
	}
}

// TestParametersOfEveryForm: what a method is given and gives back, of all types
// that the registry has.
func TestParametersOfEveryForm(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t).on("Get", answer(200, soapBody(`<p:Get_OUTPUT xmlns:p="x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">`+
		`<p:ReturnValue>0</p:ReturnValue><p:sValue>a</p:sValue><p:uValue>18446744073709551615</p:uValue><p:bytes>0</p:bytes><p:bytes>255</p:bytes>`+
		`<p:many>one</p:many><p:many/><p:many>three</p:many><p:none xsi:nil="true"/><p:hex>0x10</p:hex></p:Get_OUTPUT>`)))
	out, err := h.dial(t).Invoke(withDeadline(t, 5*time.Second), "root/default/StdRegProv", nil, "Get", []Param{In("uValue", "1", "2"), In("none")})
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := out.Uint("uValue"); n != 1<<64-1 || !ok {
		t.Errorf("uValue = %d, %t", n, ok)
	}
	if got := strings.Join(out.Strings("many"), "|"); got != "one||three" {
		t.Errorf("many = %q", got)
	}
	if got := strings.Join(out.Strings("bytes"), " "); got != "0 255" {
		t.Errorf("bytes = %q", got)
	}
	if out.Has("none") || len(out.Values("none")) != 0 {
		t.Error("null is a value")
	}
	if _, ok := out.Int("hex"); ok {
		t.Error("0x10 is a number")
	}
	sent := instanceOf(h.last(t, "Get").envelope.child("Body").child("Get_INPUT"))
	if got := strings.Join(sent.Strings("uValue"), " "); got != "1 2" || sent.Has("none") || len(sent["none"]) != 1 {
		t.Errorf("sent %v", sent)
	}
}
