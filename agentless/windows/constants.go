package windows

import (
	"slices"
	"strings"
	"time"
)

// Standing is how sure a constant is without asking a host.
type Standing string

// The standings, the surest first.
const (
	Proven     Standing = "proven"     // it was held against a real host of each Windows that it is for; none is so far
	Recorded   Standing = "recorded"   // it stands in an answer that was recorded on a real host
	Documented Standing = "documented" // a page of its maker, or the founding document, says so
	Remembered Standing = "remembered" // general knowledge: nothing was found that says so
)

// Standings lists the standings, the surest first.
func Standings() []Standing { return []Standing{Proven, Recorded, Documented, Remembered} }

// A Constant is a name or a number of Windows or of Exchange that the program
// rests on, and how a host is asked whether it is so. Asking only reads.
type Constant struct {
	Name     string // stable, such as "registry.exchange": results are kept under it
	Value    string // as the program uses it
	What     string // what it is for
	Standing Standing
	Source   string   // where it was read; for what is remembered, what speaks for it
	On       []string // the versions of Windows that have it, in OS.Name's words; none = all
	Needs    Needs    // what must be on the host for it to be there
	Maybe    bool     // it is there only at times: its absence proves nothing
	Probe    Probe
}

// Needs is what must be on a host before a constant can be expected there: a
// service or a role's key; the zero value needs nothing.
type Needs struct{ Service, Role string }

// ProbeKind is a way to ask.
type ProbeKind string

// The ways to ask. None of them writes anything on the host.
const (
	ProbeKey      ProbeKind = "key"      // StdRegProv: At is a key of HKEY_LOCAL_MACHINE
	ProbeValue    ProbeKind = "value"    // StdRegProv: Property is a value of the key At, Want is its pattern
	ProbeService  ProbeKind = "service"  // Win32_Service: At is a service's short name
	ProbeIdentify ProbeKind = "identify" // Identify with credentials: ProductVersion has the pattern Want
	ProbeWMI      ProbeKind = "wmi"      // WQL: the class At of root/cimv2 has the property
	ProbeFile     ProbeKind = "file"     // cmd.exe: if exist At
	ProbeProgram  ProbeKind = "program"  // a shell runs At, which prints the pattern Want or ends with Exit
	ProbeScript   ProbeKind = "script"   // PowerShell runs the script At, whose answer is whole
)

// Probe says how a host is asked.
type Probe struct {
	By       ProbeKind
	At       string
	Property string
	Want     string // a pattern (regexp); "" = that it is there is enough
	Not      string // ProbeProgram: a pattern that must not be there beside Want
	Exit     int    // ProbeProgram: the exit code that it must end with
	Users    bool   // ProbeKey, ProbeValue: below HKEY_USERS, not HKEY_LOCAL_MACHINE
}

// Words says how it is asked, for people.
func (p Probe) Words() string {
	hive := `HKLM\`
	if p.Users {
		hive = `HKU\`
	}
	switch p.By {
	case ProbeKey:
		return "StdRegProv: the key is there"
	case ProbeValue:
		return "StdRegProv: value " + p.Property + " of " + hive + p.At
	case ProbeService:
		return "WQL: Win32_Service lists it"
	case ProbeIdentify:
		return "Identify with credentials"
	case ProbeWMI:
		return "WQL: SELECT " + p.Property + " FROM " + p.At
	case ProbeFile:
		return "cmd.exe: if exist"
	case ProbeProgram:
		return "a shell runs " + p.At
	case ProbeScript:
		return "PowerShell runs the script " + p.At + ", which reads"
	}
	return string(p.By)
}

// Versions are the versions of Windows in words, for people.
func (c Constant) Versions() string {
	if len(c.On) == 0 {
		return "all"
	}
	return strings.Join(c.On, ", ")
}

// Constants lists what the program rests on and can ask a host about.
func Constants() []Constant {
	return slices.Concat(wireConstants, systemConstants, exchangeConstants, serviceConstants())
}

// Verdict is what a host said about a constant.
type Verdict string

// The verdicts.
const (
	Holds   Verdict = "holds"   // it is so on this host
	Differs Verdict = "differs" // it is not so
	Moot    Verdict = "moot"    // not for this host: another Windows, a role that is not here, or not there now
	Unasked Verdict = "unasked" // the host could not be asked; Found says why
)

// Check is a constant held against one host.
type Check struct {
	Name     string
	Expected string // the constant's value
	Found    string // what the host said, in short
	Verdict  Verdict
	At       time.Time
}
