package windows_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
)

// TestAListOfProgramsDoesNotHangOnNames: Windows asks a domain controller for
// the owner's name, and the host may refuse to say one.
func TestAListOfProgramsDoesNotHangOnNames(t *testing.T) {
	t.Parallel()
	port := startTwin(t, func(o *twin.Options) {
		o.Platforms = map[string]twin.Platform{"MBX1": {OS: "2008", LoggedOn: []string{`LAB\ann`}}}
	})
	for name, answer := range map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"access denied": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Detail>`+
				`<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="5" Machine=""/></s:Detail></s:Fault></s:Body></s:Envelope>`)
		},
	} {
		behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)})
		asked := make(chan struct{}, 100)
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			if bytes.Contains(body, []byte("GetOwner")) {
				asked <- struct{}{}
				answer(w, r)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			behind.ServeHTTP(w, r)
		}))
		t.Cleanup(front.Close)
		began := time.Now()
		all, err := dialled(t, front.Listener.Addr().(*net.TCPAddr).Port).Processes(context.Background())
		if err != nil || !slices.ContainsFunc(all, func(p windows.Process) bool { return p.Name == "explorer.exe" && p.Owner == "" }) || len(asked) == 0 {
			t.Errorf("%s: %v after %d questions, %+v", name, err, len(asked), all)
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("%s: the list took %s", name, took)
		}
	}
}
