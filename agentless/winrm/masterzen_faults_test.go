package winrm

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	mz "github.com/masterzen/winrm"
)

// withReadableID makes a host answer Create so that masterzen finds the id.
func (h *fakeHost) withReadableID() *fakeHost {
	return h.on("Create", answer(200, soapAction("http://schemas.xmlsoap.org/ws/2004/09/transfer/CreateResponse",
		`<x:ResourceCreated xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer"><a:ReferenceParameters><w:SelectorSet><w:Selector Name="ShellId">`+shellID+
			`</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated><rsp:Shell><rsp:ShellId>`+shellID+`</rsp:ShellId></rsp:Shell>`)))
}

// plainCommand starts a command with masterzen/winrm as it comes.
func plainCommand(t *testing.T, h *fakeHost) *mz.Command {
	t.Helper()
	shell, err := plain(t, h).CreateShell()
	if err != nil {
		t.Fatal(err)
	}
	command, err := shell.ExecuteWithContext(withDeadline(t, 5*time.Second), "more")
	if err != nil {
		t.Fatal(err)
	}
	return command
}

// stdinOf is what a host was sent for a command, of the Sends that it took.
func stdinOf(t *testing.T, h *fakeHost, most int) (data []byte, refused int) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.seen {
		if s.action != "Send" {
			continue
		}
		if s.size > most {
			refused++
			continue
		}
		piece, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s.envelope.find("Stream").text))
		if err != nil {
			t.Error(err)
		}
		data = append(data, piece...)
	}
	return data, refused
}

// More of what makes our transport and reading necessary, measured in the same
// way: the plain half fails when masterzen was mended.
func TestMoreThatPlainMasterzenGetsWrong(t *testing.T) {
	t.Parallel()

	t.Run("input larger than an envelope", func(t *testing.T) {
		t.Parallel()
		input := bytes.Repeat([]byte("0123456789"), 40_000)
		var done sync.Map
		small := func(h *fakeHost) {
			h.on("Send", func(w http.ResponseWriter, r *http.Request, n int) {
				h.mu.Lock()
				size := h.seen[len(h.seen)-1].size
				h.mu.Unlock()
				if size > maxEnvelope {
					answer(500, soapFault("Sender", "EncodingLimit", CodeEnvelopeLimit))(w, r, n)
					return
				}
				done.Store(h, true)
				answer(200, soapBody(`<rsp:SendResponse/>`))(w, r, n)
			})
		}
		theirs, ours := newFakeHost(t).withReadableID(), newFakeHost(t)
		small(theirs)
		small(ours)
		theirs.on("Receive", answer(500, soapFault("Receiver", "TimedOut", CodeTimedOut)))
		command := plainCommand(t, theirs)
		n, err := command.Stdin.Write(input)
		arrived, refused := stdinOf(t, theirs, maxEnvelope)
		if n != len(input) || err != nil || refused == 0 || len(arrived) >= len(input) {
			t.Errorf("plain: %d written, %v, %d bytes arrived, %d refused", n, err, len(arrived), refused)
		}
		theirs.on("Receive", answer(200, received("", "", 0)))
		if _, err := ours.dial(t).Run(withDeadline(t, 10*time.Second), Command{Line: "more", Stdin: input}); err != nil {
			t.Fatal(err)
		}
		if arrived, refused := stdinOf(t, ours, longestEnvelope); refused != 0 || !bytes.Equal(arrived, input) {
			t.Errorf("ours: %d bytes arrived, %d messages over %d bytes", len(arrived), refused, longestEnvelope)
		}
	})

	t.Run("input and its end in one", func(t *testing.T) {
		t.Parallel()
		theirs, ours := newFakeHost(t).withReadableID(), newFakeHost(t)
		theirs.on("Receive", answer(500, soapFault("Receiver", "TimedOut", CodeTimedOut)))
		command := plainCommand(t, theirs)
		if _, err := command.Stdin.WriteClose([]byte("hello")); err == nil || theirs.count("Send") != 0 {
			t.Errorf("plain: %v after %d Sends", err, theirs.count("Send"))
		}
		theirs.on("Receive", answer(200, received("", "", 0)))
		if _, err := ours.dial(t).Run(withDeadline(t, 5*time.Second), Command{Line: "more", Stdin: []byte("hello")}); err != nil {
			t.Fatal(err)
		}
		last := ours.last(t, "Send").envelope.find("Stream")
		if ours.count("Send") != 1 || last.text != "aGVsbG8=" || last.attr("End") != "true" {
			t.Errorf("ours: %d Sends, the last of %q, end %q", ours.count("Send"), last.text, last.attr("End"))
		}
	})

	t.Run("the code page of Windows before 6.1", func(t *testing.T) {
		t.Parallel()
		theirs, ours := newFakeHost(t).withReadableID(), newFakeHost(t)
		if _, err := plain(t, theirs).RunWithContext(withDeadline(t, 5*time.Second), "x.cmd", io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
		if err := run(t, ours.dial(t), 0); err != nil {
			t.Fatal(err)
		}
		page := func(h *fakeHost) string { return fieldsOf(h.last(t, "Create").envelope).Options["WINRS_CODEPAGE"] }
		if page(theirs) != "65001" || page(ours) != "437" {
			t.Errorf("plain: %s, ours: %s; batch files do nothing in 65001", page(theirs), page(ours))
		}
	})

	t.Run("a quota in words only", func(t *testing.T) {
		t.Parallel()
		quota := answer(500, soapFault("Sender", "QuotaLimit", CodeShellQuota))
		theirs, ours := newFakeHost(t).on("Create", quota), newFakeHost(t).on("Create", quota)
		_, err := plain(t, theirs).CreateShell()
		if err == nil || strings.Contains(err.Error(), "2150859173") {
			t.Errorf("plain: %v", err)
		}
		var full *ShellsFull
		if err := run(t, ours.dial(t), 437); !errors.As(err, &full) {
			t.Errorf("ours: %v", err)
		}
	})

	t.Run("503 instead of output", func(t *testing.T) {
		t.Parallel()
		theirs, ours := newFakeHost(t).withReadableID().on("Receive", html(503)), newFakeHost(t).on("Receive", html(503))
		code, _ := plain(t, theirs).RunWithContext(withDeadline(t, 5*time.Second), "x", io.Discard, io.Discard)
		if code != 0 {
			t.Errorf("plain: exit code %d", code)
		}
		var lost *UnknownOutcome
		if err := run(t, ours.dial(t), 437); !errors.As(err, &lost) || lost.Fault == nil || lost.Fault.HTTPStatus != 503 {
			t.Errorf("ours: %v", err)
		}
	})

	t.Run("an answer that is no SOAP keeps its connection", func(t *testing.T) {
		t.Parallel()
		theirs, ours := newFakeHost(t).on("Create", html(503)), newFakeHost(t).on("Create", html(503))
		client, conn := plain(t, theirs), ours.dial(t)
		for range 10 {
			if _, err := client.CreateShell(); err == nil {
				t.Error("plain: no error")
			}
			if err := run(t, conn, 437); err == nil {
				t.Error("ours: no error")
			}
		}
		if len(theirs.conns) != 10 || len(ours.conns) != 1 {
			t.Errorf("plain: %d connections for 10 requests; ours: %d", len(theirs.conns), len(ours.conns))
		}
	})

	t.Run("output that nobody reads", func(t *testing.T) {
		t.Parallel()
		// More on stderr than a pipe takes, which is nothing.
		both := answer(200, received("", strings.Repeat("e", 10_000), 0))
		theirs, ours := newFakeHost(t).withReadableID().on("Receive", both), newFakeHost(t).on("Receive", both)
		command := plainCommand(t, theirs)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = io.Copy(io.Discard, command.Stdout) // stderr is left alone
			command.Wait()
		}()
		if err := run(t, ours.dial(t), 437); err != nil {
			t.Errorf("ours: %v", err)
		}
		select {
		case <-ended:
			t.Error("plain: ended")
		default:
		}
		_, _ = io.Copy(io.Discard, command.Stderr) // lets it end
		<-ended
	})

	t.Run("a receive that hangs", func(t *testing.T) {
		t.Parallel()
		theirs, ours := newFakeHost(t).withReadableID().on("Receive", hang), newFakeHost(t).on("Receive", hang)
		ended := make(chan struct{})
		client := plain(t, theirs)
		go func() {
			defer close(ended)
			_, _ = client.RunWithContext(withDeadline(t, 200*time.Millisecond), "x", io.Discard, io.Discard)
		}()
		until(t, "plain waits", func() bool { return theirs.count("Receive") == 1 })
		began := time.Now()
		if _, err := ours.dial(t).Run(withDeadline(t, 200*time.Millisecond), Command{Line: "x", CodePage: 437}); Outcome(err) != OutcomeUnknown || time.Since(began) > 1200*time.Millisecond {
			t.Errorf("ours: %v after %s", err, time.Since(began))
		}
		select {
		case <-ended:
			t.Error("plain: ended with its context")
		default:
		}
		theirs.on("Receive", answer(200, received("", "", 0)))
		theirs.CloseClientConnections()
		<-ended
	})
}

// Not parallel: it counts goroutines.
func TestPlainMasterzenKeepsConnectionsAndGoroutines(t *testing.T) {
	theirs, ours := newFakeHost(t).withReadableID(), newFakeHost(t)
	const commands = 20
	grown := func(h *fakeHost, do func()) int {
		before := runtime.NumGoroutine() - len(h.conns)
		for range commands {
			do()
		}
		// Each open connection is one more of the host's.
		return runtime.NumGoroutine() - before - len(h.conns)
	}
	if n := grown(theirs, func() {
		if _, err := plain(t, theirs).RunWithContext(context.Background(), "x", io.Discard, io.Discard); err != nil {
			t.Error(err)
		}
	}); n < commands || len(theirs.conns) != commands {
		t.Errorf("plain: %d goroutines more, %d connections", n, len(theirs.conns))
	}
	before := runtime.NumGoroutine()
	for range commands {
		c, err := New(ours.config())
		if err != nil {
			t.Fatal(err)
		}
		if err := run(t, c, 437); err != nil {
			t.Error(err)
		}
		c.Close()
	}
	until(t, "ours: goroutines are as before", func() bool { return runtime.NumGoroutine() <= before })
	theirs.CloseClientConnections()
}
