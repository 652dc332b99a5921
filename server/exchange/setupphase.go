package exchange

import (
	"bytes"
	"slices"
	"sync"
)

// phase is a stretch of Setup's work as its log shows it. The percentages are
// starting weights, not measured.
type phase struct {
	name    string
	percent int // where it begins
	markers []string
}

// phases follow the order of an upgrade. Markers are cmdlet names and fixed
// words of the engine, since other text is localized. Sources: Exchange Team
// Blog, Phases of Exchange 2007 Setup; logs of later products.
var phases = []phase{
	{"starting", 0, []string{"starting microsoft exchange", "setup version:", "logged on user:", "command line parameter name="}},
	{"copying files", 1, []string{"starting copy from", "finished copy from", "file copy complete", "copying files", "setup copy files from"}},
	{"finding roles and a domain controller", 4, []string{"domain controller '", "roles have been unpacked", "roles are installed", "installation mode is set to"}},
	{"checking prerequisites", 5, []string{"prerequisite check", "prerequisite analysis", "test-setuphealth", "test-setupprerequisites"}},
	{"preparing the directory", 10, []string{"deleteting ds object", "deleting ds object", "install-exchangeschema", "install-exchangeorganization", "initialize-domainpermissions"}},
	{"stopping services", 15, []string{"stop-setupservice", "stopping services", "stop-service"}},
	{"replacing packages", 22, []string{"uninstall-msipackage", "install-msipackage", "removing msi package", "installing a new product"}},
	{"configuring roles", 52, []string{"configuring role"}},
	{"starting services", 90, []string{"start-setupservice", "start-postsetup", "finalizing setup"}},
}

// finished is the phase after a success.
const finished = "finished"

const rolePhase = 7 // index of "configuring roles" in phases

// Phases lists the names of Setup's phases in order.
func Phases() []string {
	out := make([]string, 0, len(phases)+1)
	for _, p := range phases {
		out = append(out, p.name)
	}
	return append(out, finished)
}

// RolesPhase is the name of the phase in which roles are configured one by one.
func RolesPhase() string { return phases[rolePhase].name }

// RolesPercent is how far Setup is while it configures roles: done of total are
// configured, and part, from 0 to 1, of the next.
func RolesPercent(done, total int, part float64) int {
	begin, end := phases[rolePhase].percent, phases[rolePhase+1].percent
	if total <= 0 {
		return begin
	}
	share := (float64(done) + min(max(part, 0), 1)) / float64(total)
	return begin + int(min(max(share, 0), 1)*float64(end-begin))
}

func (run *logRun) phase() string {
	switch {
	case run.Verdict == VerdictSuccess:
		return finished
	case run.Phase < 0:
		return ""
	}
	return phases[run.Phase].name
}

// reach enters the farthest phase whose marker a line carries; a phase is
// never left backwards. The long phase of roles moves with each of its tasks.
func (run *logRun) reach(p parsed, marks mark) {
	if run.Verdict == VerdictSuccess {
		return
	}
	at := marks.phase()
	if marks.has(markBegins|markEnds) && at < rolePhase && roleTask(p.message) {
		at = rolePhase
	}
	if at > run.Phase {
		run.Phase, run.Percent = at, max(run.Percent, phases[at].percent)
	}
	if run.Phase == rolePhase && marks.has(markEnds) {
		run.Tasks++
		run.Percent = max(run.Percent, min(phases[rolePhase].percent+run.Tasks, phases[rolePhase+1].percent-1))
	}
}

// roleTask is "Beginning processing Install-MailboxRole": a verb and a role.
func roleTask(message []byte) bool {
	_, task, ok := cutFold(message, " processing ")
	if !ok {
		return false
	}
	if end := bytes.IndexByte(task, ' '); end >= 0 {
		task = task[:end]
	}
	return bytes.IndexByte(task, '-') > 0 && len(task) > 4 && bytesFold(task[len(task)-4:], "role")
}

// mark is what a line carries that moves a run on; the low bits are phases.
type mark uint32

const (
	markBanner mark = 1 << (iota + 10)
	markConsole
	markMSIBegin
	markMSIEnd
	markMSIResult
	markSuccess
	markFailure
	markResult
	markEnd
	markVersion
	markProductVersion
	markParameter
	markMode
	markRoles
	markBegins
	markEnds
	markWork
	markRecord
	markEvent
	markFailed
)

func (m mark) has(any mark) bool { return m&any != 0 }

// phase is the farthest phase among the marks, or -1.
func (m mark) phase() int {
	for i := len(phases) - 1; i >= 0; i-- {
		if m&(1<<i) != 0 {
			return i
		}
	}
	return -1
}

// markers are the texts of marks but those of phases.
var markers = []struct {
	text string
	mark mark
}{
	{"starting microsoft exchange", markBanner},
	{"unattended setup", markConsole},
	{"=== verbose logging started", markMSIBegin},
	{"=== logging started", markMSIBegin},
	{"=== verbose logging stopped", markMSIEnd},
	{"=== logging stopped", markMSIEnd},
	{"mainenginethread is returning ", markMSIResult},
	{"success or error status: ", markMSIResult},
	{"setup operation completed success", markSuccess},
	{"setup operation did", markFailure},
	{"exchange server setup encountered an error", markFailure},
	{"setup is stopping now because of one or more critical errors", markFailure},
	{"currentresult setupbase.maincore:", markResult},
	{"end of setup", markEnd},
	{"setup version:", markVersion},
	{"productversion =", markProductVersion},
	{"parameter name='", markParameter},
	{"mode is set to: '", markMode},
	{"roles are installed:", markRoles},
	{"roles have been unpacked:", markRoles},
	{"beginning processing ", markBegins},
	{"ending processing ", markEnds},
	{"completed", markWork},
	{"copying files", markWork},
	{"prerequisite check", markWork},
	{"msi (s) (", markWork},
	{"msi (c) (", markWork},
	{"errorrecord:", markRecord},
	{"event type: error", markEvent},
	{"failed", markFailed},
}

// owned says to what the text of a number belongs: a mark, or rules.
type owned struct {
	mark  mark
	rules []int
}

type vocabulary struct {
	*literals
	owners []owned
}

// lookedFor is all that is looked for in a line, built at its first use.
var lookedFor = sync.OnceValue(func() vocabulary {
	var texts []string
	var owners []owned
	number := map[string]int{}
	add := func(text string) *owned {
		i, ok := number[text]
		if !ok {
			i = len(texts)
			number[text] = i
			texts, owners = append(texts, text), append(owners, owned{})
		}
		return &owners[i]
	}
	for i, p := range phases {
		for _, text := range p.markers {
			add(text).mark |= 1 << i
		}
	}
	for _, m := range markers {
		add(m.text).mark |= m.mark
	}
	for i, rule := range knownErrors {
		for _, text := range slices.Concat(rule.Any, rule.Contexts) {
			o := add(text)
			if !slices.Contains(o.rules, i) {
				o.rules = append(o.rules, i)
			}
		}
	}
	return vocabulary{newLiterals(texts), owners}
})

func marksOf(hits []uint16) mark {
	var marks mark
	owners := lookedFor().owners
	for _, h := range hits {
		marks |= owners[h].mark
	}
	return marks
}
