package exchange

import (
	"regexp"
	"strings"
)

// phase is a stretch of Setup's work as its log shows it. The percentages are
// starting weights, not measured.
type phase struct {
	name    string
	percent int // where it begins
	marker  *regexp.Regexp
}

// phases follow the order of an upgrade. Markers are cmdlet names and fixed
// words of the engine, since other text is localized.
var phases = []phase{
	{"starting", 0, regexp.MustCompile(`(?i)^Starting Microsoft Exchange|Setup version:|Logged on user:|Command Line Parameter Name=`)},
	{"copying files", 1, regexp.MustCompile(`(?i)Starting copy from|Finished copy from|File copy complete|Copying files`)},
	{"finding roles and a domain controller", 4, regexp.MustCompile(`(?i)domain controller '|roles have been unpacked|roles are installed|installation mode is set to`)},
	{"checking prerequisites", 5, regexp.MustCompile(`(?i)Prerequisite Check|Test-SetupHealth|Test-SetupPrerequisites`)},
	{"preparing the directory", 10, regexp.MustCompile(`(?i)Deleteting DS object|Deleting DS object|\bPrepareAD\b|install-ExchangeSchema`)},
	{"stopping services", 15, regexp.MustCompile(`(?i)stop-SetupService|Stopping Services|stop-service`)},
	{"replacing packages", 22, regexp.MustCompile(`(?i)uninstall-MsiPackage|install-MsiPackage|Removing MSI package|Installing a new product`)},
	{"configuring roles", 52, regexp.MustCompile(`(?i)(Beginning|Ending) processing \S+-\w+Role\b|Configuring role`)},
	{"starting services", 90, regexp.MustCompile(`(?i)start-SetupService|Start-PostSetup|Finalizing Setup|Restoring Services`)},
}

// finished is the phase after a verdict.
const finished = "finished"

// Phases lists the names of Setup's phases in order.
func Phases() []string {
	out := make([]string, 0, len(phases)+1)
	for _, p := range phases {
		out = append(out, p.name)
	}
	return append(out, finished)
}

var (
	banner     = regexp.MustCompile(`(?i)^Starting Microsoft Exchange.*Setup`)
	succeeded  = regexp.MustCompile(`(?i)Exchange Server setup operation completed successfully`)
	notToEnd   = regexp.MustCompile(`(?i)setup operation (did not|didn't|didn’t) complete|Exchange Server setup encountered an error`)
	roleConfig = 7 // index of "configuring roles" in phases
)

// follow moves the progress on by one line. A banner begins a new run: the log
// is appended to.
func (r *LogReader) follow(l LogLine) {
	if banner.MatchString(l.Message) {
		r.progress, r.phase, r.tasks = LogProgress{}, -1, 0
	}
	p := &r.progress
	p.Lines++
	if l.Stamp != "" {
		p.Stamp = l.Stamp
	}
	switch l.Severity {
	case "error":
		if len(p.Errors) < mostErrors {
			p.Errors = append(p.Errors, l.Message)
		}
	case "warning":
		p.Warnings++
	}
	switch {
	case succeeded.MatchString(l.Message):
		r.end(VerdictSuccess, l.Message)
	case notToEnd.MatchString(l.Message):
		r.end(VerdictFailure, l.Message)
	default:
		r.reach(l.Message)
	}
}

func (r *LogReader) end(v Verdict, sentence string) {
	p := &r.progress
	p.Verdict, p.VerdictText = v, strings.TrimSpace(sentence)
	if v == VerdictSuccess {
		p.Phase, p.Percent = finished, 100
	}
}

// reach enters the farthest phase whose marker a line carries; a phase is
// never left backwards. The long phase of roles moves with each of its tasks.
func (r *LogReader) reach(message string) {
	if r.progress.Verdict == VerdictSuccess {
		return
	}
	for i := len(phases) - 1; i > r.phase; i-- {
		if phases[i].marker.MatchString(message) {
			r.phase = i
			r.progress.Phase, r.progress.Percent = phases[i].name, max(r.progress.Percent, phases[i].percent)
			break
		}
	}
	if r.phase == roleConfig && strings.Contains(message, "Ending processing") {
		r.tasks++
		r.progress.Percent = max(r.progress.Percent, min(phases[roleConfig].percent+r.tasks, phases[roleConfig+1].percent-1))
	}
}
