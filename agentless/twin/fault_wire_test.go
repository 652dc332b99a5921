package twin_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

func TestALoginThatWasRightIsRefusedMidway(t *testing.T) {
	t.Parallel()
	c, _, _ := faulty(t, 1000, "HT", twin.Fault{Host: "MBX1", Name: "unauthorized", At: "request:2", Times: 2})
	shell := c.open()
	var got []int
	for range 4 {
		status, _, err := c.post(message(shellURI+"/Command", shellURI+"/cmd", shellSelector(shell), "",
			`<rsp:CommandLine><rsp:Command>hostname</rsp:Command></rsp:CommandLine>`))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, status)
	}
	if want := []int{401, 200, 401, 200}; got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || got[3] != want[3] {
		t.Errorf("answers %v, want %v: every second request, twice", got, want)
	}
}

func TestAnAnswerIsNoXML(t *testing.T) {
	t.Parallel()
	c, _, _ := faulty(t, 1000, "HT", twin.Fault{Host: "MBX1", Name: "garbage-xml"})
	status, raw, err := c.post(identifyBody)
	if err != nil || status != 200 || sound(raw) || len(raw) < 50 {
		t.Errorf("first: %d %v %q", status, err, raw)
	}
	if status, raw, err = c.post(identifyBody); err != nil || status != 200 || !sound(raw) {
		t.Errorf("second: %d %v %q", status, err, raw)
	}
}

func TestAnAnswerIsFarTooLong(t *testing.T) {
	t.Parallel()
	c, _, _ := faulty(t, 1000, "HT", twin.Fault{Host: "MBX1", Name: "oversized-xml"})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url, strings.NewReader(identifyBody))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(c.user, c.password)
	res, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	if n != 1<<20 || err != nil || res.StatusCode != 200 {
		t.Errorf("%d: %d bytes, %v", res.StatusCode, n, err)
	}
}

func TestASlowLinkDripsItsAnswers(t *testing.T) {
	t.Parallel()
	c, _, _ := faulty(t, 2, "HT", twin.Fault{Host: "MBX1", Name: "slow-link", Lasts: 2 * time.Second})
	began := time.Now()
	status, raw, err := c.post(identifyBody)
	if err != nil || status != 200 || !sound(raw) {
		t.Fatalf("%d %v %q", status, err, raw)
	}
	if least := time.Duration(len(raw)/128) * 40 * time.Millisecond; time.Since(began) < least {
		t.Errorf("%d bytes in %v, want at least %v", len(raw), time.Since(began), least)
	}
	within(t, 10*time.Second, "the link is fast again", func() bool {
		began = time.Now()
		if _, _, err := c.post(identifyBody); err != nil {
			t.Fatal(err)
		}
		return time.Since(began) < 150*time.Millisecond
	})
}

func TestIdentifyAnswersWhileWinRMIsNotReady(t *testing.T) {
	t.Parallel()
	c, f, _ := faulty(t, 60, "HT", twin.Fault{Host: "MBX1", Name: "identify-only", Lasts: 9000 * time.Hour})
	create := message("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", shellURI+"/cmd", "", "", `<rsp:Shell/>`)
	refused, cut := 0, 0
	for range 4 {
		if status, raw, err := c.post(identifyBody); err != nil || status != 200 || !strings.Contains(raw, "IdentifyResponse") {
			t.Fatalf("Identify: %d %v", status, err)
		}
		switch status, _, err := c.post(create); {
		case err != nil:
			cut++
		case status == 503:
			refused++
		default:
			t.Errorf("Create: %d", status)
		}
	}
	if refused == 0 || cut == 0 {
		t.Errorf("%d answers 503, %d connections cut, want both", refused, cut)
	}
	if err := f.Mend("MBX1"); err != nil {
		t.Fatal(err)
	}
	if status, _, err := c.post(create); err != nil || status != 200 {
		t.Errorf("WinRM is ready and answers %d %v", status, err)
	}
}

// A machine that goes down cuts what is under way: an empty answer with status
// 200 would be a lie that no client can see through.
func TestARestartCutsConnections(t *testing.T) {
	t.Parallel()
	for range 10 {
		c, _, _ := faulty(t, 3000, "HT")
		shell := c.open()
		waiting := c.begin(shell, "more", false)
		c.begin(shell, "shutdown.exe -r -t 60", false)
		status, raw, err := c.post(message(shellURI+"/Receive", shellURI+"/cmd", shellSelector(shell), "",
			`<rsp:Receive><rsp:DesiredStream CommandId="`+waiting+`">stdout stderr</rsp:DesiredStream></rsp:Receive>`))
		if err == nil {
			t.Fatalf("answered %d %q", status, raw)
		}
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("%v, want a connection that is cut", err)
		}
	}
}

func TestARestartTakesFortyMinutes(t *testing.T) {
	t.Parallel()
	s, quick := server(t, "mbx1", "HT"), server(t, "mbx2", "HT")
	_, truth := start(t, twin.Options{
		Servers: []exchange.Server{s, quick}, Speed: 300,
		Faults: []twin.Fault{{Host: "MBX1", Name: "slow-restart"}}, // 40 min here are 8 s, the usual three minutes 630 ms
	})
	for _, each := range []struct {
		exchange.Server
		least, most time.Duration
	}{{quick, 0, 6 * time.Second}, {s, 7500 * time.Millisecond, 30 * time.Second}} {
		c := dial(t, each.Server)
		boot := c.bootTime()
		c.restarts()
		within(t, 5*time.Second, "the host goes down", func() bool { return len(truth.of(t, "restart", each.Name)) == 1 })
		began := time.Now()
		c.bootsAgain(boot, 30*time.Second)
		if away := time.Since(began); away < each.least || away > each.most {
			t.Errorf("%s was away for %v, want %v to %v", each.Name, away, each.least, each.most)
		}
	}
	if n := len(truth.of(t, "fault", "MBX1")); n != 1 {
		t.Errorf("%d faults", n)
	}
}

// of lists a host's entries of one kind.
func (t *truth) of(tb testing.TB, what, host string) []entry {
	tb.Helper()
	var all []entry
	for _, e := range t.entries(tb, what) {
		if e.Host == host {
			all = append(all, e)
		}
	}
	return all
}
