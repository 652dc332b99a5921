package jobs_test

import (
	"testing"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/store"
)

// contact waits for the outcome of a first contact with a host.
func (r *reached) contact(host int64, outcome string) store.Contact {
	r.t.Helper()
	late := time.After(30 * time.Second)
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for {
		c, there, err := r.Store.ContactOf(r.t.Context(), host)
		if err != nil {
			r.t.Fatal(err)
		}
		if there && c.Outcome == outcome {
			return c
		}
		select {
		case <-every.C:
		case <-late:
			r.t.Fatalf("the first contact came to %q (%s), want %s", c.Outcome, c.Error, outcome)
		}
	}
}

func TestFirstContactIsMadeByTheProfileAndKept(t *testing.T) {
	t.Parallel()
	r := reach(t, 1, "127.0.136", "http,ntlm", store.Profile{Auth: string(winrm.AuthNTLM), HTTPS: false})
	hosts, err := r.Store.HostsOfProfile(t.Context(), "default")
	if err != nil || len(hosts) != 1 {
		t.Fatal(hosts, err)
	}
	host := hosts[0].ID
	r.coordinate()
	ask := func() {
		t.Helper()
		if _, err := r.Store.RequestContacts(t.Context(), admin, r.servers); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	if c := r.contact(host, winrm.OutcomeRefused); len(c.Steps) != 1 || c.Steps[0].Name != "profile" || c.Steps[0].Remedy == "" || c.By != admin.Name {
		t.Errorf("without an account: %+v", c)
	}
	r.set(`CORP\wk`, winrmPassword)
	ask()
	c := r.contact(host, winrm.OutcomeDone)
	if len(c.Steps) != 9 || len(c.Checks) != len(windows.Constants()) || c.Windows != "2003" || c.Error != "" {
		t.Errorf("%d steps, %d constants on %q: %+v", len(c.Steps), len(c.Checks), c.Windows, c.Steps)
	}
	counts, err := r.Store.ConstantCounts(t.Context())
	if err != nil || len(counts) != len(windows.Constants()) {
		t.Errorf("%d constants are counted, %v", len(counts), err)
	}
}

// On first use nothing but the handshake is sent, and the certificate is put
// before a person.
func TestFirstContactOffersTheCertificate(t *testing.T) {
	t.Parallel()
	r := reach(t, 1, "127.122.1", "https,ntlm,self-signed,tls1.0", store.Profile{Auth: string(winrm.AuthNTLM), HTTPS: true, TLS10: true, Trust: store.TrustFirstUse})
	hosts, err := r.Store.HostsOfProfile(t.Context(), "default")
	if err != nil || len(hosts) != 1 {
		t.Fatal(hosts, err)
	}
	r.set(`CORP\wk`, winrmPassword)
	r.coordinate()
	if _, err := r.Store.RequestContacts(t.Context(), admin, r.servers); err != nil {
		t.Fatal(err)
	}
	c := r.contact(hosts[0].ID, winrm.OutcomeUntrusted)
	pins, err := r.Store.PinsOf(t.Context(), hosts[0].ID)
	if err != nil || len(pins) != 1 || pins[0].State != store.PinOffered || len(c.Checks) != 0 {
		t.Errorf("%+v, %v, after %+v", pins, err, c.Steps)
	}
}
