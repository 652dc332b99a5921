package winrm

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func TestNobodyButTheHostIsContacted(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer elsewhere.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		h := newFakeHost(t).on("Identify", func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Location", elsewhere.URL+"/wsman")
			w.WriteHeader(status)
		})
		if _, err := h.dial(t).Identify(withDeadline(t, 5*time.Second)); Outcome(err) != OutcomeFault {
			t.Errorf("a host that sends us on with %d: %v", status, err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("account and password went to another host %d times", n)
	}
}
