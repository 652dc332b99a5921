package hook

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

// webhookAt starts an https server at an address of this package's own.
func webhookAt(t *testing.T, answer http.HandlerFunc) Webhook {
	t.Helper()
	server := httptest.NewUnstartedServer(answer)
	listener, err := net.Listen("tcp", "127.0.166.10:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = server.Listener.Close() // the one that httptest made for itself
	server.Listener = listener
	server.StartTLS()
	t.Cleanup(server.Close)
	return Webhook{
		Name: "balancer", URL: "https://" + listener.Addr().String() + "/drain?token=hidden", Points: []string{"drain"},
		Networks: []string{"127.0.166.0/24"}, Secret: []byte("sixteen bytes or more"), CA: pemOf(server),
	}
}

func pemOf(server *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func TestWebhookIsSignedOverTimeAndBody(t *testing.T) {
	t.Parallel()
	w := Webhook{Secret: []byte("sixteen bytes or more")}
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		at, err := strconv.ParseInt(r.Header.Get(TimeHeader), 10, 64)
		if err != nil || r.Header.Get(SignatureHeader) != Sign(w.Secret, at, body) || r.Header.Get(IDHeader) != call.ID {
			t.Errorf("headers %v", r.Header)
		}
		if Sign(w.Secret, at+1, body) == r.Header.Get(SignatureHeader) || Sign([]byte("another"), at, body) == r.Header.Get(SignatureHeader) {
			t.Error("the signature does not depend on time or secret")
		}
		_, _ = io.WriteString(rw, "drained")
	}))
	t.Cleanup(server.Close)
	w.Name, w.URL, w.Points, w.Networks, w.CA = "lb", server.URL, []string{"drain"}, []string{"127.0.0.0/8"}, pemOf(server)
	r, err := w.Run(context.Background(), call)
	if err != nil || r.State != Done || string(r.Output) != "drained" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAnswerOfAWebhookSaysHowItEnded(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]State{200: Done, 204: Done, 202: Later, 301: Failed, 302: Failed, 400: Failed, 500: Failed} {
		server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				t.Errorf("%d: a redirect was followed to %s", status, r.URL)
			}
			rw.Header().Set("Location", "/elsewhere")
			rw.WriteHeader(status)
		}))
		w := Webhook{Name: "lb", URL: server.URL + "/", Points: []string{"drain"}, Networks: []string{"127.0.0.0/8"}, CA: pemOf(server)}
		if r, err := w.Run(context.Background(), call); err != nil || r.State != want {
			t.Errorf("%d: %+v, %v; want %s", status, r, err, want)
		}
		server.Close()
	}
}

func TestWebhookReachesOnlyWhatAnAdminAllowed(t *testing.T) {
	t.Parallel()
	w := webhookAt(t, func(http.ResponseWriter, *http.Request) { t.Error("the webhook was reached") })
	for _, ranges := range [][]string{nil, {"10.0.0.0/8"}} {
		w.Networks = ranges
		r, err := w.Run(context.Background(), call)
		if err != nil || r.State != Failed || !strings.Contains(r.Words, ErrAddress.Error()) {
			t.Errorf("%v: %+v, %v", ranges, r, err)
		}
		if strings.Contains(r.Words, "hidden") {
			t.Errorf("the URL's token is shown: %s", r.Words)
		}
		// A name is looked at only once it leads somewhere, at each connection.
		given, err := w.networks()
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := w.client(given).Do(request)
		if err == nil {
			_ = answer.Body.Close() // nothing of it is read
		}
		if !errors.Is(err, ErrAddress) {
			t.Errorf("%v: the connection itself: %v", ranges, err)
		}
	}
}

func TestAddressesOfWebhooks(t *testing.T) {
	t.Parallel()
	for address, fine := range map[string]bool{
		"8.8.8.8": true, "2600::1": true,
		"127.0.0.1": false, "::1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"fe80::1": false, "fc00::1": false, "0.0.0.0": false, "::": false, "100.64.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"::ffff:127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "fec0::1": false,
	} {
		err := allowed(netip.MustParseAddr(address), nil)
		if fine != (err == nil) || err != nil && !errors.Is(err, ErrAddress) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := allowed(netip.MustParseAddr("10.1.2.3"), []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoWebhookIsRefused(t *testing.T) {
	t.Parallel()
	good := Webhook{Name: "lb", URL: "https://lb.contoso.com/drain", Points: []string{"drain"}}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, meant := range []Webhook{
		{URL: "https://127.0.0.1/", Networks: []string{"127.0.0.0/8"}},
		{URL: "https://[::1]/", Networks: []string{"::1/128"}},
		{URL: "https://localhost/", Networks: []string{"127.0.0.1/32"}},
		{URL: "https://10.1.2.3/", Networks: []string{"10.1.0.0/16", "fd00::/7"}},
	} {
		meant.Points = good.Points
		if err := meant.Check(); err != nil {
			t.Errorf("%s: %v", meant.URL, err)
		}
	}
	for name, spoil := range map[string]func(*Webhook){
		"http":     func(w *Webhook) { w.URL = "http://lb.contoso.com/" },
		"account":  func(w *Webhook) { w.URL = "https://u:p@lb.contoso.com/" },
		"no host":  func(w *Webhook) { w.URL = "https:///x" },
		"point":    func(w *Webhook) { w.Points = []string{"drian"} },
		"no point": func(w *Webhook) { w.Points = nil },
		"range":    func(w *Webhook) { w.Networks = []string{"10.0.0.0"} },
		"secret":   func(w *Webhook) { w.Secret = []byte("short") },
		"all":      func(w *Webhook) { w.Networks = []string{"0.0.0.0/0"} },
		"half":     func(w *Webhook) { w.Networks = []string{"10.1.0.0/16", "128.0.0.0/1"} },
		"all IPv6": func(w *Webhook) { w.Networks = []string{"::/0"} },
		"loopback": func(w *Webhook) { w.URL = "https://127.0.0.1:8443/drain" },
		"mapped":   func(w *Webhook) { w.URL = "https://[::ffff:127.0.0.1]/drain" },
		"IPv6":     func(w *Webhook) { w.URL, w.Networks = "https://[::1]/drain", []string{"10.0.0.0/8"} },
		"private":  func(w *Webhook) { w.URL = "https://10.1.2.3/drain" },
		"itself":   func(w *Webhook) { w.URL = "https://LOCALHOST./drain" },
	} {
		w := good
		spoil(&w)
		if err := w.Check(); err == nil {
			t.Errorf("%s is allowed", name)
		}
	}
}

func TestHashOfAWebhookBindsAllThatMatters(t *testing.T) {
	t.Parallel()
	base := Webhook{Name: "lb", URL: "https://a/", Points: []string{"drain"}, Secret: []byte("0123456789abcdef")}
	seen := map[string]bool{base.SHA256(): true}
	for _, change := range []func(*Webhook){
		func(w *Webhook) { w.URL = "https://b/" }, func(w *Webhook) { w.Points = []string{"drain", "after"} },
		func(w *Webhook) { w.Networks = []string{"10.0.0.0/8"} }, func(w *Webhook) { w.Secret = []byte("0123456789abcdeg") },
	} {
		w := base
		change(&w)
		if seen[w.SHA256()] {
			t.Errorf("%+v has the hash of another", w)
		}
		seen[w.SHA256()] = true
	}
}
