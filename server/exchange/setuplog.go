package exchange

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
)

// LogLine is one line of ExchangeSetup.log. A line without a stamp continues
// the one before it (stack traces, script bodies).
type LogLine struct {
	Number   int    // from 1, over everything that was fed
	Text     string // the whole line, decoded; at most 64 kB of it
	Stamp    string // date and time as written: the culture of the account decides its order
	Depth    int    // 0 launcher, 1 task, 2 step inside a task; -1 for a continuation line
	Severity string // "error", "warning" or ""
	Message  string // what follows the stamp, the depth and the severity
}

// Verdict is what a log says of a run. It is one witness of several: exit code,
// registry and services must agree before an upgrade is done.
type Verdict string

// The verdicts. LogReader.Progress gives the first three only, from the last
// sentence of the newest run; a localized log may never give one.
const (
	VerdictNone        Verdict = ""
	VerdictSuccess     Verdict = "succeeded"
	VerdictFailure     Verdict = "failed"
	VerdictRunning     Verdict = "running"
	VerdictInterrupted Verdict = "interrupted"
	VerdictUnknown     Verdict = "unknown"
)

// LogProgress is how far the newest run in the log is.
type LogProgress struct {
	Phase       string // one of Phases, "" before anything was read
	Percent     int
	Verdict     Verdict
	VerdictText string
	Errors      []LogError // see LogReport
	Warnings    int
	Lines       int // of the newest run
	Stamp       string
}

// LogReader reads a growing log of Setup piece by piece: ExchangeSetup.log, the
// verbose log of Windows Installer (.msilog), Setup's output on a console, the
// step lists that it generates, texts of events. Of ExchangeSetup.log of 2007 two
// genuine lines are known, "[30.11.2007 17:35:15] [2] text"; the rest follows
// later products. Reading costs only the new bytes, and the same whatever the
// pieces: at most one line and a few hundred kilobytes are held.
type LogReader struct {
	cutter lineCutter
	state  logState
	hits   []uint16
}

// logState is all that a reader knows, so that it can be put away and taken up again.
type logState struct {
	Number int    `json:"number"`
	Runs   int    `json:"runs"`
	Run    logRun `json:"run"`
	Dates  dates  `json:"dates"`
	Steps  Steps  `json:"steps"`
}

// NewLogReader returns a reader at the beginning of a log.
func NewLogReader() *LogReader { return &LogReader{state: logState{Run: newRun()}} }

// Feed takes the next bytes of the file and returns the lines that are whole
// now. The last line stays inside until its end comes.
func (r *LogReader) Feed(b []byte) []LogLine {
	var lines []LogLine
	r.cutter.cut(b, func(text []byte) { lines = append(lines, r.line(text).line(r.state.Number)) })
	return lines
}

// Write takes the next bytes as Feed does, without making lines of them: this
// is for reading large files. It never fails.
func (r *LogReader) Write(b []byte) (int, error) {
	r.cutter.cut(b, func(text []byte) { r.line(text) })
	return len(b), nil
}

// Pending returns the last line as far as it is written, without counting it.
func (r *LogReader) Pending() string {
	if !r.cutter.sniffed {
		return ""
	}
	text, _ := r.cutter.rest()
	return string(text)
}

// Close takes a last line without an end as a line: the file is whole.
func (r *LogReader) Close() {
	if text, ok := r.cutter.rest(); ok {
		r.line(text)
		r.cutter.raw, r.cutter.seen = r.cutter.raw[:0], 0
	}
}

// Progress says how far the newest run is.
func (r *LogReader) Progress() LogProgress {
	run := &r.state.Run
	return LogProgress{
		Phase: run.phase(), Percent: run.Percent, Verdict: run.Verdict, VerdictText: run.Sentence,
		Errors: run.errors(), Warnings: run.Warnings, Lines: run.Lines, Stamp: string(run.Last.Text),
	}
}

// saved is a reader as Save puts it away.
type saved struct {
	State logState `json:"state"`
	Raw   []byte   `json:"raw,omitempty"`
	Wide  string   `json:"wide,omitempty"`
	Sniff bool     `json:"sniffed"`
}

// Save puts the reader away as text, at most some ten kilobytes and the unended
// line, so that another process goes on with ResumeLogReader.
func (r *LogReader) Save() (string, error) {
	s := saved{State: r.state, Raw: r.cutter.raw, Sniff: r.cutter.sniffed}
	switch r.cutter.wide {
	case binary.LittleEndian:
		s.Wide = "le"
	case binary.BigEndian:
		s.Wide = "be"
	}
	text, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("put the log's reader away: %w", err)
	}
	return string(text), nil
}

// ResumeLogReader goes on where a reader was put away. An empty text is a new one.
func ResumeLogReader(text string) (*LogReader, error) {
	r := NewLogReader()
	if text == "" {
		return r, nil
	}
	var s saved
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("take the log's reader up again: %w", err)
	}
	r.state = s.State
	r.cutter.raw, r.cutter.sniffed = s.Raw, s.Sniff
	switch s.Wide {
	case "le":
		r.cutter.wide = binary.LittleEndian
	case "be":
		r.cutter.wide = binary.BigEndian
	}
	return r, nil
}

// parsed is one line taken apart; its slices live until the next line.
type parsed struct {
	text, stamp, message []byte
	when                 moment
	depth                int
	severity             severity
}

type severity int

const (
	plainLine severity = iota
	warningLine
	errorLine
	referenceLine // names the step of the error before it
)

// tokens are never localized. Those of prerequisites stand in later products,
// one of them written wrongly.
var tokens = []struct {
	text     string
	severity severity
}{
	{"[ERROR]", errorLine},
	{"[ERROR-REFERENCE]", referenceLine},
	{"[REQUIRED]", errorLine},
	{"[WARNING]", warningLine},
	{"[RECOM" + "ENDED]", warningLine},
	{"[RECOMMENDED]", warningLine},
}

func (r *LogReader) line(text []byte) parsed {
	r.state.Number++
	p := parsed{text: text, depth: -1, message: text}
	if s, ok := takeApart(text); ok {
		p.stamp, p.when, p.depth, p.message = s.stamp, s.when, s.depth, s.message
	}
	if message := bytes.TrimLeft(p.message, " \t"); len(message) > 0 && message[0] == '[' {
		for _, t := range tokens {
			if rest, ok := bytes.CutPrefix(message, []byte(t.text)); ok {
				p.severity, p.message = t.severity, bytes.TrimSpace(rest)
				break
			}
		}
	}
	r.follow(p)
	return p
}

func (p parsed) line(number int) LogLine {
	l := LogLine{Number: number, Text: string(p.text), Stamp: string(p.stamp), Depth: p.depth, Message: strings.ToValidUTF8(string(p.message), "\uFFFD")}
	switch p.severity {
	case errorLine:
		l.Severity = "error"
	case warningLine:
		l.Severity = "warning"
	case plainLine, referenceLine:
	}
	return l
}
