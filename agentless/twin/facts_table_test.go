package twin_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/exchange"
)

// wire is what went to a host, in the words of the table of facts.
type wire struct {
	mu       sync.Mutex
	asked    []string
	requests int
}

func (w *wire) take() (asked []string, requests int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked, requests = w.asked, w.requests
	w.asked, w.requests = nil, 0
	return asked, requests
}

// tapped is a host behind a proxy that writes down what is asked.
func tapped(t testing.TB, s exchange.Server) (*windows.Host, *wire) {
	t.Helper()
	to, err := url.Parse(fmt.Sprintf("http://%s:%d", s.Address, s.Port))
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{}
	proxy := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		w.mu.Lock()
		w.requests++
		if what := inWords(body); what != "" {
			w.asked = append(w.asked, what)
		}
		w.mu.Unlock()
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	address, ok := front.Listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal("no TCP address")
	}
	conn, err := winrm.New(winrm.Config{Address: address.IP.String(), Port: address.Port, Account: winrm.Basic(winrmUser, password)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return windows.New(conn), w
}

var (
	resourceIn = regexp.MustCompile(`wmi/(root/[A-Za-z0-9/]+)`)
	shellIn    = regexp.MustCompile(`windows/shell`)
)

// inWords puts a request into the words of FactRow.Ask; "" is one that asks
// nothing: the rest of an answer, a process' owner.
func inWords(body []byte) string {
	var n node
	if err := xml.Unmarshal(body, &n); err != nil {
		return ""
	}
	if len(n.find("Identify")) > 0 {
		return "Identify"
	}
	if filter := n.find("Filter"); len(filter) > 0 {
		resource := resourceIn.FindStringSubmatch(n.one("ResourceURI"))
		if namespace := strings.TrimSuffix(resource[1], "/"); namespace != "root/cimv2" {
			return namespace + ": " + filter[0].Text
		}
		return filter[0].Text
	}
	key := n.one("sSubKeyName")
	action := n.one("Action")
	switch method := action[strings.LastIndexByte(action, '/')+1:]; {
	case shellIn.MatchString(n.one("ResourceURI")):
		return "a shell"
	case method == "EnumKey":
		return `subkeys of HKLM\` + key
	case method == "EnumValues":
		return `value names of HKLM\` + key
	case strings.HasPrefix(method, "Get") && key != "":
		return `HKLM\` + key + ": " + n.one("sValueName")
	}
	return ""
}

// questions are the parts of a line of the table as patterns, and whether each
// is asked in any case.
func questions(ask string) (patterns []*regexp.Regexp, always []bool) {
	for _, part := range strings.Split(ask, "; ") {
		rest, perhaps := strings.CutPrefix(part, "if there: ")
		if !perhaps {
			rest, perhaps = strings.CutPrefix(part, "else ")
		}
		head, values, isValue := strings.Cut(rest, ": ")
		whole := []string{rest}
		if isValue && strings.HasPrefix(head, `HKLM\`) {
			whole = nil
			for _, v := range strings.Split(values, ", ") {
				whole = append(whole, head+": "+v)
			}
		}
		for _, one := range whole {
			patterns = append(patterns, regexp.MustCompile(`(?i)^`+strings.ReplaceAll(regexp.QuoteMeta(one), `\*`, `.+`)+`$`))
			always = append(always, !perhaps)
		}
	}
	return patterns, always
}

// fullHosts are hosts on which every question of the table is asked by one.
func fullHosts(t testing.TB) []exchange.Server {
	old, young, node := server(t, "full3", "CAS+HT+MBX+UM"), server(t, "full8", "CAS+HT+MBX+UM"), server(t, "node3", "MBX")
	old.OS, young.OS = "2003", "2008"
	old.Tags = []string{"trait:patch=Update Rollup 4 for Exchange Server 2007 (KB940006)", "trait:forefront", "trait:streaming-backup=1", "trait:wmf3", "trait:pending-rename"}
	young.Tags = []string{"trait:firewall-policy=1", "trait:no-site", `trait:logged-on=CORP\admin1`, "trait:dotnet20-absent"}
	node.Tags = []string{"trait:cluster-service=ScanMail_Master", "trait:install-path-elsewhere", "trait:interrupted-setup"}
	node.Services = []string{"ScanMail_Master"}
	return []exchange.Server{old, young, node}
}

// TestEveryFactIsAskedAsItsLineSays: a line of the table is what goes over the
// wire for a round of facts, and nothing goes that no line has.
func TestEveryFactIsAskedAsItsLineSays(t *testing.T) {
	t.Parallel()
	servers := fullHosts(t)
	start(t, twin.Options{Servers: servers})
	seen := map[string]bool{} // "fact: pattern"
	for _, s := range servers {
		h, w := tapped(t, s)
		if _, err := h.Facts(t.Context()); err != nil {
			t.Fatal(err)
		}
		asked, requests := w.take()
		t.Logf("%s (%s): %d requests", s.Name, s.OS, requests)
		if requests > 200 {
			t.Errorf("%s: %d requests for a round of facts", s.Name, requests)
		}
		for _, what := range asked {
			// A value is not there: do its key's names say so, too?
			key, names := strings.CutPrefix(what, `value names of `)
			known := names && slices.ContainsFunc(asked, func(a string) bool { return strings.HasPrefix(a, key+": ") })
			for _, row := range windows.FactTable() {
				patterns, _ := questions(row.Ask)
				for _, p := range patterns {
					if p.MatchString(what) {
						known, seen[row.Name+p.String()] = true, true
					}
				}
			}
			if !known {
				t.Errorf("%s: asked, and no line of the table says so: %s", s.Name, what)
			}
		}
		for _, row := range windows.FactTable() {
			if row.Account != windows.WinRMAccount {
				continue
			}
			patterns, always := questions(row.Ask)
			for i, p := range patterns {
				if always[i] && !slices.ContainsFunc(asked, p.MatchString) {
					t.Errorf("%s: fact %s: not asked: %s", s.Name, row.Name, p)
				}
			}
		}
	}
	for _, row := range windows.FactTable() {
		if row.Account != windows.WinRMAccount {
			continue
		}
		patterns, _ := questions(row.Ask)
		for _, p := range patterns {
			if !seen[row.Name+p.String()] {
				t.Errorf("fact %s: no host is asked: %s", row.Name, p)
			}
		}
	}
}

// BenchmarkFacts is one round of facts; "requests" is how many it takes.
func BenchmarkFacts(b *testing.B) {
	s := fullHosts(b)[0]
	start(b, twin.Options{Servers: []exchange.Server{s}})
	h, w := tapped(b, s)
	total := 0
	for b.Loop() {
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		_, err := h.Round().Facts(ctx)
		cancel()
		if err != nil {
			b.Fatal(err)
		}
		_, n := w.take()
		total += n
	}
	b.ReportMetric(float64(total)/float64(b.N), "requests/op")
}
