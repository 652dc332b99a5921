// Package windows is a Windows host in nouns: operating system, registry,
// services, hotfixes, disks, processes, files, host tasks, restart. It knows
// the wire (agentless/winrm) and Windows; it must not know plans, rollouts or
// what an upgrade is. Every answer of a host is decided by codes and tokens,
// never by text that Windows translates.
package windows

import (
	"context"
	"fmt"
	"strings"

	"wavekeeper/agentless/winrm"
)

// Host is one Windows machine. It holds no state of the machine: every method
// asks.
type Host struct{ conn *winrm.Conn }

// New returns the host behind a connection; nothing is sent.
func New(conn *winrm.Conn) *Host { return &Host{conn: conn} }

// Identify asks the host who it is; the cheapest sign of life.
func (h *Host) Identify(ctx context.Context) (winrm.Identity, error) { return h.conn.Identify(ctx) }

// Run runs one command line through cmd.exe in a WinRM shell.
func (h *Host) Run(ctx context.Context, line string) (winrm.Result, error) {
	return h.conn.Run(ctx, winrm.Command{Line: line})
}

// program runs a program without cmd.exe, so nothing in its arguments is
// expanded and the line may be longer than 8,191 characters. Its input is
// closed at once: powershell.exe waits for the end of it.
func (h *Host) program(ctx context.Context, name string, args ...string) (winrm.Result, error) {
	return h.conn.Run(ctx, winrm.Command{Line: name, Args: args, SkipShell: true, Stdin: []byte{}})
}

// ScriptError is a script that ran and said that it could not do its work.
type ScriptError struct {
	Script string
	What   string // .NET type of the exception and its HRESULT, "System.IO.IOException 80070020"
}

// Error says which script and which exception.
func (e *ScriptError) Error() string { return fmt.Sprintf("script %s: %s", e.Script, e.What) }

// FIPS reports whether the script met .NET's refusal of an algorithm that the
// FIPS policy does not allow (KB811833): SHA256Managed cannot be made then.
func (e *ScriptError) FIPS() bool {
	return (e.Script == "file-write" || e.Script == "file-hash") && strings.HasPrefix(e.What, "System.InvalidOperationException ")
}

// script runs an embedded script in a WinRM shell and returns what it said.
func (h *Host) script(ctx context.Context, name string, args ...string) (Records, error) {
	nonce := newNonce()
	text, err := call(name, nonce, args...)
	if err != nil {
		return nil, err
	}
	arguments, err := encoded(text)
	if err != nil {
		return nil, fmt.Errorf("script %s: %w", name, err)
	}
	result, err := h.program(ctx, powershell, arguments...)
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

// clip shortens a host's text for a message.
func clip(s string) string {
	s = strings.TrimSpace(s)
	if len(s) <= 300 {
		return s
	}
	return strings.ToValidUTF8(s[:300], "") + "..."
}
