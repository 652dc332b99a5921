// Stub is hosts that answer the messages of a shell as shortly as they may, so
// that a figure is the client's cost. It prints its ports, and counts.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// counts are what /counts tells.
type counts struct {
	Requests    int64 `json:"requests"`
	Connections int64 `json:"connections"`
	Open        int64 `json:"open"`    // shells now
	Waiting     int64 `json:"waiting"` // Receives now
	MostConns   int64 `json:"most"`    // connections to one host
}

var now struct{ requests, connections, open, waiting, shells atomic.Int64 }

const top = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell" xml:lang="en-US"><s:Header><a:Action>%s</a:Action><a:MessageID>uuid:11111111-2222-3333-4444-555555555555</a:MessageID><a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To><a:RelatesTo>%s</a:RelatesTo></s:Header><s:Body>%s</s:Body></s:Envelope>`

const (
	shellSpace = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
	transfer   = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
)

func main() {
	hosts := flag.Int("hosts", 100, "ports to listen on")
	address := flag.String("address", "127.0.123.1", "address to listen on")
	delay := flag.Duration("delay", 0, "how long a Receive waits before it answers")
	flag.Parse()
	var most atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(w, r, *delay) })
	var ports []int
	for range *hosts {
		l, err := net.Listen("tcp", *address+":0")
		if err != nil {
			log.Fatal(err)
		}
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		var mine atomic.Int64
		server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ConnState: func(_ net.Conn, s http.ConnState) {
			if s != http.StateNew {
				return
			}
			now.connections.Add(1)
			n := mine.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
		}}
		go func() { log.Fatal(server.Serve(l)) }()
	}
	if err := json.NewEncoder(os.Stdout).Encode(ports); err != nil {
		log.Fatal(err)
	}
	// A line asks for the counts, the end of the input ends all.
	in := bufio.NewScanner(os.Stdin)
	var mu sync.Mutex
	for in.Scan() {
		mu.Lock()
		err := json.NewEncoder(os.Stdout).Encode(counts{now.requests.Load(), now.connections.Load(), now.open.Load(), now.waiting.Load(), most.Load()})
		mu.Unlock()
		if err != nil {
			log.Fatal(err)
		}
	}
}

func serve(w http.ResponseWriter, r *http.Request, delay time.Duration) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	now.requests.Add(1)
	text := string(body)
	id := between(text, "MessageID>", "<")
	if id == "" { // some put attributes there
		_, rest, _ := strings.Cut(text, "MessageID")
		id = between(rest, ">", "<")
	}
	var action, answer string
	switch {
	case strings.Contains(text, "Identify"):
		answer = `<i:IdentifyResponse xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><i:ProductVendor>Microsoft Corporation</i:ProductVendor><i:ProductVersion>OS: 5.2.3790 SP: 2.0 Stack: 2.0</i:ProductVersion></i:IdentifyResponse>`
	case strings.Contains(text, transfer+"/Create<"):
		now.open.Add(1)
		shell := fmt.Sprintf("67A74734-DD32-4F10-89DE-%012X", now.shells.Add(1))
		action = transfer + "/CreateResponse"
		answer = `<x:ResourceCreated><a:Address>http://h/wsman</a:Address><a:ReferenceParameters><w:SelectorSet><w:Selector Name="ShellId">` + shell + `</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated><rsp:Shell><rsp:ShellId>` + shell + `</rsp:ShellId></rsp:Shell>`
	case strings.Contains(text, transfer+"/Delete<"):
		now.open.Add(-1)
		action = transfer + "/DeleteResponse"
	case strings.Contains(text, shellSpace+"/Command<"):
		action = shellSpace + "/CommandResponse"
		answer = `<rsp:CommandResponse><rsp:CommandId>1A6DEE6B-EC68-4DD6-87E9-030C0048ECC4</rsp:CommandId></rsp:CommandResponse>`
	case strings.Contains(text, shellSpace+"/Receive<"):
		if delay > 0 {
			now.waiting.Add(1)
			select {
			case <-time.After(delay):
			case <-r.Context().Done():
			}
			now.waiting.Add(-1)
		}
		action = shellSpace + "/ReceiveResponse"
		answer = `<rsp:ReceiveResponse><rsp:Stream Name="stdout" CommandId="1A6DEE6B-EC68-4DD6-87E9-030C0048ECC4">aG9zdA0K</rsp:Stream><rsp:Stream Name="stdout" CommandId="1A6DEE6B-EC68-4DD6-87E9-030C0048ECC4" End="true"></rsp:Stream><rsp:Stream Name="stderr" CommandId="1A6DEE6B-EC68-4DD6-87E9-030C0048ECC4" End="true"></rsp:Stream><rsp:CommandState CommandId="1A6DEE6B-EC68-4DD6-87E9-030C0048ECC4" State="` + shellSpace + `/CommandState/Done"><rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse>`
	case strings.Contains(text, shellSpace+"/Signal<"):
		action, answer = shellSpace+"/SignalResponse", `<rsp:SignalResponse/>`
	case strings.Contains(text, shellSpace+"/Send<"):
		action, answer = shellSpace+"/SendResponse", `<rsp:SendResponse/>`
	default:
		http.Error(w, "what is this", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
	// A client that went away needs no answer.
	_, _ = fmt.Fprintf(w, top, action, id, answer)
}

func between(text, from, to string) string {
	_, rest, found := strings.Cut(text, from)
	if !found {
		return ""
	}
	out, _, _ := strings.Cut(rest, to)
	return out
}
