package winrm

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeHost answers as a host of WinRM 2.0 on Windows Server 2003 would, except
// for the actions that a test takes over. It says nothing about Windows; what
// is real comes from the corpus.
type fakeHost struct {
	*httptest.Server
	mu      sync.Mutex
	seen    []request
	conns   map[string]bool
	answers map[string]answerer
}

type request struct {
	action   string // last part of the Action, or "Identify"
	n        int    // of this action, from 1
	size     int    // of the body
	envelope *node
	header   http.Header
}

// answerer answers the n-th request (from 1) of its action.
type answerer func(w http.ResponseWriter, r *http.Request, n int)

const (
	shellID   = "67A74734-DD32-4F10-89DE-49A060483810"
	commandID = "1A6DEE6B-EC68-4DD6-87E9-030C0048ECC4"
)

func newFakeHost(t testing.TB) *fakeHost {
	t.Helper()
	h := &fakeHost{conns: map[string]bool{}, answers: map[string]answerer{
		"Identify": answer(200, identifyResponse("OS: 5.2.3790 SP: 2.0 Stack: 2.0")),
		"Create": answer(200, soapAction("http://schemas.xmlsoap.org/ws/2004/09/transfer/CreateResponse", `<x:ResourceCreated xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer"><a:Address>http://h/wsman</a:Address><a:ReferenceParameters><w:SelectorSet><w:Selector Name="ShellId">`+
			shellID+`</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>`)),
		"Command": answer(200, soapAction(shellSpace+"/CommandResponse", `<rsp:CommandResponse><rsp:CommandId>`+commandID+`</rsp:CommandId></rsp:CommandResponse>`)),
		"Receive": answer(200, received("", "", 0)),
		"Send":    answer(200, soapBody(`<rsp:SendResponse/>`)),
		"Signal":  answer(200, soapBody(`<rsp:SignalResponse/>`)),
		"Delete":  answer(200, soapBody(``)),
	}}
	h.Server = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(h.Close)
	return h
}

func (h *fakeHost) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	envelope, err := parse(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name := "Identify"
	if action := envelope.child("Header").child("Action").words(); action != "" {
		name = action[strings.LastIndexByte(action, '/')+1:]
	}
	h.mu.Lock()
	n := 1
	for _, s := range h.seen {
		if s.action == name {
			n++
		}
	}
	h.seen = append(h.seen, request{name, n, len(body), envelope, r.Header.Clone()})
	h.conns[r.RemoteAddr] = true
	answerer := h.answers[name]
	h.mu.Unlock()
	if answerer == nil {
		http.Error(w, "no such action: "+name, http.StatusBadRequest)
		return
	}
	answerer(w, r, n)
}

// on takes an action over.
func (h *fakeHost) on(action string, a answerer) *fakeHost {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers[action] = a
	return h
}

// actions are the requests so far, in order.
func (h *fakeHost) actions() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var names []string
	for _, s := range h.seen {
		names = append(names, s.action)
	}
	return strings.Join(names, " ")
}

func (h *fakeHost) count(action string) int {
	n := 0
	for _, name := range strings.Fields(h.actions()) {
		if name == action {
			n++
		}
	}
	return n
}

// last is the newest request of an action.
func (h *fakeHost) last(t *testing.T, action string) request {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.seen) - 1; i >= 0; i-- {
		if h.seen[i].action == action {
			return h.seen[i]
		}
	}
	t.Fatalf("no %s among the requests", action)
	return request{}
}

func (h *fakeHost) config() Config {
	addr := h.Listener.Addr().(*net.TCPAddr)
	return Config{Address: "127.0.0.1", Port: addr.Port, Account: Basic("operator", "pa:ss<word>")}
}

func (h *fakeHost) dial(t *testing.T) *Conn {
	t.Helper()
	c, err := New(h.config())
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

func answer(status int, body string) answerer {
	return func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Content-Type", soapType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func html(status int) answerer {
	return func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Content-Type", "text/html; charset=us-ascii")
		w.WriteHeader(status)
		fmt.Fprint(w, "<HTML><HEAD><TITLE>Service Unavailable</TITLE></HEAD></HTML>")
	}
}

// hang holds a request until the client is gone.
func hang(_ http.ResponseWriter, r *http.Request, _ int) { <-r.Context().Done() }

// hangUp drops the connection without an answer.
func hangUp(http.ResponseWriter, *http.Request, int) { panic(http.ErrAbortHandler) }

func inTurn(answers ...answerer) answerer {
	return func(w http.ResponseWriter, r *http.Request, n int) { answers[min(n, len(answers))-1](w, r, n) }
}

func soapBody(body string) string {
	return `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Header/><s:Body>` + body + `</s:Body></s:Envelope>`
}

func soapAction(action, body string) string {
	return strings.Replace(soapBody(body), "<s:Header/>", "<s:Header><a:Action>"+action+"</a:Action></s:Header>", 1)
}

func identifyResponse(version string) string {
	return `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body><i:IdentifyResponse xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><i:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</i:ProtocolVersion><i:ProductVendor>Microsoft Corporation</i:ProductVendor><i:ProductVersion>` + version + `</i:ProductVersion></i:IdentifyResponse></s:Body></s:Envelope>`
}

func stream(name string, data []byte) string {
	return `<rsp:Stream Name="` + name + `" CommandId="` + commandID + `">` + base64.StdEncoding.EncodeToString(data) + `</rsp:Stream>`
}

func commandDone(exit int) string {
	return fmt.Sprintf(`<rsp:CommandState CommandId="%s" State="%s/CommandState/Done"><rsp:ExitCode>%d</rsp:ExitCode></rsp:CommandState>`, commandID, shellSpace, exit)
}

func received(stdout, stderr string, exit int) string {
	return soapBody(`<rsp:ReceiveResponse>` + stream("stdout", []byte(stdout)) + stream("stderr", []byte(stderr)) + commandDone(exit) + `</rsp:ReceiveResponse>`)
}

// soapFault is a fault as WinRM words it, with a text in another language.
func soapFault(blame, subcode string, code uint32) string {
	return soapBody(fmt.Sprintf(`<s:Fault><s:Code><s:Value>s:%s</s:Value><s:Subcode><s:Value>w:%s</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="de-DE">Der Vorgang wurde nicht abgeschlossen.</s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="%d" Machine="h"><f:Message>Zeit</f:Message></f:WSManFault></s:Detail></s:Fault>`, blame, subcode, code))
}

func withDeadline(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// settled waits until the number of goroutines is back.
func settled(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		runtime.Gosched()
	}
}

// corpus finds real answers beside the repository.
func corpus(t *testing.T, folder string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		t.Fatal("no go.mod above the test")
	}
	found := filepath.Join(dir, "..", "shared", "corpus", folder)
	if _, err := os.Stat(found); err != nil {
		t.Skipf("no corpus of real answers at %s", found)
	}
	return found
}
