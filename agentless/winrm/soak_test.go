package winrm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// soakFleet is simulated hosts in this process; first is the last part of the
// first address.
func soakFleet(tb testing.TB, hosts, first int, shellSpeed float64) (*twin.Fleet, []Config) {
	tb.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.123.%d:0", first))
	if err != nil {
		tb.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	o := twin.Options{User: "operator", Password: "Password-1", RunAs: `LAB\svc`, RunAsPassword: "x", Speed: 1000, ShellSpeed: shellSpeed}
	var configs []Config
	account := Basic("operator", "Password-1")
	for i := range hosts {
		address := fmt.Sprintf("127.0.123.%d", first+i)
		o.Servers = append(o.Servers, exchange.Server{
			Name: fmt.Sprintf("MBX%d", i), FQDN: fmt.Sprintf("mbx%d.lab.test", i), Roles: []exchange.Role{exchange.Mailbox},
			Language: "en-US", Arch: "x64", Address: address, Port: port,
		})
		configs = append(configs, Config{Address: address, Port: port, Account: account, OperationTimeout: 5 * time.Second})
	}
	fleet, err := twin.Start(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { fleet.Close() })
	return fleet, configs
}

// soak runs commands of all kinds, of which a third is cancelled at a random
// moment, while the wire fails now and then; faulty says how. It returns how
// they ended, and fails when a command said something else than it should.
func soak(tb testing.TB, fleet *twin.Fleet, configs []Config, commands int, faulty []twin.Fault) map[string]int {
	tb.Helper()
	var conns []*Conn
	for _, cfg := range configs {
		c, err := New(cfg)
		if err != nil {
			tb.Fatal(err)
		}
		conns = append(conns, c)
		// From here on the account is known to be right.
		if _, err := c.Identify(context.Background()); err != nil {
			tb.Fatal(err)
		}
	}
	kinds := []Command{
		{Line: "echo hello"},
		{Line: "echo hello", CodePage: 850},
		{Line: "ping -n 3 127.0.0.1 >nul&echo hello"},
		{Line: "more", Stdin: []byte("hello\r\n")},
		{Line: "nosuchprogram.exe", SkipShell: true},
	}
	var mu sync.Mutex
	ended := map[string]int{}
	var next atomic.Int64
	var workers sync.WaitGroup
	for w := range 2 * len(conns) {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for {
				n := int(next.Add(1))
				if n > commands {
					return
				}
				if len(faulty) > 0 && random.IntN(50) == 0 {
					f := faulty[random.IntN(len(faulty))]
					f.Host = fmt.Sprintf("MBX%d", random.IntN(len(conns)))
					if err := fleet.Inject(f); err != nil {
						tb.Error(err)
					}
				}
				limit := 20 * time.Second
				if random.IntN(3) == 0 {
					limit = time.Duration(random.IntN(20_000)) * time.Microsecond
				}
				ctx, cancel := context.WithTimeout(context.Background(), limit)
				kind := kinds[random.IntN(len(kinds))]
				began := time.Now()
				got, err := conns[random.IntN(len(conns))].Run(ctx, kind)
				cancel()
				if took := time.Since(began); took > limit+time.Second {
					tb.Errorf("a call ended %s after its context", took-limit)
				}
				mu.Lock()
				ended[Outcome(err)]++
				mu.Unlock()
				if err == nil && !strings.Contains(string(got.Stdout), "hello") {
					tb.Errorf("%q said %q", kind.Line, got.Stdout)
				}
			}
		})
	}
	workers.Wait()
	var closing sync.WaitGroup
	for _, c := range conns {
		closing.Go(c.Close)
	}
	closing.Wait()
	return ended
}

// backToTheStart waits until hosts and process hold what they held before.
func backToTheStart(tb testing.TB, fleet *twin.Fleet, goroutines int) {
	tb.Helper()
	until(tb, "connections and shells of the hosts are as at the start", func() bool {
		load, err := fleet.Load("*")
		return err == nil && load.Connections == 0 && load.Shells == 0
	})
	tb.Cleanup(func() {
		if tb.Failed() && runtime.NumGoroutine() > goroutines {
			stacks := make([]byte, 1<<20)
			tb.Logf("%d goroutines after %d:\n%s", runtime.NumGoroutine(), goroutines, stacks[:runtime.Stack(stacks, true)])
		}
	})
	until(tb, "goroutines are as at the start", func() bool { return runtime.NumGoroutine() <= goroutines })
	shells.mu.Lock()
	defer shells.mu.Unlock()
	if len(shells.leavers) != 0 {
		tb.Errorf("%d shells are being left", len(shells.leavers))
	}
}

// Not parallel: it counts goroutines. The hosts end no shell by themselves in
// that time: each was deleted.
func TestCommandsThatAreCancelledLeaveNothing(t *testing.T) {
	fleet, configs := soakFleet(t, 4, 10, 1)
	goroutines := runtime.NumGoroutine()
	ended := soak(t, fleet, configs, 400, nil)
	backToTheStart(t, fleet, goroutines)
	if ended[OutcomeDone] < 100 || ended[OutcomeUnknown]+ended[OutcomeTimeout] == 0 {
		t.Errorf("outcomes %v", ended)
	}
}

// 10,000 commands with random cancels and faults of the wire. A shell whose id
// did not arrive ends by the hosts' own idle limit, which is 2 s here.
func BenchmarkSoak(b *testing.B) {
	once(b, func() {
		fleet, configs := soakFleet(b, 10, 30, 30)
		goroutines := runtime.NumGoroutine()
		began := time.Now()
		ended := soak(b, fleet, configs, 10_000, []twin.Fault{
			{Name: "connection-reset"}, {Name: "connection-reset", At: "answer:1"}, {Name: "hang"}, {Name: "garbage-xml"}, {Name: "oversized-xml"},
		})
		b.Logf("      10,000 commands in %s: %v", time.Since(began).Round(time.Millisecond), ended)
		backToTheStart(b, fleet, goroutines)
		load, err := fleet.Load("*")
		if err != nil {
			b.Fatal(err)
		}
		atMost(b, "10,000 commands, cancels and faults: goroutines more than before", float64(runtime.NumGoroutine()-goroutines), 0, "")
		atMost(b, "10,000 commands, cancels and faults: connections left", float64(load.Connections), 0, "")
		atMost(b, "10,000 commands, cancels and faults: shells left on the hosts", float64(load.Shells), 0, "")
		if b.Failed() {
			return
		}
		atMost(b, "10,000 commands, cancels and faults: share that was not done", 1-float64(ended[OutcomeDone])/10_000, 0.75, "")
	})
}
