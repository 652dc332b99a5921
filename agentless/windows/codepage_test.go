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
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
)

// TestWhatAPersonReadsIsInTheHostsLanguage: a German host writes in code page
// 850 and a Japanese one in 932.
func TestWhatAPersonReadsIsInTheHostsLanguage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		os, winrm, language string
		page                int
		word                string
	}{
		{"2003", "1.1", "de-DE", 850, "\u00fc"},
		{"2008", "2.0", "ja-JP", 932, "\u6307\u5b9a"},
		{"2003", "2.0", "en-US", 437, "cannot find"},
		{"2008R2", "2.0", "de-DE", 65001, "\u00fc"},
	} {
		h, ctx := hostWith(t, func(o *twin.Options) {
			o.Platforms = map[string]twin.Platform{"MBX1": {OS: c.os, WinRM: c.winrm, Language: c.language}}
		}), context.Background()
		result, err := h.RunReadable(ctx, `schtasks.exe /create SYSTEM&type C:\nowhere\nothing.txt`)
		if err != nil {
			t.Fatal(err)
		}
		out, said := result.Text()
		text := strings.ReplaceAll(out+said, "/?", "")
		if result.CodePage != c.page || !strings.Contains(text, c.word) || strings.Contains(text, "\ufffd") || strings.Contains(text, "?") {
			t.Errorf("%s %s in code page %d, want %d: %q", c.os, c.language, result.CodePage, c.page, text)
		}
	}
}

// TestAHostWithoutTheCodePageIsAskedInItsOwn: a shell in code page 437 is
// refused by code, nothing ran, and the next is opened in the host's own.
func TestAHostWithoutTheCodePageIsAskedInItsOwn(t *testing.T) {
	t.Parallel()
	port := startTwin(t, func(o *twin.Options) {
		o.Platforms = map[string]twin.Platform{"MBX1": {OS: "2003", WinRM: "2.0", Language: "ja-JP"}}
	})
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	refused := 0
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if bytes.Contains(body, []byte(`WINRS_CODEPAGE">437<`)) {
			refused++
			w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Detail>`+
				`<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150859072" Machine=""/></s:Detail></s:Fault></s:Body></s:Envelope>`)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	h := dialled(t, front.Listener.Addr().(*net.TCPAddr).Port)
	result, err := h.Run(context.Background(), "echo here")
	if out, _ := result.Text(); err != nil || strings.TrimSpace(out) != "here" || result.CodePage != 932 || refused != 1 {
		t.Errorf("%q in code page %d after %d refusals, %v", out, result.CodePage, refused, err)
	}
}
