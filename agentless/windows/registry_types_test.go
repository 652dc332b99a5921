package windows_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
)

// TestRegistryHasEveryKindOfValue reads what was written, of the kinds that
// StdRegProv of the simulated host has.
func TestRegistryHasEveryKindOfValue(t *testing.T) {
	t.Parallel()
	port := startTwin(t, func(*twin.Options) {})
	h, ctx := dialled(t, port), context.Background()
	conn, err := winrm.New(winrm.Config{Address: "127.0.0.1", Port: port, Account: winrm.Basic(user, password)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const key = `SOFTWARE\Wavekeeper\Kinds`
	invoke := func(method, key string, more ...winrm.Param) {
		t.Helper()
		in := append([]winrm.Param{winrm.In("hDefKey", "2147483650"), winrm.In("sSubKeyName", key)}, more...)
		out, err := conn.Invoke(ctx, "root/default/StdRegProv", nil, method, in)
		if err == nil {
			err = winrm.Returned("StdRegProv", method, out)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	set := func(method, name string, value winrm.Param) {
		t.Helper()
		invoke(method, key, winrm.In("sValueName", name), value)
	}
	invoke("CreateKey", key)
	if err := h.SetString(ctx, windows.LocalMachine, key, "s", "text"); err != nil {
		t.Fatal(err)
	}
	set("SetBinaryValue", "b", winrm.In("uValue", "0", "127", "255"))
	set("SetMultiStringValue", "m", winrm.In("sValue", "one", "two"))
	set("SetExpandedStringValue", "e", winrm.In("sValue", "%windir%"))
	if got, err := h.BinaryValue(ctx, windows.LocalMachine, key, "b"); err != nil || !bytes.Equal(got, []byte{0, 127, 255}) {
		t.Errorf("binary: %v, %v", got, err)
	}
	if got, err := h.MultiStringValue(ctx, windows.LocalMachine, key, "m"); err != nil || strings.Join(got, "|") != "one|two" {
		t.Errorf("several strings: %q, %v", got, err)
	}
	if got, err := h.StringValue(ctx, windows.LocalMachine, key, "e", windows.ExpandString); err != nil || got == "" {
		t.Errorf("expanded: %q, %v", got, err)
	}
	if got, err := h.Values(ctx, windows.LocalMachine, key); err != nil || got["b"] != windows.Binary || got["m"] != windows.MultiString || got["s"] != windows.String {
		t.Errorf("kinds: %v, %v", got, err)
	}
	// Of a 64-bit host the 64-bit view is seen: a 32-bit program's key is another.
	invoke("CreateKey", `SOFTWARE\Wow6432Node\Wavekeeper\Old`)
	if err := h.SetString(ctx, windows.LocalMachine, `SOFTWARE\Wow6432Node\Wavekeeper\Old`, "s", "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.StringValue(ctx, windows.LocalMachine, `SOFTWARE\Wavekeeper\Old`, "s", windows.String); !errors.Is(err, windows.ErrNoKey) {
		t.Errorf("a key of the 32-bit view: %v", err)
	}
}

// TestAQWORDHas64Bits, as StdRegProv of 2008 and later gives it.
func TestAQWORDHas64Bits(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || !bytes.Contains(body, []byte("GetQWORDValue_INPUT")) {
			t.Errorf("asked %q, %v", body, err)
		}
		w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
		fmt.Fprint(w, `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body><p:GetQWORDValue_OUTPUT xmlns:p="x"><p:ReturnValue>0</p:ReturnValue><p:uValue>18446744073709551614</p:uValue></p:GetQWORDValue_OUTPUT></s:Body></s:Envelope>`)
	}))
	defer server.Close()
	h := dialled(t, server.Listener.Addr().(*net.TCPAddr).Port)
	if got, err := h.QWORDValue(context.Background(), windows.LocalMachine, "k", "v"); err != nil || got != 1<<64-2 {
		t.Errorf("%d, %v", got, err)
	}
}
