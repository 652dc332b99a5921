package twin_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/kerberos"
	"wavekeeper/agentless/sealed"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// withKDC is one host of a realm.
func withKDC(tb testing.TB, k *kdc, words string, o twin.Options, change ...func(*exchange.Server)) (*client, *twin.Fleet, *truth) {
	o.Keytab = k.keytab
	o.Accounts = append(o.Accounts, twin.Account{Name: `CORP\` + ticketUser, Admin: true})
	return reached(tb, words, o, change...)
}

// ticketed logs on with a ticket and returns the context.
func (c *client) ticketed(k *kdc, user, host string) (*kerberos.Context, *http.Response, error) {
	c.tb.Helper()
	client, err := kerberos.New(kerberos.Config{User: user, Realm: realm, Password: ticketSpell, KDCs: []string{k.addr}})
	if err != nil {
		c.tb.Fatal(err)
	}
	x, token, err := client.Initiate(c.tb.Context(), "HTTP", host, nil)
	if err != nil {
		c.tb.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.tb.Context(), http.MethodPost, c.url, nil)
	if err != nil {
		c.tb.Fatal(err)
	}
	req.Header.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(token))
	res, err := c.http.Do(req)
	if err != nil {
		c.tb.Fatal(err)
	}
	defer res.Body.Close()
	answer, _ := strings.CutPrefix(res.Header.Get("WWW-Authenticate"), "Negotiate ")
	raw, err := base64.StdEncoding.DecodeString(answer)
	if err != nil {
		c.tb.Fatal(err)
	}
	return x, res, x.Complete(raw)
}

// wrapped sends one sealed message and opens the answer.
func (c *client) wrapped(x *kerberos.Context, message string) (int, string) {
	c.tb.Helper()
	framed, err := sealed.Wrap(x, []byte(message), "application/soap+xml;charset=UTF-8")
	if err != nil {
		c.tb.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.tb.Context(), http.MethodPost, c.url, strings.NewReader(string(framed)))
	if err != nil {
		c.tb.Fatal(err)
	}
	req.Header.Set("Content-Type", sealed.ContentType)
	res, err := c.http.Do(req)
	if err != nil {
		c.tb.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		c.tb.Fatal(err)
	}
	if !sealed.IsSealed(res.Header.Get("Content-Type")) {
		return res.StatusCode, string(raw)
	}
	opened, _, err := sealed.Unwrap(x, raw)
	if err != nil {
		c.tb.Fatal(err)
	}
	return res.StatusCode, string(opened)
}

func TestKerberosSealsMessagesOverHTTP(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	for name, os := range map[string]string{"mbx1": "2008", "old1": "2003"} {
		c, f, truth := withKDC(t, k, "http,kerberos", twin.Options{}, onOS(os), func(s *exchange.Server) {
			s.Name, s.FQDN = strings.ToUpper(name), name+".corp.example"
		})
		x, res, err := c.ticketed(k, ticketUser, name+".corp.example")
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%s: %d %v", name, res.StatusCode, err)
		}
		for range 3 {
			if status, answer := c.wrapped(x, identifyBody); status != 200 || !strings.Contains(answer, "OS: ") {
				t.Errorf("%s: %d %q", name, status, answer)
			}
		}
		if on := truth.entries(t, "logon"); len(on) != 1 || on[0].Detail["account"] != `CORP\`+ticketUser || on[0].Detail["by"] != "kerberos" {
			t.Errorf("%s: journal %v", name, on)
		}
		// The same connection, not sealed; and a message that was repeated.
		if status, _, err := c.post(identifyBody); err != nil || status != 401 { // Basic is not offered
			t.Errorf("%s: Basic: %d %v", name, status, err)
		}
		c.user = ""
		if status, _, err := c.post(identifyBody); err != nil || status != 500 {
			t.Errorf("%s: plain: %d %v, want 500", name, status, err)
		}
		if status, _ := c.wrapped(x, identifyBody); status != 200 {
			t.Errorf("%s: sealed again: %d", name, status)
		}
		if got := f.Proofs(); len(got) != 0 { // a ticket is no proof of a password; Basic is not looked at
			t.Errorf("%s: proofs %v", name, got)
		}
	}
}

func TestATicketIsForOneHostAndNeedsRights(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	c, _, _ := withKDC(t, k, "http,kerberos", twin.Options{})
	if _, res, err := c.ticketed(k, ticketUser, "old1.corp.example"); err == nil || res.StatusCode != 401 {
		t.Errorf("a ticket for another host: %d %v", res.StatusCode, err)
	}
	x, res, err := c.ticketed(k, "clerk", "mbx1.corp.example")
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %v", res.StatusCode, err)
	}
	create := message("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", shellURI+"/cmd", "", "", "<rsp:Shell/>")
	if status, answer := c.wrapped(x, create); status != 500 || !strings.Contains(answer, `Code="5"`) {
		t.Errorf("who is no administrator: %d %s", status, answer)
	}
}

func TestTicketsAreRefusedByKeyAndClock(t *testing.T) {
	t.Parallel()
	k := newKDC(t)
	for name, want := range map[string]string{"ticket-refused": "41", "clock-off": "37"} {
		c, f, truth := withKDC(t, k, "http,kerberos", twin.Options{})
		fault := twin.Fault{Host: "MBX1", Name: name}
		if name == "clock-off" {
			fault.Offset = 6 * time.Minute
		}
		if err := f.Inject(fault); err != nil {
			t.Fatal(err)
		}
		_, res, err := c.ticketed(k, ticketUser, "mbx1.corp.example")
		if err == nil || res.StatusCode != 401 {
			t.Errorf("%s: %d %v", name, res.StatusCode, err)
		}
		refused := truth.entries(t, "access-refused")
		if len(refused) != 1 || !strings.HasSuffix(refused[0].Detail["error"].(string), " "+want) {
			t.Errorf("%s: journal %v, want KRB-ERROR %s", name, refused, want)
		}
		if err := f.Mend("MBX1"); err != nil {
			t.Fatal(err)
		}
		if _, res, err := c.ticketed(k, ticketUser, "mbx1.corp.example"); err != nil || res.StatusCode != 200 {
			t.Errorf("%s: mended: %d %v", name, res.StatusCode, err)
		}
	}
}
