package winrm

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestACommandIsOneShellOnOneConnection(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t).on("Receive", answer(200, received("mbx1\r\n", "", 3)))
	c := h.dial(t)
	got, err := c.Run(withDeadline(t, 5*time.Second), Command{Line: "hostname"})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if stdout, stderr := got.Text(); got.Exit != 3 || stdout != "mbx1\r\n" || stderr != "" {
		t.Errorf("exit %d, stdout %q, stderr %q", got.Exit, stdout, stderr)
	}
	if got, want := h.actions(), "Identify Create Command Receive Signal Delete"; got != want {
		t.Errorf("requests %q, want %q", got, want)
	}
	if len(h.conns) != 1 {
		t.Errorf("%d connections, want 1", len(h.conns))
	}
	user, password, ok := (&http.Request{Header: h.last(t, "Create").header}).BasicAuth()
	if user != "operator" || password != "pa:ss<word>" || !ok {
		t.Errorf("credentials %q %q", user, password)
	}
	options := fieldsOf(h.last(t, "Create").envelope).Options
	if options["WINRS_CODEPAGE"] != "437" || options["WINRS_NOPROFILE"] != "TRUE" {
		t.Errorf("Create with %v", options)
	}
}

func TestCodePageFollowsTheWindowsVersion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		identify answerer
		want     string
	}{
		{answer(200, identifyResponse("OS: 5.2.3790 SP: 2.0 Stack: 1.1")), "437"},
		{answer(200, identifyResponse("OS: 6.0.6002 SP: 2.0 Stack: 2.0")), "437"},
		{answer(200, identifyResponse("OS: 6.1.7601 SP: 1.0 Stack: 2.0")), "65001"},
		{answer(200, identifyResponse("OS: 0.0.0 SP: 0.0 Stack: 2.0")), "437"},
		{answer(500, soapFault("Receiver", "InternalError", 1)), "437"},
		{html(404), "437"},
	} {
		h := newFakeHost(t).on("Identify", test.identify)
		c := h.dial(t)
		if _, err := c.Run(withDeadline(t, 5*time.Second), Command{Line: "ver"}); err != nil {
			t.Fatal(err)
		}
		if got := fieldsOf(h.last(t, "Create").envelope).Options["WINRS_CODEPAGE"]; got != test.want {
			t.Errorf("code page %s, want %s", got, test.want)
		}
	}
	h := newFakeHost(t)
	if _, err := h.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: "ver", CodePage: 932}); err != nil {
		t.Fatal(err)
	}
	if h.count("Identify") != 0 || fieldsOf(h.last(t, "Create").envelope).Options["WINRS_CODEPAGE"] != "932" {
		t.Errorf("a code page that was asked for: requests %s", h.actions())
	}
}

// Whether a host takes a shell does not hang on Identify.
func TestAHostThatHangsUpOnIdentifyIsAskedForAShell(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]answerer{"hang-up": hangUp, "nothing": answer(200, ""), "not found": html(404)} {
		h := newFakeHost(t).on("Identify", how)
		if _, err := h.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: "ver"}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if page := fieldsOf(h.last(t, "Create").envelope).Options["WINRS_CODEPAGE"]; page != "437" {
			t.Errorf("%s: code page %s, want 437", name, page)
		}
	}
}

func TestIdentityIsReadFromTokens(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	c := h.dial(t)
	got, err := c.Identify(withDeadline(t, 5*time.Second))
	want := Identity{"Microsoft Corporation", "OS: 5.2.3790 SP: 2.0 Stack: 2.0", OSVersion{5, 2, 3790}, "2.0", "2.0", 2}
	if err != nil || got != want {
		t.Errorf("Identify = %+v, %v, want %+v", got, err, want)
	}
	if h.last(t, "Identify").header.Get("Authorization") == "" {
		t.Error("Identify was sent without credentials")
	}
	if _, err := c.IdentifyAnonymous(withDeadline(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	header := h.last(t, "Identify").header
	if header.Get("Authorization") != "" || header.Get("WSMANIDENTIFY") != "unauthenticated" {
		t.Errorf("anonymous Identify with header %v", header)
	}
}

func TestTheLineArrivesAsItWasGiven(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`echo ]]> & <tag attr='x'> "quoted" %PATH% ^| ü 日本`, "a\r\nb\tc", "]]>]]>", strings.Repeat("x", longestLine),
	} {
		h := newFakeHost(t)
		if _, err := h.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: line, SkipShell: true}); err != nil {
			t.Fatal(err)
		}
		sent := h.last(t, "Command").envelope
		if got := sent.find("Command").text; got != line {
			t.Errorf("sent %q, want %q", got, line)
		}
		if got := fieldsOf(sent).Options["WINRS_SKIP_CMD_SHELL"]; got != "TRUE" {
			t.Errorf("WINRS_SKIP_CMD_SHELL = %s", got)
		}
	}
	for _, line := range []string{"", "bell \a", "nul \x00", "no \xff utf-8", strings.Repeat("x", longestLine+1)} {
		h := newFakeHost(t)
		_, err := h.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: line})
		if Outcome(err) != OutcomeRefused || h.actions() != "" {
			t.Errorf("%.20q: %v after requests %q, want refused before any", line, err, h.actions())
		}
	}
}

func TestInputIsSentInPiecesAndClosed(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	c := h.dial(t)
	if _, err := c.Run(withDeadline(t, 5*time.Second), Command{Line: "more", Stdin: make([]byte, 2*stdinChunk+1)}); err != nil {
		t.Fatal(err)
	}
	if got, want := h.actions(), "Identify Create Command Send Send Send Receive Signal"; got != want {
		t.Errorf("requests %q, want %q", got, want)
	}
	if end := h.last(t, "Send").envelope.find("Stream").attr("End"); end != "true" {
		t.Errorf("last Send has End=%q", end)
	}
	if _, err := c.Run(withDeadline(t, 5*time.Second), Command{Line: "more", Stdin: []byte{}}); err != nil || h.count("Send") != 4 {
		t.Errorf("empty input: %d Sends, %v; want one more", h.count("Send"), err)
	}
}

// TestAProgramThatIsOverBeforeItsInputEnds: its output and exit code count; a
// refused piece of real input leaves the outcome unknown.
func TestAProgramThatIsOverBeforeItsInputEnds(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t).on("Send", answer(500, soapFault("Receiver", "InternalError", 232))).on("Receive", answer(200, received("said", "", 3)))
	c := h.dial(t)
	got, err := c.Run(withDeadline(t, 5*time.Second), Command{Line: "schtasks.exe", SkipShell: true, Stdin: []byte{}})
	if err != nil || got.Exit != 3 || string(got.Stdout) != "said" {
		t.Errorf("exit %d, stdout %q, %v; want 3 and said", got.Exit, got.Stdout, err)
	}
	if _, err := c.Run(withDeadline(t, 5*time.Second), Command{Line: "more", Stdin: []byte("a")}); Outcome(err) != OutcomeUnknown {
		t.Errorf("refused input: %v, want an unknown outcome", err)
	}
}

func TestTheHostsOwnTimeLimitIsNoEnd(t *testing.T) {
	t.Parallel()
	timedOut := answer(500, soapFault("Receiver", "TimedOut", CodeTimedOut))
	running := answer(200, soapBody(`<rsp:ReceiveResponse>`+stream("stdout", []byte("a"))+`</rsp:ReceiveResponse>`))
	h := newFakeHost(t).on("Receive", inTurn(timedOut, running, timedOut, answer(200, received("b", "", 0))))
	got, err := h.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: "slow"})
	if err != nil || string(got.Stdout) != "ab" {
		t.Errorf("stdout %q, %v; want ab", got.Stdout, err)
	}
}

func TestAHostThatAnswersAtOnceWithNothingIsNotHammered(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t).on("Receive", answer(500, soapFault("Receiver", "TimedOut", CodeTimedOut)))
	_, err := h.dial(t).Run(withDeadline(t, time.Second), Command{Line: "slow"})
	if Outcome(err) != OutcomeUnknown || h.count("Receive") > 10 {
		t.Errorf("%v after %d Receives in a second", err, h.count("Receive"))
	}
}

// What fails before Command was sent, or proves that nothing ran, is no
// unknown outcome; everything after is. Command is never sent twice and the
// shell is always deleted.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	fault := func(blame, subcode string, code uint32) answerer { return answer(500, soapFault(blame, subcode, code)) }
	for _, test := range []struct {
		name, action string
		answer       answerer
		want         string
		code         uint32
	}{
		{"wrong password", "Identify", html(401), OutcomeDenied, 0},
		{"forbidden", "Create", html(403), OutcomeDenied, 0},
		{"access fault", "Create", fault("Receiver", "InternalError", CodeAccessDeniedHR), OutcomeDenied, CodeAccessDeniedHR},
		{"shell quota", "Create", fault("Sender", "QuotaLimit", CodeShellQuota), OutcomeFault, CodeShellQuota},
		{"service starting", "Create", html(503), OutcomeFault, 0},
		{"garbage", "Create", answer(200, "<<<"), OutcomeFault, 0},
		{"no id", "Create", answer(200, soapBody("")), OutcomeFault, 0},
		{"redirect", "Create", html(302), OutcomeFault, 0},
		{"hang-up", "Create", hangUp, OutcomeUnreachable, 0},
		{"nothing", "Create", answer(200, ""), OutcomeUnreachable, 0},
		{"401 without content", "Create", answer(401, ""), OutcomeDenied, 0},
		{"command answered by nothing", "Command", answer(200, ""), OutcomeUnknown, 0},
		{"hang", "Create", hang, OutcomeTimeout, 0},
		{"no such program", "Command", fault("Receiver", "InternalError", CodeFileNotFound), OutcomeFault, CodeFileNotFound},
		{"line too long", "Command", fault("Receiver", "InternalError", CodeLineTooLong), OutcomeFault, CodeLineTooLong},
		{"no such shell", "Command", fault("Sender", "InvalidSelectors", CodeGone), OutcomeFault, CodeGone},
		{"command denied", "Command", html(401), OutcomeDenied, 0},
		{"command timed out on the host", "Command", fault("Receiver", "TimedOut", CodeTimedOut), OutcomeUnknown, CodeTimedOut},
		{"fault that proves nothing", "Command", fault("Receiver", "InternalError", 1726), OutcomeUnknown, 1726},
		{"command hang-up", "Command", hangUp, OutcomeUnknown, 0},
		{"command hang", "Command", hang, OutcomeUnknown, 0},
		{"command 503", "Command", html(503), OutcomeUnknown, 0},
		{"command garbage", "Command", answer(200, "<<<"), OutcomeUnknown, 0},
		{"command without id", "Command", answer(200, soapBody("")), OutcomeUnknown, 0},
		{"restarted", "Receive", fault("Sender", "InvalidSelectors", CodeGone), OutcomeUnknown, CodeGone},
		{"receive denied", "Receive", html(401), OutcomeUnknown, 0},
		{"receive hang-up", "Receive", hangUp, OutcomeUnknown, 0},
		{"receive hang", "Receive", hang, OutcomeUnknown, 0},
		{"receive 503", "Receive", html(503), OutcomeUnknown, 0},
		{"receive garbage", "Receive", answer(200, "\x00\xff"), OutcomeUnknown, 0},
		{"output no base64", "Receive", answer(200, soapBody(`<rsp:ReceiveResponse><rsp:Stream Name="stdout">!</rsp:Stream></rsp:ReceiveResponse>`)), OutcomeUnknown, 0},
		{"done without exit code", "Receive", answer(200, soapBody(`<rsp:ReceiveResponse><rsp:CommandState State="x/CommandState/Done"/></rsp:ReceiveResponse>`)), OutcomeUnknown, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newFakeHost(t).on(test.action, test.answer)
			c := h.dial(t)
			_, err := c.Run(withDeadline(t, time.Second), Command{Line: "hostname"})
			c.Close()
			if got := Outcome(err); got != test.want {
				t.Errorf("outcome %s, want %s: %v", got, test.want, err)
			}
			if got, _ := FaultCode(err); got != test.code {
				t.Errorf("fault code %d, want %d: %v", got, test.code, err)
			}
			if want := map[bool]int{true: 1}[test.action != "Create" && test.action != "Identify"]; h.count("Command") != want || h.count("Delete") != want {
				t.Errorf("requests %q, want %d Command and Delete", h.actions(), want)
			}
		})
	}
}

func TestOneRequestLastsNoLongerThanItsLimit(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]string{"Create": OutcomeTimeout, "Command": OutcomeUnknown, "Receive": OutcomeUnknown, "Signal": OutcomeDone, "Delete": OutcomeDone} {
		h := newFakeHost(t).on(action, hang)
		cfg := h.config()
		cfg.OperationTimeout = 400 * time.Millisecond
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = c.Run(withDeadline(t, 10*time.Second), Command{Line: "hostname"})
		if took := time.Since(began); Outcome(err) != want || took > 4*time.Second {
			t.Errorf("%s: %s after %s, want %s: %v", action, Outcome(err), took, want, err)
		}
		if told := h.last(t, "Create").envelope.find("OperationTimeout").words(); told != "PT0.3S" {
			t.Errorf("the host is told %s, want less than our own limit", told)
		}
		c.Close()
	}
}

func TestNobodyThereIsUnreachable(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	c := h.dial(t)
	h.Close()
	if _, err := c.Run(withDeadline(t, 5*time.Second), Command{Line: "hostname"}); Outcome(err) != OutcomeUnreachable {
		t.Errorf("outcome %s, want unreachable: %v", Outcome(err), err)
	}
}

// Not parallel: it counts goroutines.
func TestACancelledCallEndsWithinASecondAndLeavesNothing(t *testing.T) {
	for _, action := range []string{"Identify", "Create", "Command", "Receive", "Signal"} {
		before := runtime.NumGoroutine()
		h := newFakeHost(t).on(action, hang)
		c, err := New(h.config())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() {
			_, err := c.Run(ctx, Command{Line: "hostname"})
			ended <- err
		}()
		for deadline := time.Now().Add(5 * time.Second); h.count(action) == 0; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatalf("%s never came", action)
			}
		}
		began := time.Now()
		cancel()
		err = <-ended
		if took := time.Since(began); took >= time.Second {
			t.Errorf("%s: ended %s after the cancel", action, took)
		}
		c.Close()
		if sentCommand := h.count("Command") > 0; sentCommand && h.count("Delete") != 1 {
			t.Errorf("%s: requests %q, want a Delete", action, h.actions())
		}
		if action == "Receive" && h.count("Signal") != 1 || Shells().Leaving != 0 {
			t.Errorf("%s: requests %q, want a Signal", action, h.actions())
		}
		wantOutcome := map[string]string{"Identify": OutcomeTimeout, "Create": OutcomeTimeout, "Command": OutcomeUnknown, "Receive": OutcomeUnknown, "Signal": OutcomeDone}[action]
		if Outcome(err) != wantOutcome {
			t.Errorf("%s: outcome %s, want %s: %v", action, Outcome(err), wantOutcome, err)
		}
		h.Close()
		settled(t, before)
	}
}

func TestAShellWhoseAnswerComesAfterTheCancelIsDeleted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	h := newFakeHost(t)
	normal := h.answers["Create"]
	h.on("Create", func(w http.ResponseWriter, r *http.Request, n int) {
		cancel()
		normal(w, r, n)
	})
	c := h.dial(t)
	_, err := c.Run(ctx, Command{Line: "hostname"})
	c.Close()
	if got := h.actions(); got != "Identify Create Delete" || Outcome(err) != OutcomeTimeout || !errors.Is(err, context.Canceled) {
		t.Errorf("requests %q, %v; want the shell deleted and no Command", got, err)
	}
}

func TestAtMostTwoShellsPerHost(t *testing.T) {
	t.Parallel()
	var open, most atomic.Int32
	h := newFakeHost(t)
	create, remove := h.answers["Create"], h.answers["Delete"]
	h.on("Create", func(w http.ResponseWriter, r *http.Request, n int) {
		now := open.Add(1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		create(w, r, n)
	}).on("Delete", func(w http.ResponseWriter, r *http.Request, n int) {
		open.Add(-1)
		remove(w, r, n)
	})
	c, errs := h.dial(t), make(chan error)
	for range 12 {
		go func() {
			_, err := c.Run(withDeadline(t, 10*time.Second), Command{Line: "hostname"})
			errs <- err
		}()
	}
	for range 12 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > shellsPerHost || len(h.conns) > 3 {
		t.Errorf("%d shells and %d connections at once, want 2 and 3", most.Load(), len(h.conns))
	}
}
