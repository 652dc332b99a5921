package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Policy is the values that rules compare with, by name. A name that is missing
// has its default.
type Policy map[string]int

// PolicyValue is one value that an organization may choose otherwise.
type PolicyValue struct {
	Name     string
	Words    string
	Unit     string
	Default  int
	Min, Max int
	Source   string // of the default
}

// The names of the values.
const (
	InstallDisk      = "install-disk-mb"
	SystemDisk       = "system-disk-mb"
	LanguageDisk     = "um-language-disk-mb"
	Memory           = "memory-mb"
	BackupAge        = "backup-age-hours"
	UpdateAge        = "update-age-days"
	FactAge          = "fact-age-hours"
	ClockOff         = "clock-seconds"
	CertificateDays  = "certificate-days"
	RevocationTime   = "revocation-ms"
	TransportQueue   = "transport-queue"
	CopyQueue        = "copy-queue"
	ReplayQueue      = "replay-queue"
	ForefrontSP1     = "forefront-sp1"
	ForefrontSP2     = "forefront-sp2"
	ForefrontSP3     = "forefront-sp3"
	PowerShell2Level = "powershell2-level"
	ReplicationAge   = "replication-age-hours"
	DrainQueue       = "drain-queue"
	DrainMinutes     = "drain-minutes"
)

var policyValues = []PolicyValue{
	{InstallDisk, "free space where Exchange is installed", "MB", 1200, 100, 1 << 20, "release notes of Exchange 2007 Beta 2 (1.2 GB)"},
	{SystemDisk, "free space on the system drive", "MB", 200, 50, 1 << 20, "release notes of Exchange 2007 Beta 2 (200 MB)"},
	{LanguageDisk, "free space for each Unified Messaging language pack", "MB", 500, 0, 1 << 16, "release notes of Exchange 2007 Beta 2 (500 MB)"},
	{Memory, "memory", "MB", 2048, 256, 1 << 20, "remembered: system requirements of Exchange 2007, 2 GB"},
	{BackupAge, "age of the newest full backup of each database", "hours", 24, 1, 24 * 31, "remembered: daily full backups"},
	{UpdateAge, "age of the newest update of Windows", "days", 180, 1, 3650, "msxfaq.de (Service Packs für Exchange 2007) asks for a current Windows; the number is remembered practice"},
	{FactAge, "age of facts that are judged without the host being asked", "hours", 24, 1, 24 * 31, "the project's design: older facts are stale for planning"},
	{ClockOff, "how far a host's clock may be off", "seconds", 300, 1, 3600, "Kerberos refuses more than five minutes (RFC 4120's customary skew; Windows' default)"},
	{CertificateDays, "days for which a certificate in use has to be valid still", "days", 14, 0, 365, "remembered practice"},
	{RevocationTime, "how long one revocation list may take", "ms", 15000, 100, 600000, "KB944752: a service that does not answer within 30 s is given up; half of it, since two signatures are checked"},
	{TransportQueue, "messages that wait in a transport's queues", "messages", 500, 0, 1 << 24, "remembered practice"},
	{CopyQueue, "logs that wait to be copied, of each storage group", "logs", 10, 0, 1 << 20, "remembered practice; Move-ClusteredMailboxServer waits for them"},
	{ReplayQueue, "logs that wait to be replayed, of each storage group", "logs", 50, 0, 1 << 20, "remembered practice; the hand-off takes as long as replaying them does"},
	{ForefrontSP1, "least version of Forefront beside SP1", "version", 1001, 0, 9999, "KB945572 (Forefront Security for Exchange Server SP1); that it is 10.1 is remembered"},
	{ForefrontSP2, "least version of Forefront beside SP2", "version", 1002, 0, 9999, "remembered: Forefront Security for Exchange Server SP2 is 10.2"},
	{ForefrontSP3, "least version of Forefront beside SP3", "version", 1002, 0, 9999, "remembered: as for SP2"},
	{PowerShell2Level, "service pack of Exchange from which Windows PowerShell 2.0 may be on the host", "service pack", 2, 0, 4, "remembered: supportability matrix of Exchange"},
	{ReplicationAge, "age of the look at replication", "hours", 24, 1, 24 * 31, "remembered practice"},
	{DrainQueue, "messages in a transport's queues at which it counts as drained", "messages", 20, 0, 1 << 24, "remembered practice"},
	{DrainMinutes, "how long calls in progress and queues are waited for", "minutes", 30, 1, 24 * 60, "remembered practice"},
}

// Say is a number of the value in words: "24 hours", "version 10.1", "SP2".
func (v PolicyValue) Say(n int) string {
	switch {
	case v.Unit == "version":
		return fmt.Sprintf("version %d.%d", n/100, n%100)
	case v.Unit == "service pack" && n == 0:
		return "RTM"
	case v.Unit == "service pack":
		return fmt.Sprintf("SP%d", n)
	case n == 1 && len(v.Unit) > 2:
		return "1 " + strings.TrimSuffix(v.Unit, "s")
	}
	return fmt.Sprintf("%d %s", n, v.Unit)
}

// Bounds says between which numbers the value lies.
func (v PolicyValue) Bounds() string {
	words := fmt.Sprintf("between %d and %d", v.Min, v.Max)
	switch v.Unit {
	case "version":
		return words + " (a version as one number: 1001 is 10.1)"
	case "service pack":
		return words + " (a service pack: 2 is SP2, 0 is RTM)"
	}
	return words + " " + v.Unit
}

// PolicyValues lists the values with their defaults and limits.
func PolicyValues() []PolicyValue { return slices.Clone(policyValues) }

// Of is a value, or its default; 0 for a name that there is not.
func (p Policy) Of(name string) int {
	for _, v := range policyValues {
		if v.Name != name {
			continue
		}
		if n, ok := p[name]; ok && n >= v.Min && n <= v.Max {
			return n
		}
		return v.Default
	}
	return 0
}

// Check refuses names that there are not and values beyond their limits. All
// of them are named, in the order of their names.
func (p Policy) Check() []error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(p)) {
		i := slices.IndexFunc(policyValues, func(v PolicyValue) bool { return v.Name == name })
		if i < 0 {
			errs = append(errs, fmt.Errorf("there is no policy value %q", name))
			continue
		}
		if v, n := policyValues[i], p[name]; n < v.Min || n > v.Max {
			errs = append(errs, fmt.Errorf("policy value %s: %d is not %s", name, n, v.Bounds()))
		}
	}
	return errs
}
