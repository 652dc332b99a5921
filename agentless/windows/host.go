// Package windows is a Windows host in nouns: operating system, registry,
// services, hotfixes, disks, processes, files, host tasks, restart. It knows
// the wire (agentless/winrm) and Windows; it must not know plans, rollouts or
// what an upgrade is. Every answer of a host is decided by codes and tokens,
// never by text that Windows translates.
package windows

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"wavekeeper/agentless/winrm"
)

// Host is one Windows machine. It holds no state of the machine, every method
// asks; only what cannot change while Windows runs, its version and code page,
// is asked for once. Where WMI does not answer, everything but who owns a
// program is read and written without it; Without says when it was.
type Host struct {
	conn  *winrm.Conn
	known *known

	mu      sync.Mutex
	without map[string]string // what was read without WMI last, with the reason
	detour  int               // how often something was
}

// New returns the host behind a connection; nothing is sent.
func New(conn *winrm.Conn) *Host { return &Host{conn: conn, known: &known{rests: wmiRests}} }

// Identify asks the host who it is; the cheapest sign of life.
func (h *Host) Identify(ctx context.Context) (winrm.Identity, error) { return h.conn.Identify(ctx) }

// Anew has the next call open a connection of its own, which proves that the host
// lets us in, as one that is open already does not.
func (h *Host) Anew() { h.conn.Anew() }

// Run runs one command line through cmd.exe in a WinRM shell.
func (h *Host) Run(ctx context.Context, line string) (winrm.Result, error) {
	return h.run(ctx, winrm.Command{Line: line})
}

// program runs a program without cmd.exe, so nothing in its arguments is
// expanded and the line may be longer than 8,191 characters. Its input is
// closed at once: powershell.exe waits for the end of it.
func (h *Host) program(ctx context.Context, name string, args ...string) (winrm.Result, error) {
	return h.run(ctx, winrm.Command{Line: name, Args: args, SkipShell: true, Stdin: []byte{}})
}

// ScriptError is a script that ran and said that it could not do its work.
type ScriptError struct {
	Script string
	What   string // .NET type of the exception and its HRESULT, "System.IO.IOException 80070020"
}

// Error says which script and which exception.
func (e *ScriptError) Error() string { return fmt.Sprintf("script %s: %s", e.Script, e.What) }

// Code is the exception's HRESULT, 0 when it carries none.
func (e *ScriptError) Code() uint32 {
	words := strings.Fields(e.What)
	if len(words) == 0 {
		return 0
	}
	code, err := strconv.ParseUint(words[len(words)-1], 16, 32)
	if err != nil {
		return 0
	}
	return uint32(code)
}

// FIPS reports whether the script met .NET's refusal of an algorithm that the
// FIPS policy does not allow (KB811833): SHA256Managed cannot be made then.
func (e *ScriptError) FIPS() bool {
	return (e.Script == "file-write" || e.Script == "file-hash" || e.Script == "task-check") && strings.HasPrefix(e.What, "System.InvalidOperationException ")
}

// script runs an embedded script in a WinRM shell and returns what it said.
func (h *Host) script(ctx context.Context, name string, args ...string) (Records, error) {
	nonce := newNonce()
	text, err := call(name, nonce, args...)
	if err != nil {
		return nil, err
	}
	return h.runScript(ctx, name, nonce, text, []byte{})
}

// scriptWithSecret is script for one that takes a secret: it goes over stdin,
// sealed by the channel alone, as one line of base64 of UTF-8, which reads the
// same in every code page; no command line, file or log of the host sees it.
func (h *Host) scriptWithSecret(ctx context.Context, name, secret string, args ...string) (Records, error) {
	nonce := newNonce()
	text, err := callWithInput(name, nonce, args...)
	if err != nil {
		return nil, err
	}
	return h.runScript(ctx, name, nonce, text, []byte(base64.StdEncoding.EncodeToString([]byte(secret))+"\r\n"))
}

func (h *Host) runScript(ctx context.Context, name, nonce, text string, stdin []byte) (Records, error) {
	arguments, err := encoded(text)
	if err != nil {
		return nil, fmt.Errorf("script %s: %w", name, err)
	}
	result, err := h.runPowerShell(ctx, winrm.Command{Line: powershell, Args: arguments, SkipShell: true, Stdin: stdin})
	if err != nil {
		return nil, fmt.Errorf("script %s: %w", name, err)
	}
	records, err := parseRecords(result.Stdout, nonce)
	if err != nil {
		_, said := result.Text()
		return nil, fmt.Errorf("script %s ended with exit code %d: %w; it said %q", name, result.Exit, err, clip(said))
	}
	if what := records.Get("error"); what != "" {
		return nil, &ScriptError{Script: name, What: what}
	}
	return records, nil
}

// Denied reports whether the host refused the account.
func Denied(err error) bool { return winrm.Outcome(err) == winrm.OutcomeDenied }

// ShellsFull is a host that takes no shell now, for their number: it answers, and
// nothing ran.
type ShellsFull = winrm.ShellsFull

// Unreached reports whether nothing was heard of the host at all.
func Unreached(err error) bool {
	switch winrm.Outcome(err) {
	case winrm.OutcomeUnreachable, winrm.OutcomeUntrusted, winrm.OutcomeTimeout:
		return true
	}
	return false
}

// clip shortens a host's text for a message.
func clip(s string) string {
	s = strings.TrimSpace(s)
	if len(s) <= 300 {
		return s
	}
	return strings.ToValidUTF8(s[:300], "") + "..."
}
