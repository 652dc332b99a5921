package winrm

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

func pinOf(c *x509.Certificate) Pin { return sha256.Sum256(c.Raw) }

// generation says which WinRM it is, on which Windows.
func (x *explained) generation(ctx context.Context) (Step, error) {
	id, err := x.Identity(ctx)
	switch {
	case err != nil:
		return Step{}, err
	case id.Stack == "":
		return Step{
			State: StepDoubt, Words: fmt.Sprintf("the host does not tell its version (%q); it is treated as an old one", id.Version),
			Remedy: "Nothing has to be done: shells ask for code page 437, and quotas of WinRM 1.1 are kept.",
		}, nil
	}
	words := fmt.Sprintf("WinRM %s", id.Stack)
	if id.OS.Known() {
		words += fmt.Sprintf(" on Windows %s, service pack %s", id.OS, id.ServicePack)
	}
	switch {
	case id.StackMajor < 1:
		return Step{Words: words, Remedy: "Install KB936059 (WinRM 1.1) or KB968930 (2.0): this one has no shell."}, &Refused{Reason: words + " is older than 1.1, which is the first with a shell"}
	case id.OS.Known() && !id.OS.Before(6, 2):
		return Step{State: StepDoubt, Words: words + "; Exchange 2007 runs on Windows Server 2003, 2008 and 2008 R2", Remedy: "Check that this is the right host."}, nil
	case id.StackMajor > 2:
		return Step{State: StepDoubt, Words: words, Remedy: "Windows Management Framework 3.0 and later must not be on a server with Exchange 2007."}, nil
	}
	return Step{Words: words}, nil
}

const rightsRemedy = `The account must be a member of the host's Administrators group. For an account of the host itself on Windows Server 2008 outside a domain, only the built-in Administrator has full rights over the network, unless LocalAccountTokenFilterPolicy is 1 (HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System).`

// rights reads from WMI what an administrator may, and the host's clock with it.
func (x *explained) rights(ctx context.Context) (Step, error) {
	began := time.Now()
	rows, err := x.Enumerate(ctx, "root/cimv2", "SELECT LocalDateTime FROM Win32_OperatingSystem")
	x.asked = began.Add(time.Since(began) / 2)
	switch {
	case errors.Is(err, ErrDenied):
		return Step{Remedy: rightsRemedy}, fmt.Errorf("%s logs on, and may not read from WMI: %w", x.who(), err)
	case err != nil:
		return Step{Remedy: "Look at the service of WMI on the host: sc query Winmgmt. While Setup runs it may be stopped."}, fmt.Errorf("WMI does not answer: %w", err)
	}
	if len(rows) == 1 {
		x.now, _ = rows[0].Time("LocalDateTime")
	}
	return Step{Words: x.who() + " may read from WMI"}, nil
}

// shell opens a shell, which ends at once: that takes the right to run programs.
func (x *explained) shell(ctx context.Context) (Step, error) {
	result, err := x.Run(ctx, Command{Line: "exit 0"})
	switch code, _ := FaultCode(err); {
	case errors.Is(err, ErrDenied):
		return Step{Remedy: rightsRemedy}, fmt.Errorf("%s logs on, and may not open a shell: %w", x.who(), err)
	case code == CodeShellQuota || code == CodeUserQuota:
		return Step{Remedy: "Shells that nobody ended die by themselves, after 3 minutes on WinRM 2.0 and 15 on 1.1: try again then."}, err
	case err != nil:
		return Step{Remedy: `winrm get winrm/config/winrs on the host: AllowRemoteShellAccess must be true.`}, err
	case result.Exit != 0:
		return Step{State: StepDoubt, Words: fmt.Sprintf("a shell runs commands, and exit 0 ended with %d", result.Exit), Remedy: "cmd.exe of the account may have an AutoRun."}, nil
	}
	return Step{Words: "a shell opens and runs a command"}, nil
}

// clock compares the host's with ours.
func (x *explained) clock(context.Context) (Step, error) {
	if x.now.IsZero() {
		return Step{State: StepDoubt, Words: "the host does not tell its time"}, nil
	}
	offset := x.now.Sub(x.asked).Round(time.Second)
	words := "the host's clock is right to the second"
	switch {
	case offset > 0:
		words = fmt.Sprintf("the host's clock is %s ahead of ours", offset)
	case offset < 0:
		words = fmt.Sprintf("the host's clock is %s behind ours", -offset)
	}
	if offset.Abs() > clockLimit {
		return Step{State: StepDoubt, Words: words, Remedy: "Kerberos allows 5 minutes: w32tm /resync on the host (2003: w32tm /config /update first), and look at this machine's own time."}, nil
	}
	return Step{Words: words}, nil
}
