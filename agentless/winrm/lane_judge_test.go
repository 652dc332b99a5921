package winrm

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A host that does not offer Negotiate refused no ticket.
func TestKerberosOnAHostWithoutNegotiate(t *testing.T) {
	t.Parallel()
	for _, offered := range []string{"Kerberos", `Basic realm="WSMAN"`} {
		a := newAccount(AccountConfig{Auth: AuthKerberos, User: "svc@LAB.TEST", Service: "HTTP"})
		tr := &transport{host: "mbx1.lab.test", account: a}
		p, err := a.prove(t.Context(), tr.host)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tr.judge(t.Context(), &kerberosLogin{service: "HTTP", host: tr.host}, p, &reply{status: http.StatusUnauthorized, header: http.Header{"Www-Authenticate": {offered}}})
		name, _, _ := strings.Cut(offered, " ")
		if Outcome(err) != OutcomeRefused || !strings.Contains(err.Error(), "does not offer Negotiate") || !strings.Contains(err.Error(), "it offers "+name) {
			t.Errorf("%s: %v", offered, err)
		}
		if err := a.May(tr.host); err != nil {
			t.Errorf("%s: closed: %v", offered, err)
		}
		if _, err := a.prove(withDeadline(t, time.Second), tr.host); err != nil {
			t.Errorf("%s: the next: %v", offered, err)
		}
	}
}

// Explained as well: what the driver does not do, it does not call fitting.
func TestExplainOfAHostWithKerberosAlone(t *testing.T) {
	t.Parallel()
	for _, auth := range []Auth{AuthNTLM, AuthKerberos} {
		for _, name := range offeredFor[auth] {
			if token, offered := negotiateToken(http.Header{"Www-Authenticate": {name}}); !offered || token != nil {
				t.Errorf("%s: %q counts as offered, and the login does not take it", auth, name)
			}
		}
	}
}

// A ticket that a host answers with 400 may be too large for http.sys.
func TestALargeTicketInWords(t *testing.T) {
	t.Parallel()
	a := newAccount(AccountConfig{Auth: AuthKerberos, User: "svc@LAB.TEST", Service: "HTTP"})
	tr := &transport{host: "mbx1.lab.test", account: a}
	for range 3 {
		p, err := a.prove(t.Context(), tr.host)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tr.judge(t.Context(), &kerberosLogin{service: "HTTP", host: tr.host}, p, &reply{status: http.StatusBadRequest})
		if !strings.Contains(fmt.Sprint(err), `MaxFieldLength and MaxRequestBytes`) || !strings.Contains(fmt.Sprint(err), `HKLM\SYSTEM\CurrentControlSet\Services\HTTP\Parameters`) {
			t.Errorf("%v", err)
		}
	}
	if err := a.May(tr.host); err != nil {
		t.Errorf("a ticket shows no password, and is not counted: %v", err)
	}
}

// A ticket that a host refuses without a word is asked for anew: the host may have
// been joined again since.
func TestARefusedTicketIsForgotten(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	account := r.account(t, "Secret1")
	h := r.host(t)
	h.mischief = func(w http.ResponseWriter, req *http.Request, _ *login) bool {
		if !proving(req) {
			return false
		}
		offer(w, nil)
		return true
	}
	h.start()
	cfg := h.fakeHost.config()
	cfg.Host, cfg.Account = "mbx1.lab.test", account
	if _, err := dialTo(t, cfg).Identify(withDeadline(t, 10*time.Second)); Outcome(err) != OutcomeDenied {
		t.Fatal(err)
	}
	if _, err := account.cfg.Kerberos.Service(withDeadline(t, 10*time.Second), "HTTP/mbx1.lab.test"); err != nil {
		t.Fatal(err)
	}
	if n := r.count(t, "TGS_REQ", "ISSUE"); n != 2 {
		t.Errorf("%d tickets of the host, want another one", n)
	}
}
