package winrm

import (
	"io"
	"net"
	"testing"
	"time"

	mz "github.com/masterzen/winrm"
)

// plain is masterzen/winrm as it comes.
func plain(t testing.TB, h *fakeHost) *mz.Client {
	t.Helper()
	addr := h.Listener.Addr().(*net.TCPAddr)
	c, err := mz.NewClient(mz.NewEndpoint("127.0.0.1", addr.Port, false, false, nil, nil, nil, time.Minute), "operator", "p")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The reasons why masterzen/winrm has our transport under it and our reading
// over it. When one of them fails for its plain half, masterzen was mended.
func TestWhatPlainMasterzenGetsWrong(t *testing.T) {
	t.Parallel()
	gone := answer(500, soapFault("Sender", "InvalidSelectors", CodeGone))

	t.Run("the shell id of WinRM 1.1 and 2.0", func(t *testing.T) {
		t.Parallel()
		theirs, ours := newFakeHost(t), newFakeHost(t)
		if _, err := plain(t, theirs).RunWithContext(withDeadline(t, 5*time.Second), "hostname", io.Discard, io.Discard); err != nil {
			t.Logf("plain: %v", err)
		}
		if got := selectorsOf(theirs.last(t, "Command").envelope)["ShellId"]; got != "" {
			t.Errorf("plain: shell %q", got)
		}
		if _, err := ours.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: "hostname"}); err != nil {
			t.Fatal(err)
		}
		if got := selectorsOf(ours.last(t, "Command").envelope)["ShellId"]; got != shellID {
			t.Errorf("ours: shell %q", got)
		}
	})

	t.Run("a fault instead of output", func(t *testing.T) {
		t.Parallel()
		theirs, ours := newFakeHost(t).on("Receive", gone), newFakeHost(t).on("Receive", gone)
		// It ends only with its context, and how does not matter here.
		_, _ = plain(t, theirs).RunWithContext(withDeadline(t, 3*time.Second), "hostname", io.Discard, io.Discard)
		if n := theirs.count("Receive"); n < 20 {
			t.Errorf("plain: %d Receives, want a hot loop", n)
		}
		_, err := ours.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: "hostname"})
		if n := ours.count("Receive"); n != 1 || Outcome(err) != OutcomeUnknown {
			t.Errorf("ours: %d Receives, %v", n, err)
		}
	})

	t.Run("an end of CDATA in the command", func(t *testing.T) {
		t.Parallel()
		const line = `echo ]]>`
		theirs, ours := newFakeHost(t), newFakeHost(t)
		_, _ = plain(t, theirs).RunWithContext(withDeadline(t, 5*time.Second), line, io.Discard, io.Discard)
		if theirs.count("Command") != 0 && theirs.last(t, "Command").envelope.find("Command").text == line {
			t.Error("plain: the line came as it was given")
		}
		if _, err := ours.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: line}); err != nil {
			t.Fatal(err)
		}
		if got := ours.last(t, "Command").envelope.find("Command").text; got != line {
			t.Errorf("ours: %q", got)
		}
	})

	t.Run("the context does not reach HTTP", func(t *testing.T) {
		t.Parallel()
		theirs, ours := newFakeHost(t).on("Create", hang), newFakeHost(t).on("Create", hang)
		ended := make(chan struct{})
		client := plain(t, theirs)
		go func() {
			defer close(ended)
			_, _ = client.RunWithContext(withDeadline(t, 200*time.Millisecond), "hostname", io.Discard, io.Discard)
		}()
		began := time.Now()
		_, err := ours.dial(t).Run(withDeadline(t, 200*time.Millisecond), Command{Line: "hostname"})
		if took := time.Since(began); took > time.Second || Outcome(err) != OutcomeTimeout {
			t.Errorf("ours: ended after %s: %v", took, err)
		}
		select {
		case <-ended:
			t.Error("plain: ended with its context")
		default:
		}
		theirs.CloseClientConnections()
		<-ended
	})
}
