package runbook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wavekeeper/agentless/windows"
)

const (
	soon  = time.Second      // nothing is expected to take long
	later = 10 * time.Second // the host did not answer, or needs its time

	denied = time.Minute // it refused the account: each try may count towards a lockout
)

// bookError marks an error of the Book: the tick ends without an outcome,
// because it may not act.
type bookError struct{ err error }

func (b *bookError) Error() string { return b.err.Error() }
func (b *bookError) Unwrap() error { return b.err }

// intend asks the Book before an effect on the host.
func (w *Work) intend(ctx context.Context, what string) error {
	if err := w.Book.Intend(ctx, what); err != nil {
		return &bookError{fmt.Errorf("intend %q: %w", what, err)}
	}
	return nil
}

// change opens a ledger entry before a change.
func (w *Work) change(ctx context.Context, e Entry) error {
	for _, open := range w.Ledger {
		if open.Kind == e.Kind && open.Name == e.Name {
			return nil
		}
	}
	id, err := w.Book.Change(ctx, e)
	if err != nil {
		return &bookError{fmt.Errorf("record the state of %s %s: %w", e.Kind, e.Name, err)}
	}
	e.ID = id
	w.Ledger = append(w.Ledger, e)
	return nil
}

// found takes into an open ledger entry what was not known of the state before.
func (w *Work) found(ctx context.Context, e Entry) error {
	id, err := w.Book.Change(ctx, e)
	if err == nil && id != e.ID {
		err = fmt.Errorf("entry %d is closed already", e.ID)
	}
	if err != nil {
		return &bookError{fmt.Errorf("record what was found of %s %s: %w", e.Kind, e.Name, err)}
	}
	for i, open := range w.Ledger {
		if open.ID == e.ID {
			w.Ledger[i].Before = e.Before
		}
	}
	return nil
}

// restored closes a ledger entry.
func (w *Work) restored(ctx context.Context, e Entry, deviation string) error {
	if err := w.Book.Restored(ctx, e.ID, deviation); err != nil {
		return &bookError{fmt.Errorf("record that %s %s is put back: %w", e.Kind, e.Name, err)}
	}
	if deviation == "" {
		w.Memory[entryKey(e)+exactly] = "yes"
	}
	for i, open := range w.Ledger {
		if open.ID == e.ID {
			w.Ledger = append(w.Ledger[:i:i], w.Ledger[i+1:]...)
			break
		}
	}
	return nil
}

// codeDiskFull is HRESULT_FROM_WIN32(ERROR_DISK_FULL), which .NET's IOException
// carries. Source: winerror.h.
const codeDiskFull = 0x80070070

// remedies are the errors that coming back cannot cure.
var remedies = []struct {
	err    error
	remedy string
}{
	{windows.ErrPlainChannel, "Set up an https listener on the host and let the profile use TLS."},
	{windows.ErrPassword, "Give the run-as account a password without double quotes."},
	{windows.ErrLongAccount, "Give the run-as credential an account's name as Windows knows it (DOMAIN\\name)."},
	{windows.ErrLongPassword, "Give the run-as account a password of at most 256 characters."},
	{windows.ErrNoService, "Correct the server's list of services in the inventory."},
}

// foreignFolder is what helps where somebody else made a folder of a task's name.
const foreignFolder = "Find out who made the folder, then remove it or give it back to the Administrators group with a protected access list."

// trouble turns what went wrong on the way to the host into an outcome: an
// error that coming back cannot cure fails the step, all else is tried again
// until the step's hard limit. Errors of the Book and of a context that was
// cancelled stay errors.
func trouble(doing string, err error) (Outcome, error) {
	var book *bookError
	if errors.As(err, &book) || errors.Is(err, context.Canceled) {
		return Outcome{}, fmt.Errorf("%s: %w", doing, err)
	}
	var full *windows.ShellsFull
	if errors.As(err, &full) {
		return barred(doing, full), nil
	}
	message := fmt.Sprintf("%s: %v", doing, err)
	var foreign *windows.ForeignFolderError
	if errors.As(err, &foreign) {
		return Outcome{
			Kind: Failed, Message: message,
			Remedy: foreignFolder,
		}, nil
	}
	var refused *windows.TaskRefusedError
	if errors.As(err, &refused) {
		return Outcome{Kind: Failed, Message: message, Remedy: refused.Remedy()}, nil
	}
	var script *windows.ScriptError
	if errors.As(err, &script) && script.Code() == codeDiskFull {
		return Outcome{
			Kind: Failed, Message: message + ": the disk is full",
			Remedy: "Free disk space on the host's system drive, then run again.",
		}, nil
	}
	if errors.As(err, &script) && script.FIPS() {
		return Outcome{
			Kind: Failed, Message: message,
			Remedy: "The policy \"System cryptography: Use FIPS compliant algorithms\" keeps .NET Framework 2.0 from SHA-256. Upgrade this server by hand, or lift the policy for the upgrade.",
		}, nil
	}
	for _, r := range remedies {
		if errors.Is(err, r.err) {
			return Outcome{Kind: Failed, Message: message, Remedy: r.remedy}, nil
		}
	}
	var midnight *windows.MidnightError
	if errors.As(err, &midnight) {
		return Outcome{Kind: Again, After: midnight.For + time.Second, Message: message, troubled: true}, nil
	}
	out := Outcome{Kind: Again, After: later, Message: message, Headline: windows.Headline(doing, err), Unheard: windows.Unreached(err), troubled: true}
	if windows.Denied(err) {
		out.After = denied
		out.Remedy = "Check the WinRM account and its password in the server's profile."
	}
	return out, nil
}

// barred is a host that has no shell left for us: mostly it is kept by programs
// of ours that were killed. It ends by itself, and nothing was sent.
func barred(doing string, full *windows.ShellsFull) Outcome {
	return Outcome{
		Kind: Again, After: full.Pause(), Barred: true, troubled: true,
		Message: fmt.Sprintf("Waits (%s): %v. Then this goes on by itself", doing, full),
		Remedy: "Nothing has to be done. What runs as a host task, such as Setup, is not touched by this. Who cannot wait, or finds that it lasts, " +
			"ends the other programs that use the account on the host, or restarts the service Windows Remote Management there.",
	}
}

// again is an outcome that comes back soon.
func again(format string, args ...any) Outcome {
	return Outcome{Kind: Again, After: soon, Message: fmt.Sprintf(format, args...)}
}

// onward is an outcome after an action that went well: the next one may follow
// at once.
func onward(format string, args ...any) Outcome {
	return Outcome{Kind: Again, Message: fmt.Sprintf(format, args...)}
}
