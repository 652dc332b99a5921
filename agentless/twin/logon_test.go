package twin_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"wavekeeper/agentless/sealed"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

var nextLogon struct {
	sync.Mutex
	n int
}

// logonAddress gives each host of these tests an address of its own.
func logonAddress() string {
	nextLogon.Lock()
	defer nextLogon.Unlock()
	nextLogon.n++
	return fmt.Sprintf("127.0.124.%d", nextLogon.n)
}

var on2008 = onOS("2008")

// onOS gives a row its Windows.
func onOS(name string) func(*exchange.Server) { return func(s *exchange.Server) { s.OS = name } }

// domainAdmin is an administrator of every host, of the domain.
var domainAdmin = twin.Account{Name: `CORP\wkwinrm`, Password: "Zw\u00f6lf-3", Admin: true}

func TestNTLMSealsMessagesOverHTTP(t *testing.T) {
	t.Parallel()
	for _, os := range []string{"2003", "2008"} {
		for _, account := range []string{winrmUser, `.\` + winrmUser, `MBX1\` + winrmUser, `CORP\wkwinrm`, "wkwinrm@corp.example", "WKWINRM"} {
			t.Run(os+" "+account, func(t *testing.T) {
				t.Parallel()
				c, _, truth := reached(t, "http,ntlm", twin.Options{Accounts: []twin.Account{domainAdmin}}, func(s *exchange.Server) { s.OS = os })
				secret, who := password, "mbx1\\"+winrmUser
				if strings.Contains(strings.ToLower(account), "wkwinrm") {
					secret, who = domainAdmin.Password, `corp\wkwinrm`
				}
				l := c.byNTLM(account, secret, nil)
				if exit, out, _ := c.run("whoami"); os == "2008" && (exit != "0" || strings.TrimSpace(out) != who) {
					t.Errorf("whoami: %s %q, want %q", exit, out, who)
				}
				if exit, out, _ := c.run("echo %USERDOMAIN%\\%USERNAME%"); exit != "0" || !strings.EqualFold(strings.TrimSpace(out), who) {
					t.Errorf("the account: %s %q, want %q", exit, out, who)
				}
				if !sealed.IsSealed(l.kind) || l.logons != 1 {
					t.Errorf("answer of type %q after %d logons", l.kind, l.logons)
				}
				if on := truth.entries(t, "logon"); len(on) != 1 || on[0].Detail["by"] != "ntlm" || on[0].Detail["refused"] != 0.0 {
					t.Errorf("journal: %v", on)
				}
			})
		}
	}
}

func TestAFaultOfASealedMessageIsSealed(t *testing.T) {
	t.Parallel()
	c, _, _ := reached(t, "http,ntlm", twin.Options{})
	l := c.byNTLM(winrmUser, password, nil)
	status, n := c.ask(shellURI+"/Receive", shellURI+"/cmd", shellSelector("NONE"), "",
		`<rsp:Receive><rsp:DesiredStream CommandId="NONE">stdout</rsp:DesiredStream></rsp:Receive>`)
	if status != 500 || code(n) != "2150858843" || !sealed.IsSealed(l.kind) {
		t.Errorf("%d %s of type %q", status, code(n), l.kind)
	}
}

// Each host says what it offers, and takes nothing else.
func TestAHostOffersWhatItWasToldTo(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]struct{ offers, basic string }{
		"http,plain":             {`Basic realm="WSMAN"`, "200"},
		"http,ntlm":              {"Negotiate", "401"},
		"http,ntlm,basic":        {"Negotiate", "401"}, // Basic over http needs AllowUnencrypted
		"http,ntlm,basic,plain":  {`Negotiate, Basic realm="WSMAN"`, "200"},
		"https":                  {`Basic realm="WSMAN"`, "200"},
		"https,ntlm":             {"Negotiate", "401"},
		"https,ntlm,basic":       {`Negotiate, Basic realm="WSMAN"`, "200"},
		"https,self-signed,ntlm": {"Negotiate", "401"},
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			c, _, _ := reached(t, words, twin.Options{})
			c.secure(anyCertificate)
			res := c.bare(t, "")
			if got := strings.Join(res.Header.Values("WWW-Authenticate"), ", "); res.StatusCode != 401 || got != want.offers {
				t.Errorf("%d %q, want 401 %q", res.StatusCode, got, want.offers)
			}
			if status, _, err := c.post(identifyBody); err != nil || fmt.Sprint(status) != want.basic {
				t.Errorf("with Basic: %d %v, want %s", status, err, want.basic)
			}
		})
	}
}

// bare sends one message with that Authorization header.
func (c *client) bare(t *testing.T, authorization string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url, strings.NewReader(identifyBody))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res
}

func TestWhatIsPlainInsideALoginIsRefused(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]int{"http,ntlm": 500, "http,ntlm,plain": 200} {
		c, _, _ := reached(t, words, twin.Options{})
		l := c.byNTLM(winrmUser, password, nil)
		if status, _, err := c.post(identifyBody); status != 200 || err != nil {
			t.Fatal(status, err)
		}
		c.http.Transport = l.to // the same connection, nothing sealed
		if status, raw, err := c.post(identifyBody); err != nil || status != want || (raw == "") != (want == 500) {
			t.Errorf("%s: %d %q %v, want %d", words, status, raw, err, want)
		}
	}
}

func TestProofsAreCountedByAccount(t *testing.T) {
	t.Parallel()
	c, f, truth := reached(t, "http,ntlm", twin.Options{Accounts: []twin.Account{domainAdmin}, LockoutThreshold: 3})
	try := func(account, secret string) error {
		c.byNTLM(account, secret, nil)
		_, _, err := c.post(identifyBody)
		return err
	}
	for i, secret := range []string{"wrong", "wrong", domainAdmin.Password, "wrong", "wrong", "wrong", domainAdmin.Password} {
		if err, right := try(`CORP\wkwinrm`, secret), i == 2; right != (err == nil) || !right && !errors.Is(err, errRefused) {
			t.Errorf("attempt %d: %v", i+1, err)
		}
	}
	if err := try(winrmUser, password); err != nil {
		t.Errorf("another account: %v", err)
	}
	got := f.Proofs()
	if want := (twin.Proofs{Sent: 7, Refused: 6, Row: 4}); got[`corp\wkwinrm`] != want {
		t.Errorf("proofs = %+v, want %+v: the last was right, and the account locked", got[`corp\wkwinrm`], want)
	}
	if want := (twin.Proofs{Sent: 1}); got[`mbx1\`+winrmUser] != want {
		t.Errorf("proofs of the local account = %+v, want %+v", got[`mbx1\`+winrmUser], want)
	}
	if refused := truth.entries(t, "access-refused"); len(refused) != 6 || refused[5].Detail["refused"] != 6.0 || refused[5].Detail["sent"] != 7.0 {
		t.Errorf("journal: %v", refused)
	}
}

func TestWhoIsNoAdministratorIsDeniedByAFault(t *testing.T) {
	t.Parallel()
	c, _, _ := reached(t, "http,ntlm", twin.Options{Accounts: []twin.Account{{Name: `CORP\clerk`, Password: "Pw-1"}}})
	c.byNTLM(`CORP\clerk`, "Pw-1", nil)
	if status, n := c.ask("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", shellURI+"/cmd", "", "", "<rsp:Shell/>"); status != 500 || code(n) != "5" {
		t.Errorf("%d %s, want 500 and 5: it is logged on, and has no right", status, code(n))
	}
}

// Some clients send an empty request before each message; a host that forgets
// wants the proof each time.
func TestAHostMayForgetALoginAtAnEmptyRequest(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]int{"http,ntlm": 200, "http,ntlm,forgets": 401} {
		c, _, _ := reached(t, words, twin.Options{})
		l := c.byNTLM(winrmUser, password, nil)
		if _, _, err := c.post(identifyBody); err != nil {
			t.Fatal(err)
		}
		c.http.Transport = l.to
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", words, res.StatusCode, want)
		}
	}
}

func TestAccessIsReadFromWords(t *testing.T) {
	t.Parallel()
	got, err := twin.ParseAccess("BR-*=https, NTLM,basic,tls1.0,self-signed")
	want := twin.HostAccess{Hosts: "BR-*", Access: twin.Access{
		HTTPS: true, Auth: []string{twin.AuthNTLM, twin.AuthBasic}, OldTLS: true, Certificate: twin.CertSelfSigned,
	}}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v %v, want %+v", got, err, want)
	}
	for text, want := range map[string]string{
		"https":              "HOSTS=WORDS is wanted",
		"*=htps":             `unknown word "htps"; the nearest known is "https"`,
		"*=http,tls1.0":      "need https",
		"*=http,certificate": "need https",
		"[=https":            "syntax error in pattern",
	} {
		if _, err := twin.ParseAccess(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	s := server(t, "mbx1", "HT")
	for words, want := range map[string]string{
		"http":                "needs the word plain",
		"http,kerberos":       "need a keytab",
		"https,certificate":   "needs the certificate",
		"https,ntlm,binding":  "not known to Windows Server 2003",
		"http,basic,kerberos": "need a keytab",
	} {
		a, err := twin.ParseAccess("*=" + words)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := twin.Start(t.Context(), twin.Options{Servers: []exchange.Server{s}, Access: []twin.HostAccess{a}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", words, err, want)
		}
	}
}
