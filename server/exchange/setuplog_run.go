package exchange

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// logRun is one run of Setup as its lines tell it.
type logRun struct {
	Counted  bool     `json:"counted"`          // something of a run was seen
	Banner   bool     `json:"banner,omitempty"` // its beginning was seen
	Kind     string   `json:"kind,omitempty"`
	Mode     string   `json:"mode,omitempty"`
	Task     bool     `json:"task,omitempty"` // the mode is a task of the command line, such as PrepareSchema
	Build    string   `json:"build,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	Phase    int      `json:"phase"` // index in phases, -1 = none
	Percent  int      `json:"percent"`
	Tasks    int      `json:"tasks,omitempty"`
	Verdict  Verdict  `json:"verdict,omitempty"`
	Sentence string   `json:"sentence,omitempty"`
	Finished bool     `json:"finished,omitempty"`
	Lines    int      `json:"lines"`
	Warnings int      `json:"warnings,omitempty"`
	Marked   int      `json:"marked,omitempty"` // lines marked as errors
	First    span     `json:"first"`
	Last     span     `json:"last"`
	Known    []known  `json:"known,omitempty"`
	Block    block    `json:"block"`
	Seen     []string `json:"seen,omitempty"` // contexts of rules that were met
	Stars    int      `json:"stars,omitempty"`
	Boxed    bool     `json:"boxed,omitempty"`
	Recent   []string `json:"recent,omitempty"` // the last lines, of Windows Installer's logs only
}

// span is one moment as written and in both readings.
type span struct {
	Text  []byte  `json:"text,omitempty"`
	Day   reading `json:"day"`
	Month reading `json:"month"`
}

func newRun() logRun { return logRun{Phase: -1} }

// The kinds of logs, by their first lines.
const (
	kindSetup   = "setup"
	kindMSI     = "msi"
	kindConsole = "console"
	kindEvents  = "events"
	kindSteps   = "steps"
)

// follow moves the newest run on by one line.
func (r *LogReader) follow(p parsed) {
	s := &r.state
	if s.Number == 1 && len(p.text) > 0 && p.text[0] == '#' && !bytes.HasPrefix(p.text, []byte("# [ID")) {
		return // a heading that somebody wrote over the log
	}
	r.hits = lookedFor().in(p.text, r.hits[:0])
	marks := marksOf(r.hits)
	r.begin(p, marks)
	run := &s.Run
	run.Lines++
	r.when(p)
	if p.severity == warningLine {
		run.Warnings++
	}
	if p.severity == errorLine {
		run.Marked++
	}
	if len(p.text) > 0 && p.text[0] == '#' && s.Steps.read(p.text) {
		run.kind(kindSteps)
	}
	r.ends(p, marks)
	run.describe(p, marks)
	run.reach(p, marks)
	if run.Kind == "" && (bytes.HasPrefix(p.text, []byte("MSI (s) (")) || bytes.HasPrefix(p.text, []byte("MSI (c) ("))) {
		run.kind(kindMSI) // whatever the language of its first line
	}
	inBlock := run.block(p, s.Number, marks)
	run.recognise(p, s.Number, r.hits, inBlock)
	if run.Kind == kindMSI {
		run.Recent = append(run.Recent, clipped(p.text))
		if len(run.Recent) > 6 {
			run.Recent = slices.Delete(run.Recent, 0, 1)
		}
	}
}

func (run *logRun) kind(k string) {
	if run.Kind == "" {
		run.Kind = k
	}
}

// begin opens a new run where a line is the first of one: at Setup's banner in
// English, at a heading between two lines of stars in any language, at the
// beginning of Windows Installer's log, at the console's first line.
func (r *LogReader) begin(p parsed, marks mark) {
	run := &r.state.Run
	stars := p.depth == 0 && starred(p.message)
	heading := stars && run.Boxed && run.Stars == 1
	switch {
	case stars:
		run.Boxed, run.Stars = true, 0
	case run.Boxed:
		run.Stars++
	}
	message := bytes.TrimSpace(p.message)
	banner := false
	switch {
	case marks.has(markBanner) && bytesFold(message, "starting microsoft exchange"):
		banner = true
		run.Boxed = false // the second line of stars is this banner's
	case marks.has(markConsole) && p.depth < 0 && (bytesFold(message, "microsoft exchange") || bytesFold(message, "welcome to microsoft exchange")):
		banner = true
	case marks.has(markMSIBegin):
		banner = true
	case heading && !run.Banner && run.Lines <= 2:
		run.Banner = true // a heading in another language, the first of the file
	case heading:
		banner = true
	}
	if !banner {
		if !run.Counted && !stars && (p.depth >= 0 || marks.has(markWork|markSuccess|markFailure)) {
			run.Counted = true
			r.state.Runs++
		}
		if p.depth >= 0 {
			run.kind(kindSetup)
		}
		return
	}
	boxed, count := run.Boxed, run.Stars
	r.state.Run = newRun()
	run = &r.state.Run
	run.Boxed, run.Stars = boxed, count
	run.Counted, run.Banner = true, true
	r.state.Runs++
	switch {
	case marks.has(markMSIBegin):
		run.kind(kindMSI)
		r.msiTime(p.text)
	case p.depth >= 0:
		run.kind(kindSetup)
	default:
		run.kind(kindConsole)
	}
}

// starred is a line of many stars, as the launcher draws them around its banner.
func starred(message []byte) bool {
	const many = 30
	message = bytes.TrimSpace(message)
	if len(message) < many {
		return false
	}
	for _, b := range message {
		if b != '*' {
			return false
		}
	}
	return true
}

// when takes in a line's moment.
func (r *LogReader) when(p parsed) {
	if p.stamp == nil {
		return
	}
	r.moment(p.when, p.stamp)
}

func (r *LogReader) moment(m moment, text []byte) {
	run := &r.state.Run
	at := span{Text: append(run.Last.Text[:0], text...)} // the same bytes for each line
	at.Day, at.Month = m.seconds()
	d := &r.state.Dates
	if at.Day.OK || at.Month.OK {
		d.Exact = d.Exact || m.exact()
		d.Points = d.Points || m.points
		d.Hours = d.Hours || m.yearFirst()
		d.Day.follow(at.Day)
		d.Month.follow(at.Month)
	}
	if run.First.Text == nil {
		run.First = at
		run.First.Text = bytes.Clone(text)
	}
	run.Last = at
}

// msiTime reads the moment of "=== Verbose logging started: 30.11.2007  17:35:15  Build type".
func (r *LogReader) msiTime(text []byte) {
	_, rest, ok := bytes.Cut(text, []byte("ed: "))
	if !ok {
		return
	}
	if end := bytes.Index(rest, []byte("Build type")); end >= 0 {
		rest = rest[:end]
	}
	rest = bytes.TrimSpace(bytes.TrimRight(rest, "= "))
	if len(rest) > mostStamp {
		return
	}
	var m moment
	if m.read(rest) >= 5 {
		r.moment(m, rest)
	}
}

// ends takes the verdict from final sentences and, where there is none, from
// result codes. The last sentence of a run decides; "did not complete" and
// "is stopping now" stand against a result code of 0, and against COMPLETED.
func (r *LogReader) ends(p parsed, marks mark) {
	run := &r.state.Run
	message := bytes.TrimSpace(p.message)
	switch {
	case marks.has(markSuccess) && nearFront(message, "exchange server setup operation completed success"):
		run.end(VerdictSuccess, message)
	case marks.has(markFailure) && nearFront(message, failures...):
		run.end(VerdictFailure, message)
	case marks.has(markResult) && run.Sentence == "":
		if code, ok := codeAfter(message, ": "); ok && code != 0 {
			run.Verdict = VerdictFailure
		}
	case marks.has(markMSIResult):
		code, ok := codeAfter(message, " ")
		if !ok {
			break
		}
		run.kind(kindMSI)
		switch code {
		case 0, 3010, 1641: // done; done and a restart is wanted; done and a restart was begun
			run.end(VerdictSuccess, message)
		default:
			run.end(VerdictFailure, message)
		}
	case marks.has(markMSIEnd):
		r.msiTime(p.text)
	}
	if marks.has(markEnd) && bytesFold(message, "end of setup") {
		run.Finished, run.Boxed = true, false
	}
}

// failures are the sentences of a run that came to nothing; the first with each
// apostrophe that was seen.
var failures = []string{
	"setup operation did not complete", "setup operation didn't complete", "setup operation didn’t complete",
	"exchange server setup encountered an error", "setup is stopping now because of one or more critical errors",
}

// nearFront reports one of the texts at the front of a message, but for "The
// Microsoft ": what is quoted further on is no sentence of this run.
func nearFront(message []byte, texts ...string) bool {
	const article = len("The Microsoft Exchange Server ")
	front := message
	for _, t := range texts {
		if most := article + len(t); len(front) > most {
			front = message[:most]
		} else {
			front = message
		}
		if i := bytes.Index(bytes.ToLower(front), []byte(t)); i >= 0 {
			return true
		}
	}
	return false
}

// codeAfter is the whole number at the end of a message, after the last of sep.
func codeAfter(message []byte, sep string) (int, bool) {
	i := bytes.LastIndex(message, []byte(sep))
	if i < 0 {
		return 0, false
	}
	code, err := strconv.Atoi(string(bytes.TrimRight(bytes.TrimSpace(message[i+len(sep):]), ".")))
	return code, err == nil
}

func (run *logRun) end(v Verdict, sentence []byte) {
	run.Verdict, run.Sentence = v, clipped(sentence)
	if v == VerdictSuccess {
		run.Percent = 100
	}
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if len(word) > 40 {
		word = word[:40]
	}
	return strings.ToValidUTF8(strings.TrimRight(word, "."), "")
}

// bytesFold reports whether a text begins with an ASCII text, without regard to case.
func bytesFold(text []byte, front string) bool {
	return len(text) >= len(front) && strings.EqualFold(string(text[:len(front)]), front)
}

// cutFold cuts around the first place of an ASCII text, without regard to case.
func cutFold(text []byte, sep string) (before, after []byte, found bool) {
	for i := 0; i+len(sep) <= len(text); i++ {
		if lower(text[i]) == sep[0] && bytesFold(text[i:], sep) {
			return text[:i], text[i+len(sep):], true
		}
	}
	return text, nil, false
}

// clipped is a line as it is quoted.
func clipped(line []byte) string {
	const most = 500
	line = bytes.TrimSpace(line)
	if len(line) > most {
		return strings.ToValidUTF8(string(line[:most]), "") + "…"
	}
	return strings.ToValidUTF8(string(line), "\uFFFD")
}
