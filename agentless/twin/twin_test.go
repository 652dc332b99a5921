package twin_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

const (
	winrmUser = "wkadmin"
	password  = "Secret-1"
	runAs     = `CORP\wkrun`
	runAsPass = "Other-2"
)

// truth is a journal that a test can read while the fleet runs.
type truth struct {
	mu  sync.Mutex
	raw bytes.Buffer
}

func (t *truth) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.raw.Write(p)
}

type entry struct {
	Time   string         `json:"time"`
	Host   string         `json:"host"`
	What   string         `json:"what"`
	Detail map[string]any `json:"detail"`
}

func (t *truth) entries(tb testing.TB, what string) []entry {
	tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []entry
	scan := bufio.NewScanner(bytes.NewReader(t.raw.Bytes()))
	for scan.Scan() {
		var e entry
		if err := json.Unmarshal(scan.Bytes(), &e); err != nil {
			tb.Fatalf("journal line %q: %v", scan.Text(), err)
		}
		if what == "" || e.What == what {
			all = append(all, e)
		}
	}
	return all
}

func (t *truth) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.raw.String()
}

// freePort finds a port that is free on the loopback addresses.
func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

var nextAddress = struct {
	sync.Mutex
	n int
}{n: 10}

// address gives each host of the tests an address of its own.
func address() string {
	nextAddress.Lock()
	defer nextAddress.Unlock()
	nextAddress.n++
	return fmt.Sprintf("127.71.%d.%d", nextAddress.n/250, 1+nextAddress.n%250)
}

// server is a row: "mbx1 Mailbox", roles joined by +.
func server(tb testing.TB, name, roles string) exchange.Server {
	tb.Helper()
	s := exchange.Server{
		Name: strings.ToUpper(name), FQDN: strings.ToLower(name) + ".corp.example", Site: "Main", Language: "en-US", Arch: "x64",
		Address: address(), Port: freePort(tb),
	}
	for _, r := range strings.Split(roles, "+") {
		role, err := exchange.ParseRole(r)
		if err != nil {
			tb.Fatal(err)
		}
		s.Roles = append(s.Roles, role)
	}
	return s
}

// start runs a fleet at the given speed until the test ends.
func start(tb testing.TB, o twin.Options) (*twin.Fleet, *truth) {
	tb.Helper()
	t := &truth{}
	if o.Journal == nil {
		o.Journal = t
	}
	o.User, o.Password, o.RunAs, o.RunAsPassword = winrmUser, password, runAs, runAsPass
	f, err := twin.Start(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := f.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return f, t
}

// within polls until ok or the deadline.
func within(tb testing.TB, d time.Duration, what string, ok func() bool) {
	tb.Helper()
	end := time.Now().Add(d)
	for !ok() {
		if time.Now().After(end) {
			tb.Fatalf("not within %v: %s", d, what)
		}
		t := time.NewTimer(10 * time.Millisecond)
		<-t.C
	}
}
