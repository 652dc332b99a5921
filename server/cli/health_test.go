package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthAsksTheConsole(t *testing.T) {
	t.Parallel()
	console := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			http.Error(w, "not ready: no database", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	}))
	t.Cleanup(console.Close)
	if status, out, problems := run(t, "", "health", "--url", console.URL+"/healthz"); status != 0 || out != "ok\n" {
		t.Errorf("status %d, %s%s", status, out, problems)
	}
	if status, _, problems := run(t, "", "health", "--url", console.URL+"/readyz"); status != 1 || !strings.Contains(problems, "503 Service Unavailable: not ready: no database") {
		t.Errorf("status %d, %s", status, problems)
	}
	console.Close()
	if status, _, problems := run(t, "", "health", "--url", console.URL+"/healthz"); status != 1 || !strings.Contains(problems, "ask the console") {
		t.Errorf("status %d, %s", status, problems)
	}
}
