package runbook

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// seen is what preflight looked at, all at one time.
type seen struct {
	os       windows.OS
	roles    map[string]windows.Role
	hotfixes []string
	disks    []windows.Disk
	pending  []string
	living   living
	net20    int
	hasNET20 bool
	install  string
	arch     string
	umPacks  []string
	services []windows.Service
	media    proved
	canary   proved
}

func look(ctx context.Context, w *Work) (seen, error) {
	s := seen{media: kept(w, "media"), canary: kept(w, "canary")}
	h := w.Host
	for _, ask := range []func() error{
		func() (err error) { s.os, err = h.OS(ctx); return },
		func() (err error) { s.roles, err = h.Roles(ctx); return },
		func() (err error) { s.hotfixes, err = h.Hotfixes(ctx); return },
		func() (err error) { s.disks, err = h.Disks(ctx); return },
		func() (err error) { s.pending, err = h.PendingRestart(ctx); return },
		func() (err error) { s.living, err = alive(ctx, w); return },
		func() (err error) { s.net20, s.hasNET20, err = h.NET20ServicePack(ctx); return },
		func() (err error) { s.install, err = h.InstallPath(ctx); return },
		func() (err error) { s.arch, err = h.Arch(ctx); return },
		func() (err error) { s.services, err = h.Services(ctx); return },
		func() (err error) { s.umPacks, err = h.UMLanguagePacks(ctx); return },
	} {
		if err := ask(); err != nil {
			return s, err
		}
	}
	return s, nil
}

// rule is one row of preflight: what is asked, where that comes from, and the
// answer. An empty text of trouble is a pass.
type rule struct {
	Name   string
	Source string
	check  func(*Work, seen) verdict
}

// verdict is a rule's answer.
type verdict struct {
	severity Severity // Pass when empty
	text     string
	evidence string
	remedy   string
}

func pass(text, evidence string) verdict { return verdict{Pass, text, evidence, ""} }

// TimeZoneUpdates are the updates that satisfy "KB931836 is installed": itself
// and the cumulative time-zone updates that replace it on Windows Server 2003.
// Source: the founding document for KB931836; the successors as remembered.
var TimeZoneUpdates = []string{
	"KB931836", "KB933360", "KB942763", "KB951072", "KB955839", "KB970653", "KB976098", "KB979306", "KB981793", "KB2158563",
	"KB2443685", "KB2570791", "KB2633952", "KB2756822", "KB2779562", "KB2863058", "KB2904266", "KB2981580", "KB2998527", "KB3013410",
}

// Disk space that Setup needs, in bytes. Source: the release notes of Exchange
// 2007 Beta 2: 1.2 GB where Exchange is installed, 200 MB on the system drive;
// 0.5 GB more for each UM language.
const (
	installSpace  = 1200 << 20
	systemSpace   = 200 << 20
	languageSpace = 500 << 20
)

// clockLimit is how far the host's clock may be off before it is said.
const clockLimit = 300

// interruptedRule is the rule that finds what an earlier Setup left.
const interruptedRule = "interrupted-setup"

var rules = []rule{
	{"reachable", "the host answered", func(_ *Work, s seen) verdict {
		return pass("The host answers and knows the WinRM account", "Windows "+s.os.Version)
	}},
	{"windows", "founding document; Exchange 2007 SP1 system requirements", ruleWindows},
	{"wmi", "the questions of preflight; Setup's own checks ask WMI (general knowledge)", func(w *Work, s seen) verdict {
		if ways := w.Host.Without(); len(ways) > 0 {
			return verdict{
				Warning, "WMI does not answer on the host; what is needed was read without it, and Setup's own checks may fail", list(ways),
				"Start the service Windows Management Instrumentation (Winmgmt); where it runs and fails, see to its repository (winmgmt /verifyrepository from Windows Server 2008 on).",
			}
		}
		return pass("WMI answers", "")
	}},
	{"dotnet20-sp1", "founding document; key of .NET Framework setup", func(_ *Work, s seen) verdict {
		evidence := fmt.Sprintf("installed %t, service pack %d", s.hasNET20, s.net20)
		if !s.hasNET20 || s.net20 < 1 {
			return verdict{Blocker, ".NET Framework 2.0 Service Pack 1 is missing", evidence, "Install .NET Framework 2.0 SP1 or later (KB110806), or 3.5."}
		}
		return pass(".NET Framework 2.0 has its service pack", evidence)
	}},
	{"time-zone-update", "founding document (KB931836)", ruleTimeZone},
	{"no-wmf3", "Exchange team blog, December 2012", func(_ *Work, s seen) verdict {
		for _, kb := range []string{"KB2506143", "KB2506146"} {
			if has(s.hotfixes, kb) {
				return verdict{Blocker, "Windows Management Framework 3.0 is installed, which Exchange 2007 does not work with", kb, "Uninstall " + kb + "."}
			}
		}
		return pass("Windows Management Framework 3.0 is not installed", "")
	}},
	{"windows-installer", "Exchange team blog on SP2 prerequisites (KB942288)", func(w *Work, s seen) verdict {
		if w.Package.Target.ServicePack() < 2 || s.os.Name() != "2003" || has(s.hotfixes, "KB942288") {
			return pass("Windows Installer is new enough", "")
		}
		return verdict{Blocker, "Windows Installer 4.5 is missing", fmt.Sprintf("KB942288 is not among %d updates", len(s.hotfixes)), "Install KB942288."}
	}},
	{"services", "inventory; rules of Setup on W3SVC and MSDTC", ruleServices},
	{"disk", "release notes of Exchange 2007 Beta 2", ruleDisk},
	{interruptedRule, "founding document; Exchange team blog on watermarks", ruleInterrupted},
	{"no-other-setup", "processes of Setup", func(_ *Work, s seen) verdict {
		if len(s.living.setup) > 0 {
			return verdict{Blocker, "A Setup runs on the host already: " + s.living.who(), s.living.who(), "Let it come to its end, or have its owner end it."}
		}
		return pass("No Setup runs", "")
	}},
	{"pending-restart", "technet cc164360 (Setup refuses the same); Windows Update's key", func(_ *Work, s seen) verdict {
		if len(s.pending) > 0 {
			return verdict{Blocker, "Windows waits for a restart", list(s.pending), "Restart the host."}
		}
		return pass("Windows does not wait for a restart", "")
	}},
	{"um-language-packs", "founding document; rule AdditionalUMLangPackExists of Setup", ruleLanguagePacks},
	{"media", "the files of the media, or setup.com where none is registered, read by SYSTEM on the host", ruleMedia},
	{"organization-prepared", "recorded on the plan's page; the first Setup would extend the schema unasked", func(w *Work, _ seen) verdict {
		if !w.Prepared {
			return verdict{Blocker, "The organization is not recorded as prepared for " + w.Package.Name, "", "Prepare schema, organization and domains, then record it on the plan's page."}
		}
		return pass("The organization is recorded as prepared", "")
	}},
	{"language", "inventory, media and Win32_OperatingSystem.OSLanguage", ruleLanguage},
	{"architecture", "inventory, media and PROCESSOR_ARCHITECTURE", ruleArchitecture},
	{"build", "role keys of Exchange", ruleBuild},
	{"roles", "role keys of Exchange and inventory", ruleRoles},
	{"clock", "Win32_OperatingSystem.LocalDateTime", func(_ *Work, s seen) verdict {
		off := int(s.os.Offset().Seconds())
		if off > clockLimit || off < -clockLimit {
			return verdict{Warning, fmt.Sprintf("The host's clock is %d seconds off", off), s.os.Now.UTC().String(), "Correct the time: Kerberos refuses more than five minutes."}
		}
		return pass("The host's clock is right", fmt.Sprintf("%d seconds off", off))
	}},
	{"canary", "a host task under the run-as account", ruleCanary},
}

func findingsOf(w *Work, s seen) []Finding {
	findings := make([]Finding, 0, len(rules))
	for _, r := range rules {
		v := r.check(w, s)
		if v.severity == "" {
			v.severity = Pass
		}
		findings = append(findings, Finding{Rule: r.Name, Severity: v.severity, Text: v.text, Evidence: v.evidence, Remedy: v.remedy, Source: r.Source})
	}
	return findings
}

// ruleLanguagePacks: every pack but en-US, which no server with the role is
// without. A server with the role and no pack at all is one whose registry was
// not understood: the key is known from later versions of Exchange only.
func ruleLanguagePacks(w *Work, s seen) verdict {
	const remedy = "Setup.com /RemoveUmLanguagePack for each, and record which they were."
	if w.Server.Has(exchange.UnifiedMessaging) && len(s.umPacks) == 0 {
		return verdict{
			Warning, "Which Unified Messaging language packs are installed could not be read; Setup refuses to begin while one other than en-US is",
			fmt.Sprintf("no pack in the registry; the inventory names %d: %s", len(w.Server.UMLanguages), list(w.Server.UMLanguages)), remedy,
		}
	}
	var more []string
	for _, pack := range s.umPacks {
		if !strings.EqualFold(pack, "en-US") {
			more = append(more, pack)
		}
	}
	if len(more) > 0 {
		return verdict{Blocker, "Unified Messaging language packs have to be removed first: " + list(more), list(s.umPacks), remedy}
	}
	return pass("No Unified Messaging language pack is in the way", list(s.umPacks))
}

// ruleServices: the third-party services of the inventory exist, and what Setup
// needs is not disabled; MSDTC has to run ("CAS/UM readiness fails on MSDTC",
// topic 280ca216 of the Exchange Analyzer).
func ruleServices(w *Work, s seen) verdict {
	var unknown, disabled []string
	for _, name := range w.Server.Services {
		if _, ok := windows.FindService(s.services, name); !ok {
			unknown = append(unknown, name)
		}
	}
	needed := map[string]bool{
		"W3SVC": w.Server.Has(exchange.ClientAccess) || w.Server.Has(exchange.Mailbox),
		"MSDTC": w.Server.Has(exchange.ClientAccess) || w.Server.Has(exchange.UnifiedMessaging),
	}
	for _, name := range []string{"W3SVC", "MSDTC"} {
		found, ok := windows.FindService(s.services, name)
		if needed[name] && (!ok || found.StartMode == windows.StartDisabled || name == "MSDTC" && found.State != windows.Running) {
			disabled = append(disabled, name)
		}
	}
	switch {
	case len(unknown) > 0:
		return verdict{Blocker, "The host has no service " + list(unknown), fmt.Sprintf("%d services", len(s.services)), "Correct the server's services in the inventory."}
	case len(disabled) > 0:
		return verdict{Blocker, "Setup needs services that are disabled, stopped or missing: " + list(disabled), "", "Enable and start them."}
	}
	return pass("The services are there", list(w.Server.Services))
}

func ruleDisk(w *Work, s seen) verdict {
	need := map[string]int64{strings.ToUpper(s.os.SystemDrive): systemSpace}
	if len(s.install) > 1 && s.install[1] == ':' {
		need[strings.ToUpper(s.install[:2])] += installSpace + int64(len(w.Server.UMLanguages))*languageSpace
	}
	var evidence, short []string
	for _, d := range s.disks {
		wanted, ok := need[strings.ToUpper(d.Name)]
		if !ok {
			continue
		}
		delete(need, strings.ToUpper(d.Name))
		text := fmt.Sprintf("%s has %d MB free, needs %d MB", d.Name, d.Free>>20, wanted>>20)
		evidence = append(evidence, text)
		if d.Free < wanted {
			short = append(short, text)
		}
	}
	for drive := range need {
		short = append(short, drive+" was not found")
	}
	if len(short) > 0 {
		return verdict{Blocker, "There is too little free disk space: " + list(short), list(evidence), "Free disk space."}
	}
	return pass("There is enough free disk space", list(evidence))
}

func ruleInterrupted(w *Work, s seen) verdict {
	found := markers(s.roles)
	switch {
	case len(found) == 0:
		return pass("No role carries the mark of an unfinished Setup", "")
	case w.Notes["setup"][setupRan] != "" || w.Memory[lastRan] != "":
		return verdict{Warning, "This upgrade's own Setup did not finish; it resumes where it stopped", list(found), ""}
	default:
		return verdict{
			Blocker, "An earlier Setup, which is not ours, did not finish", list(found), foreignRemedy,
		}
	}
}

func ruleMedia(w *Work, s seen) verdict {
	path := w.Media.Folder + `\setup.com`
	sum := s.media.Said["sha256"]
	switch {
	case s.media.Trouble != "":
		return verdict{Blocker, "The media could not be read by a host task: " + s.media.Trouble, s.media.Trouble, cmp.Or(s.media.Remedy, "Check the Task Scheduler service and "+windows.Root+".")}
	case w.Media.Medium.Known():
		return ruleTree(w, s.media.Said)
	case s.media.Said["exists"] != "1":
		return verdict{Blocker, "The media is not on the host", path + " does not exist", "Unpack the package to " + w.Media.Folder + "."}
	case sum != strings.ToLower(w.Media.SetupSHA256):
		return verdict{Blocker, "The media is not the registered package", fmt.Sprintf("%s has SHA-256 %s, want %s", path, sum, w.Media.SetupSHA256), "Put the right media on the host."}
	}
	return pass("The media is the registered package", sum)
}

// ruleTree is ruleMedia for a package with a medium: every file of it counts.
func ruleTree(w *Work, said map[string]string) verdict {
	var records windows.Records
	for _, name := range []string{"state", "bad", "differs"} {
		for _, value := range strings.Split(said[name], "\n") {
			records = append(records, windows.Record{Name: name, Value: value})
		}
	}
	switch state := said["state"]; state {
	case windows.MediaRight:
		return pass("Every file of the media is the registered one", fmt.Sprintf("%s files, manifest %s", said["files"], w.Media.Medium.ManifestSHA256))
	case windows.MediaAbsent:
		return verdict{Blocker, "The media is not on the host", w.Media.Folder + " or its manifest does not exist", "Run again: it is brought there."}
	default:
		return verdict{Blocker, "The media is not the registered package: " + differences(records), "state " + state, "Find out who changed it. Then remove " + w.Media.Folder + " and run again: it is fetched anew."}
	}
}

// ruleLanguage: Exchange's own language is known from the inventory only; the
// host says that of Windows, which is mostly the same.
func ruleLanguage(w *Work, s seen) verdict {
	culture := s.os.Culture()
	evidence := fmt.Sprintf("inventory %s, media %s, Windows %s", w.Server.Language, w.Package.Language, culture)
	switch {
	case differ(w.Server.Language, w.Package.Language):
		return verdict{Blocker, "The media's language is not the server's", evidence, "Register media that fits the server."}
	case differ(w.Package.Language, culture):
		return verdict{
			Warning, "Windows speaks another language than the media", evidence,
			"See on the host in which language Exchange is installed; where it is not the media's, correct the inventory.",
		}
	}
	return pass("The media's language is the server's", evidence)
}

func ruleArchitecture(w *Work, s seen) verdict {
	evidence := fmt.Sprintf("inventory %s, media %s, Windows %s", w.Server.Arch, w.Package.Arch, s.arch)
	switch {
	case differ(w.Package.Arch, s.arch):
		return verdict{Blocker, "The media's architecture is not that of the host", evidence, "Correct the server's architecture in the inventory."}
	case differ(w.Server.Arch, w.Package.Arch):
		return verdict{Blocker, "The media's architecture is not the server's", evidence, "Register media that fits the server."}
	}
	return pass("The media's architecture is the host's", evidence)
}

// differ compares two words of which each may be unknown.
func differ(a, b string) bool { return a != "" && b != "" && !strings.EqualFold(a, b) }

func ruleBuild(w *Work, s seen) verdict {
	lowest, err := lowestBuild(s.roles)
	evidence := "lowest configured build " + said(lowest.String())
	switch {
	case err != nil:
		return verdict{Blocker, "A role's build cannot be read", err.Error(), "Look at the role keys of the host."}
	case lowest.IsZero():
		return verdict{Blocker, "No role of Exchange is configured on the host", evidence, "Check the server's address."}
	case lowest.Compare(w.Package.Target) > 0:
		return verdict{Blocker, "The host is newer than the package", evidence + ", package " + w.Package.Target.String(), "Take the server out of the plan."}
	}
	return pass("The package is not older than what is installed", evidence)
}

func ruleRoles(w *Work, s seen) verdict {
	evidence := list(roleNames(s.roles))
	known := map[string]bool{}
	for _, r := range w.Server.Roles {
		known[string(r)] = true
		if _, ok := s.roles[string(r)]; !ok {
			return verdict{Blocker, fmt.Sprintf("The inventory's role %s is not on the host", r), evidence, "Correct the inventory or the server's address."}
		}
	}
	for _, r := range exchange.Roles() {
		if _, ok := s.roles[string(r)]; ok && !known[string(r)] {
			return verdict{Blocker, fmt.Sprintf("The host holds the role %s, which the inventory does not know: the order would be wrong", r), evidence, "Correct the inventory and plan again."}
		}
	}
	return pass("The host holds the roles of the inventory", evidence)
}

// ruleCanary is the only proof that Setup can run under the run-as account.
func ruleCanary(w *Work, s seen) verdict {
	said := s.canary.Said
	evidence := fmt.Sprintf("user %s, elevated %s, hkcu %s, ldap %s", said["user"], said["elevated"], said["hkcu"], said["ldap"])
	switch {
	case s.canary.Trouble != "":
		return verdict{Blocker, "The run-as account could not run a task: " + s.canary.Trouble, s.canary.Trouble, cmp.Or(s.canary.Remedy, "Check "+w.RunAs.Name+": that it is not locked out, its password, and its right to log on as a batch job.")}
	case said["ldap"] != "ok" && !w.Server.Has(exchange.EdgeTransport): // an Edge server is no member of a domain
		return verdict{Blocker, "The run-as account does not reach Active Directory", evidence, "Check the account, DNS and the domain controllers."}
	case said["elevated"] != "1" || !has(strings.Split(said["sids"], ","), "S-1-5-32-544"):
		return verdict{Blocker, "The run-as account is not a local administrator with full rights", evidence, "Put " + w.RunAs.Name + " into the local Administrators group."}
	case said["hkcu"] == "" || strings.EqualFold(said["hkcu"], ".DEFAULT"):
		return verdict{Blocker, "The run-as account's own registry is not loaded in a task", evidence, "Log on once with the account, or repair its profile."}
	}
	if said["ldap"] != "ok" {
		return pass("The run-as account can run Setup: a task ran; an Edge server needs no Active Directory", evidence)
	}
	return pass("The run-as account can run Setup: a task ran, Active Directory answered", evidence)
}

// has finds a word without regard to case; an update may carry its revision
// behind it, "KB942288-v4".
func has(all []string, one string) bool {
	for _, s := range all {
		if strings.EqualFold(s, one) || len(s) > len(one) && s[len(one)] == '-' && strings.EqualFold(s[:len(one)], one) {
			return true
		}
	}
	return false
}
