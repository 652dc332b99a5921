package winrm

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// quickHost answers each message with an Identify's answer and does nothing else,
// so that a figure is the client's.
func quickHost(b *testing.B) Config {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.121.5:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	body := identifyResponse("OS: 5.2.3790 SP: 2.0 Stack: 2.0")
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: " + soapType + "\r\nServer: Microsoft-HTTPAPI/1.0\r\nDate: Sun, 01 Mar 2026 10:00:00 GMT\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for length := 0; ; {
					line, err := in.ReadSlice('\n')
					if err != nil {
						return
					}
					if n, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
						length, _ = strconv.Atoi(strings.TrimSpace(n)) // what is no number is 0
					}
					if len(line) > 2 {
						continue
					}
					if _, err := in.Discard(length); err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return Config{Address: "127.0.121.5", Port: l.Addr().(*net.TCPAddr).Port, Account: Basic("operator", "secret")}
}

// One message and its answer on a connection that is kept, up to the bytes of
// the answer: ours, and net/http with the same rules (a limit, Basic).
func BenchmarkMessage(b *testing.B) {
	message := strings.Repeat("x", 1300)
	b.Run("ours", func(b *testing.B) {
		c, err := New(quickHost(b))
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := (call{transport: c.transport, ctx: b.Context()}).send(b.Context(), []byte(message)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("net-http", func(b *testing.B) {
		cfg := quickHost(b)
		client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
		defer client.CloseIdleConnections()
		b.ReportAllocs()
		for b.Loop() {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+joinPort(cfg.Address, cfg.Port)+"/wsman", strings.NewReader(message))
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Content-Type", soapType)
			r.SetBasicAuth("operator", "secret")
			answer, err := client.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			_, err = io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
			if err != nil {
				b.Fatal(err)
			}
			_ = answer.Body.Close()
		}
	})
}

// What a connection costs while nobody uses it: bytes of the client's heap and
// goroutines.
func BenchmarkIdleConnection(b *testing.B) {
	for b.Loop() {
		cfg := quickHost(b)
		const n = 500
		conns := make([]*Conn, n)
		var before, after runtime.MemStats
		measure := func(m *runtime.MemStats) {
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(m)
		}
		measure(&before)
		goroutines := runtime.NumGoroutine()
		for i := range conns {
			c, err := New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := c.Identify(b.Context()); err != nil {
				b.Fatal(err)
			}
			conns[i] = c
		}
		measure(&after)
		// The host's half is in both: a goroutine and a reader of 4 KB for each.
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n-4096, "B/conn")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/n-1, "goroutines/conn")
		for _, c := range conns {
			c.Close()
		}
	}
}
