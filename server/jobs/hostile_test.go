package jobs_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/exchange"
	"wavekeeper/server/jobs"
	"wavekeeper/server/secret"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// A host that answers every request with a fault that says both passwords, in
// the middle and cut off at the end of a long text.
func TestHostThatRepeatsPasswordsGetsNoneStored(t *testing.T) {
	t.Parallel()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
		w.WriteHeader(http.StatusInternalServerError)
		long := fmt.Sprintf("/rp %s and %s ", runasPassword, winrmPassword)
		long += strings.Repeat(".", 494-len(long)) + runasPassword
		fmt.Fprintf(w, `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text>%s</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>`, long)
	}))
	defer host.Close()
	at, err := url.Parse(host.URL)
	if err != nil {
		t.Fatal(err)
	}
	d := storetest.New(t)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := secret.Load(filepath.Join(t.TempDir(), "key"))
	must(err)
	profile, err := d.Store.SaveProfile(ctx, admin, store.Profile{Name: "default", PlainBasic: true, Ranges: []string{"127.0.0.0/8"}})
	must(err)
	for purpose, password := range map[string]string{store.PurposeWinRM: winrmPassword, store.PurposeRunAs: runasPassword} {
		sealed, err := key.Seal([]byte(password), profile, purpose)
		must(err)
		must(d.Store.SetCredential(ctx, admin, store.SealedCredential{ProfileID: profile, Purpose: purpose, Account: "wk", Sealed: sealed, KeyID: key.ID()}))
	}
	inv, faults := exchange.ReadInventory(strings.NewReader("server,roles,address,port\nCAS1,CAS,127.0.0.1," + at.Port() + "\n"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	_, err = d.Store.ImportInventory(ctx, admin, inv, nil, store.ImportOptions{})
	must(err)
	one, err := d.Store.ServerByName(ctx, "CAS1")
	must(err)
	var said strings.Builder
	engine, err := jobs.New(jobs.Options{Store: d.Store, Keys: key, Table: runbook.Standalone(), Log: slog.New(slog.NewTextHandler(&said, nil)), Workers: 1})
	must(err)
	_, err = d.Store.RequestProbes(ctx, admin, []int64{one.ID})
	must(err)
	must(engine.Start(ctx))
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	late := time.After(30 * time.Second)
	for one.Hosts[0].LastProbeAt == nil {
		select {
		case <-late:
			t.Fatal("the probe came to no end")
		case <-every.C:
		}
		one, err = d.Store.ServerByName(ctx, "CAS1")
		must(err)
	}
	must(engine.Stop(ctx))
	stored := one.Hosts[0].Error
	if !strings.Contains(stored, "[redacted] and [redacted]") {
		t.Errorf("the probe came to %s: %q, want the host's words without the passwords", one.Hosts[0].Outcome, stored)
	}
	for _, part := range []string{winrmPassword, runasPassword, runasPassword[:6]} {
		if strings.Contains(stored, part) || strings.Contains(said.String(), part) {
			t.Errorf("%q is stored or logged: %s %s", part, stored, said.String())
		}
	}
}
