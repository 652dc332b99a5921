package exchange

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// SetupPhase is one phase of an upgrade by Setup: how its beginning shows in
// ExchangeSetup.log and its share of the time. Phases and markers follow the
// Exchange team's post on phases of Exchange 2007 Setup and logs of later
// versions; the shares are estimates to begin with.
type SetupPhase struct {
	Name    string // "readiness"
	Words   string
	Share   int // percent of the whole
	markers []string
}

var setupPhases = []SetupPhase{
	{"start", "Setup starts", 1, []string{"Starting Microsoft Exchange", "Setup version:"}},
	{"copy", "Files are copied", 3, []string{"Starting copy from", "File copy complete", "ExchangeServerSetup\\"}},
	{"discovery", "A domain controller is chosen, roles are found", 1, []string{"Setup will use the domain controller", "The following roles have been unpacked", "The following roles are installed", "The installation mode is set to"}},
	{"readiness", "Prerequisites are checked", 8, []string{"Prerequisite Check", "Test-SetupHealth", "test-SetupPrerequisites"}},
	{"directory", "The organization is prepared", 5, []string{"PrepareAD", "Deleteting DS object", "Deleting DS object", "install-ADSchema"}},
	{"stop", "Services are stopped", 7, []string{"Stopping service", "stop-SetupService", "disable-services", "Stop-Service"}},
	{"files", "Packages are removed and installed", 30, []string{"uninstall-MsiPackage", "Removing MSI package", "install-MsiPackage", "Installing a new product"}},
	{"configure", "Roles are configured", 35, []string{"-ClientAccessRole", "-HubTransportRole", "-BridgeheadRole", "-MailboxRole", "-UnifiedMessagingRole", "-GatewayRole", "-EdgeTransportRole", "-AdminToolsRole"}},
	{"finish", "Services start, Setup ends", 10, []string{"Starting service", "start-SetupService", "Start-Service", "setup operation completed", "setup operation did"}},
}

// SetupPhases lists the phases in their order.
func SetupPhases() []SetupPhase { return append([]SetupPhase(nil), setupPhases...) }

// SetupVerdict is what the last sentence of a setup log says.
type SetupVerdict string

// The verdicts. A line marked [ERROR] proves nothing: logs with errors ended
// in success, and logs in which every unit completed ended in failure.
const (
	SetupSays      SetupVerdict = "" // no last sentence yet
	SetupSucceeded SetupVerdict = "succeeded"
	SetupFailed    SetupVerdict = "failed"
)

// SetupProgress is how far one run of Setup has come, as its log shows. The
// zero value is a run without a line. It can be kept as three words and taken
// up again.
type SetupProgress struct {
	Phase   int // index into SetupPhases; -1 before the first marker when Lines > 0
	Lines   int // lines seen in this phase
	Verdict SetupVerdict
}

// Read takes one line into account. Phases only go forward, but for a new
// start banner: the log is appended to, and the last run counts.
func (p SetupProgress) Read(line string) SetupProgress {
	text := strings.ToLower(line)
	if strings.Contains(text, "starting microsoft exchange") && strings.Contains(text, "setup") {
		return SetupProgress{Lines: 1}
	}
	switch {
	case strings.Contains(text, "setup operation completed successfully"):
		p.Verdict = SetupSucceeded
	case strings.Contains(text, "setup operation did not complete"), strings.Contains(text, "setup operation didn't complete"):
		p.Verdict = SetupFailed
	}
	for i := len(setupPhases) - 1; i > p.Phase; i-- {
		if setupPhases[i].begins(text) {
			return SetupProgress{Phase: i, Lines: 1, Verdict: p.Verdict}
		}
	}
	p.Lines++
	return p
}

func (s SetupPhase) begins(lower string) bool {
	for _, m := range s.markers {
		if strings.Contains(lower, strings.ToLower(m)) {
			return true
		}
	}
	return false
}

// Name is the phase's name, Words what it means.
func (p SetupProgress) Name() string { return setupPhases[p.clamped()].Name }

// Words says what Setup does now.
func (p SetupProgress) Words() string { return setupPhases[p.clamped()].Words }

// Percent estimates how much is done: the shares of the phases before, and a
// part of this one that grows with its lines and never reaches its end.
func (p SetupProgress) Percent() int {
	if p.Verdict == SetupSucceeded {
		return 100
	}
	done := 0
	for _, s := range setupPhases[:p.clamped()] {
		done += s.Share
	}
	return min(99, done+setupPhases[p.clamped()].Share*p.Lines/(p.Lines+20))
}

func (p SetupProgress) clamped() int { return min(max(p.Phase, 0), len(setupPhases)-1) }

// SetupLines cuts a piece of a setup log into its whole lines and says how many
// bytes they take: the rest is an unfinished line. wide says that the log is
// UTF-16, which its first two bytes tell; other logs are UTF-8 or, where that
// fails, the Windows code page of the host, read as Latin-1. last takes an
// unfinished line too.
func SetupLines(piece []byte, wide, last bool) (lines []string, used int) {
	end := len(piece)
	if wide {
		end &^= 1
	}
	if !last {
		end = lineEnd(piece[:end], wide)
	}
	if end == 0 {
		return nil, 0
	}
	text := narrow(piece[:end], wide)
	text = strings.TrimPrefix(strings.TrimSuffix(text, "\n"), "\uFEFF")
	for _, line := range strings.Split(text, "\n") {
		lines = append(lines, strings.TrimRight(line, "\r"))
	}
	return lines, end
}

// lineEnd is the number of bytes up to and with the last line break.
func lineEnd(piece []byte, wide bool) int {
	if !wide {
		return bytes.LastIndexByte(piece, '\n') + 1
	}
	for i := len(piece) - 2; i >= 0; i -= 2 {
		if piece[i] == '\n' && piece[i+1] == 0 {
			return i + 2
		}
	}
	return 0
}

func narrow(b []byte, wide bool) string {
	switch {
	case wide:
		units := make([]uint16, 0, len(b)/2)
		for i := 0; i+1 < len(b); i += 2 {
			units = append(units, uint16(b[i])|uint16(b[i+1])<<8)
		}
		return string(utf16.Decode(units))
	case utf8.Valid(b):
		return string(b)
	}
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

// SetupLogIsWide reports whether a setup log is UTF-16, by its first bytes.
func SetupLogIsWide(first []byte) bool {
	return len(first) >= 2 && first[0] == 0xFF && first[1] == 0xFE
}
