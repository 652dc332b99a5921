//go:build !race

package runbook_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
)

// snapshot is a whole simulated host in a comparable form: what it is by name.
//
//	service MSExchangeIS       Running Auto
//	needs MSExchangeIS         MSExchangeSA
//	registry hklm\...\state    146432
//	file c:\...\globcfg.xml    the beginning of its SHA-256
//	task wk-test-u17-setup-1   the account that it is registered with
//	exchange um                Enabled
//	um pack de-DE              installed
//	secret file c:\...         where a password is found
type snapshot map[string]string

// shot is a host as it really is.
func shot(t *testing.T, fleet *twin.Fleet, host string) snapshot {
	t.Helper()
	in, err := fleet.Inspect(host)
	if err != nil {
		t.Fatal(err)
	}
	s := snapshot{}
	for name, state := range in.Services {
		s["service "+name] = state
	}
	for name, on := range in.Needs {
		s["needs "+name] = on
	}
	for name, value := range in.Registry {
		if ofService.MatchString(name) {
			continue // a service's own
		}
		s["registry "+name] = value
		if _, culture, ok := strings.Cut(name, `\unifiedmessagingrole\languagepacks\`); ok {
			s["um pack "+culture] = "installed"
		}
		if hides(value) {
			s["secret registry "+name] = "found"
		}
	}
	for path, data := range in.Contents {
		s["file "+path] = fmt.Sprintf("%.6x", sha256.Sum256([]byte(data)))
		if hides(data) {
			s["secret file "+path] = "found"
		}
	}
	for name, account := range in.Accounts {
		s["task "+name] = account
		if account != "" {
			s["secret task "+name] = "the scheduler keeps the password of " + account
		}
	}
	for name, value := range in.Exchange {
		s["exchange "+name] = value
	}
	return s
}

var ofService = regexp.MustCompile(`^hklm\\system\\currentcontrolset\\services\\[^\\]+\\(start|objectname|imagepath|dependonservice)$`)

// hides reports whether a password is in a text, in any of the forms in which it is
// sent.
func hides(text string) bool {
	for _, secret := range []string{runasPass, password} {
		var wide []byte
		for _, u := range utf16.Encode([]rune(secret)) {
			wide = binary.LittleEndian.AppendUint16(wide, u)
		}
		for _, form := range []string{
			secret, string(wide), base64.StdEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString(wide),
			strings.ReplaceAll(secret, "%", "%%"),
		} {
			if strings.Contains(text, form) {
				return true
			}
		}
	}
	return false
}

// What happened to a host, by its own journal and not by what the runbook believes.
const (
	always   = ""
	bySetup  = "Setup or a patch began to change Exchange" // Setup /mode:Upgrade, /UpgradeCms, msiexec /p
	byPatch  = "Windows Installer installed an update rollup"
	byPacks  = "Setup took language packs out or in"
	byPrep   = "Setup prepared the organization"
	byBroken = "Setup did not come to its end"
	whileDue = "a person has to decide"

	wentThrough = "the attempt came to its end" // then nothing may only be said
	cutShort    = "the attempt did not"

	ofCluster = "the host is a node of a cluster"
)

// mayDiffer is everything of a host that an upgrade may leave otherwise than it was,
// each with the reason; what is not in it has to be as it was.
var mayDiffer = []struct {
	what  string // of a snapshot's names
	after string // only where this happened
	why   string
}{
	{`^file c:\\exchangesetuplogs\\`, bySetup, "Setup's own logs"},
	{`^file c:\\exchangesetuplogs\\`, byPacks, "Setup's own logs"},
	{`^file c:\\exchangesetuplogs\\`, byPrep, "Setup's own logs"},

	{`^registry hklm\\software\\microsoft\\exchange\\v8\.0\\\w+\\(configured|unpacked)version$`, bySetup, "the level of each role: what is upgraded"},
	{`^registry hklm\\software\\microsoft\\exchange\\v8\.0\\setup\\(msi(productminor|buildmajor|buildminor)|newestbuild)$`, bySetup, "the level of the product"},
	{`^file c:\\program files\\microsoft\\exchange server\\bin\\(exsetup\.exe|setup\.com)$`, bySetup, "Exchange's programs"},
	{`^file c:\\program files\\microsoft\\exchange server\\bin\\(globcfg|umrecyclerconfig)\.xml$`, bySetup, "Setup overwrites Unified Messaging's configuration (the founding document): step um-config shows what differs, a person re-applies it"},
	{`^file c:\\program files\\microsoft\\exchange server\\bin\\edgetransport\.exe\.config$`, bySetup, "Setup overwrites it (KB944752): step um-config shows what differs"},
	{`^file c:\\program files\\microsoft\\exchange server\\clientaccess\\popimap\\microsoft\.exchange\.(pop3|imap4)\.exe\.config$`, bySetup, "Setup overwrites them; from SP1 on what counts is in Active Directory, and compared as exchange pop3 login"},
	{`^file c:\\program files\\microsoft\\exchange server\\clientaccess\\owa\\`, bySetup, "each level brings pages and themes of its own (KB935490)"},

	{`^registry hklm\\software\\microsoft\\exchange\\v8\.0\\unifiedmessagingrole\\languagepacks\\`, byPacks, "the product codes of the new level; that the packs are there is compared as um pack"},
	{`^registry hklm\\software\\microsoft\\windows\\currentversion\\uninstall\\\{[0-9a-f-]+\}\\displayversion$`, byPacks, "Windows Installer's own, of the language packs"},

	{`^registry hklm\\software\\microsoft\\exchange\\v8\.0\\\w+\\(action|watermark)$`, byBroken, "where Setup broke: cleared by a person's decision only"},

	{`^registry hklm\\system\\currentcontrolset\\control\\session manager\\pendingfilerenameoperations$`, cutShort, "Setup wants a restart, and the attempt ended before that step; a later one, and preflight, see it"},

	{`^exchange (level |pop3 login$|imap4 login$)`, whileDue, "Setup reset it; step settings-back, or the end of the attempt, sets it back once a person decided"},
	{`^registry hklm\\system\\currentcontrolset\\services\\msexchangeis\\parameterssystem\\enable remote streaming backup$`, whileDue, "the same"},

	{`^file c:\\wavekeeper\\tasks\\`, whileDue, "what the tasks left is kept until then"},
	{`^file c:\\windows\\tasks\\wk-.*\.job$|^task wk-`, whileDue, "the same; none may hold a password"},
	{`^service (MSExchange|ADAM_MSExchange|EdgeCredentialSvc|MSSpeechService|msftesql|W3SVC|IISADMIN)`, whileDue, "Setup stopped it and broke: put back once a person decided"},

	{`^service MSExchange(SA|IS|Search)$`, ofCluster, "it runs where the cluster has the server"},
	{`^registry hklm\\software\\microsoft\\exchange\\v8\.0\\clusteredmailboxserver\\`, bySetup, "the level of the clustered mailbox server"},
	{`^registry hklm\\software\\microsoft\\windows\\currentversion\\installer\\.*\\patches\\`, byPatch, "Windows Installer's list of patches"},
	{`^file c:\\windows\\installer\\\w+\.msp$`, byPatch, "the package that Windows Installer keeps of a patch"},
}

var mayDifferBy = func() []*regexp.Regexp {
	var all []*regexp.Regexp
	for _, d := range mayDiffer {
		all = append(all, regexp.MustCompile(d.what))
	}
	return all
}()

// happenedTo is what the journal says of a host.
func happenedTo(t *testing.T, journal *syncBuffer, host string) map[string]bool {
	t.Helper()
	all := map[string]bool{always: true}
	begun := 0
	for _, e := range journal.entries(t) {
		if e.Host != host {
			continue
		}
		command := strings.ToLower(fmt.Sprint(e.Detail["command"]))
		switch {
		case e.What == "rollup-started":
			all[bySetup], all[byPatch] = true, true
			begun++
		case e.What == "setup-started" && (strings.Contains(command, "/mode:upgrade") || strings.Contains(command, "/upgradecms")):
			all[bySetup] = true
			begun++
		case e.What == "setup-started" && strings.Contains(command, "umlanguagepack"):
			all[byPacks] = true
			begun++
		case e.What == "setup-started":
			all[byPrep] = true
			begun++
		case (e.What == "setup-ended" || e.What == "rollup-ended") && (fmt.Sprint(e.Detail["exit"]) == "0" || fmt.Sprint(e.Detail["exit"]) == "3010"):
			begun--
		}
	}
	all[byBroken] = begun > 0
	return all
}

// differences are what is otherwise than before and may not be: nothing allows it,
// and no open entry of the ledger says that it is still to be put back.
func (s snapshot) differences(now snapshot, happened map[string]bool, open []runbook.Entry) []string {
	var all []string
	names := slices.Collect(maps.Keys(s))
	for name := range now {
		if _, had := s[name]; !had {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		was, had := s[name]
		is, has := now[name]
		streams := strings.HasSuffix(name, `\parameterssystem\enable remote streaming backup`) && happened[ofCluster] && is == "1" // allowed on every node of a CCR before the first is begun, for good, so that a copy can be seeded
		if was == is && had == has || streams || allowed(name, happened) || slices.ContainsFunc(open, func(e runbook.Entry) bool { return explains(e, name) }) {
			continue
		}
		all = append(all, fmt.Sprintf("%s: was %s, is %s", name, orNothing(was, had), orNothing(is, has)))
	}
	return all
}

func orNothing(s string, there bool) string {
	if !there {
		return "not there"
	}
	return fmt.Sprintf("%q", s)
}

func allowed(name string, happened map[string]bool) bool {
	for i, d := range mayDiffer {
		if happened[d.after] && mayDifferBy[i].MatchString(name) {
			return true
		}
	}
	return false
}

// said reports whether a deviation, which every page of the upgrade shows, names what
// is otherwise: a language pack that was taken out for a Setup which then broke, and
// settings that a half-upgraded server has no cmdlets for. For all else to be said is
// not enough.
func said(deviations []string, name string) bool {
	kind, of, _ := strings.Cut(name, " ")
	words := ""
	switch {
	case kind == "um":
		words = "language " + of
	case kind == "exchange" && strings.HasSuffix(of, " login"):
		words = strings.TrimSuffix(of, " login") + " logs on by"
	case kind == "exchange" && strings.HasPrefix(of, "level "):
		words = "event-log " + strings.Replace(of, "level ", "level of ", 1)
	}
	return words != "" && slices.ContainsFunc(deviations, func(d string) bool { return strings.Contains(strings.ToLower(d), strings.ToLower(words)) })
}

// explains reports whether an open entry is about what is otherwise.
func explains(e runbook.Entry, name string) bool {
	kind, of, _ := strings.Cut(name, " ")
	switch e.Kind {
	case runbook.ServiceEntry, runbook.PausedEntry:
		return kind == "service" && strings.EqualFold(of, e.Name)
	case runbook.RevocationEntry:
		return kind == "registry" && strings.Contains(of, `software publishing\state`)
	case runbook.UMEntry:
		return name == "exchange um"
	case runbook.UMPackEntry:
		return strings.EqualFold(name, "um pack "+e.Name)
	case runbook.ForefrontEntry:
		return kind == "needs" || kind == "service" && (strings.HasPrefix(of, "FS") || strings.HasPrefix(of, "MSExchange"))
	case runbook.ClusterEntry:
		return slices.Contains([]string{"service MSExchangeSearch", "service MSExchangeIS", "service MSExchangeSA"}, name)
	}
	return false
}

// asBefore fails where a host does not come to be as it was, but for what an upgrade
// may leave otherwise, for what is still open and, where Setup broke, for what is said:
// services that start are waited for.
func asBefore(t *testing.T, when string, fleet *twin.Fleet, journal *syncBuffer, host string, before snapshot, book *book, more ...string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; pause(context.Background(), 20*time.Millisecond) {
		happened := happenedTo(t, journal, host)
		for _, m := range more {
			happened[m] = true
		}
		happened[cutShort] = happened[bySetup] && !happened[wentThrough]
		all := before.differences(shot(t, fleet, host), happened, book.open())
		if (happened[byBroken] || happened[byPacks]) && !happened[wentThrough] {
			all = slices.DeleteFunc(all, func(d string) bool {
				name, _, _ := strings.Cut(d, ": was ")
				return said(book.deviations, name)
			})
		}
		if len(all) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s: %s is otherwise than before:\n\t%s", when, host, strings.Join(all, "\n\t"))
			return
		}
	}
}
