// Stub is hosts that answer the messages of a shell as shortly as they may, so
// that a figure is the client's cost. It prints its ports, and counts.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"slices"
	"strconv"
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
	var ports []int
	for range *hosts {
		l, err := net.Listen("tcp", *address+":0")
		if err != nil {
			log.Fatal(err)
		}
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		go listen(l, *delay, &most)
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

// listen is one host.
func listen(l net.Listener, delay time.Duration, most *atomic.Int64) {
	for n := int64(1); ; n++ {
		conn, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		now.connections.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		go func() {
			serve(conn, delay)
			_ = conn.Close() // the client went away
		}()
	}
}

// serve answers the requests of one connection, each with one write. A server of
// net/http costs more than any of the clients that are measured.
func serve(conn net.Conn, delay time.Duration) {
	in := bufio.NewReaderSize(conn, 8<<10)
	var body, out []byte
	for {
		length, err := head(in)
		if err != nil {
			return
		}
		if body = slices.Grow(body[:0], length)[:length]; length > 0 {
			if _, err := io.ReadFull(in, body); err != nil {
				return
			}
		}
		action, id, answer := answerTo(string(body))
		if action == "" {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		if action == shellSpace+"/ReceiveResponse" && delay > 0 && !waited(conn, in, delay) {
			return
		}
		body = fmt.Appendf(body[:0], top, action, id, answer)
		out = fmt.Appendf(out[:0], "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml;charset=UTF-8\r\nServer: Microsoft-HTTPAPI/2.0\r\nContent-Length: %d\r\n\r\n", len(body))
		out = append(out, body...)
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// waited waits before output is answered; false when the client went away.
func waited(conn net.Conn, in *bufio.Reader, delay time.Duration) bool {
	now.waiting.Add(1)
	defer now.waiting.Add(-1)
	_ = conn.SetReadDeadline(time.Now().Add(delay)) // its failure shows when it is read
	_, err := in.Peek(1)
	_ = conn.SetReadDeadline(time.Time{})
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// head reads the head of a request and gives the length of its body.
func head(in *bufio.Reader) (length int, err error) {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			return length, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || length < 0 || length > 1<<20 {
				return 0, fmt.Errorf("a body of %q: %w", value, err)
			}
		}
	}
}

// answerTo is the answer to a message; no action when it is none of those that
// are known.
func answerTo(text string) (action, id, answer string) {
	now.requests.Add(1)
	id = between(text, "MessageID>", "<")
	if id == "" { // some put attributes there
		_, rest, _ := strings.Cut(text, "MessageID")
		id = between(rest, ">", "<")
	}
	switch {
	case strings.Contains(text, "Identify"):
		action = "identify" // nobody reads it
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
		action = shellSpace + "/ReceiveResponse"
		answer = `<rsp:ReceiveResponse><rsp:Stream Name="stdout" CommandId="1A6DEE6B-EC68-4DD6-87E9-030C0048ECC4">aG9zdA0K</rsp:Stream><rsp:Stream Name="stdout" CommandId="1A6DEE6B-EC68-4DD6-87E9-030C0048ECC4" End="true"></rsp:Stream><rsp:Stream Name="stderr" CommandId="1A6DEE6B-EC68-4DD6-87E9-030C0048ECC4" End="true"></rsp:Stream><rsp:CommandState CommandId="1A6DEE6B-EC68-4DD6-87E9-030C0048ECC4" State="` + shellSpace + `/CommandState/Done"><rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse>`
	case strings.Contains(text, shellSpace+"/Signal<"):
		action, answer = shellSpace+"/SignalResponse", `<rsp:SignalResponse/>`
	case strings.Contains(text, shellSpace+"/Send<"):
		action, answer = shellSpace+"/SendResponse", `<rsp:SendResponse/>`
	}
	return action, id, answer
}

func between(text, from, to string) string {
	_, rest, found := strings.Cut(text, from)
	if !found {
		return ""
	}
	out, _, _ := strings.Cut(rest, to)
	return out
}
