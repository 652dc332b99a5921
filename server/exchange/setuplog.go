package exchange

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// LogLine is one line of ExchangeSetup.log. A line without a stamp continues
// the one before it (stack traces, script bodies).
type LogLine struct {
	Number   int    // from 1, over everything that was fed
	Text     string // the whole line, decoded
	Stamp    string // date and time as written: the culture of the account decides its order
	Depth    int    // 0 launcher, 1 task, 2 step inside a task; -1 for a continuation line
	Severity string // "error", "warning" or ""
	Message  string // what follows the stamp, the depth and the severity
}

// Verdict is what a run's last sentence says. It is one witness of four: exit
// code, registry and services must agree before an upgrade is done.
type Verdict string

// The verdicts. Localized logs may never give one.
const (
	VerdictNone    Verdict = ""
	VerdictSuccess Verdict = "success"
	VerdictFailure Verdict = "failure"
)

// LogProgress is how far the newest run in the log is.
type LogProgress struct {
	Phase       string // one of Phases, "" before anything was read
	Percent     int
	Verdict     Verdict
	VerdictText string
	Errors      []string // messages of error lines, at most 100; they do not prove a failure
	Warnings    int
	Lines       int // of the newest run
	Stamp       string
}

// LogReader reads a growing ExchangeSetup.log piece by piece. The form of 2007
// is known from two genuine lines, "[30.11.2007 17:35:15] [2] text"; the rest
// follows later products. Encodings: UTF-8, UTF-16 with a byte order mark, and
// the western ANSI page for lines that are neither.
type LogReader struct {
	raw      []byte // not yet a whole line
	sniffed  bool
	wide     binary.ByteOrder // nil for one-byte encodings
	number   int
	progress LogProgress
	phase    int
	tasks    int
}

const (
	mostLineBytes = 1 << 20
	mostErrors    = 100
)

// NewLogReader returns a reader at the beginning of a log.
func NewLogReader() *LogReader { return &LogReader{phase: -1} }

// Feed takes the next bytes of the file and returns the lines that are whole
// now. The last line stays inside until its end comes.
func (r *LogReader) Feed(b []byte) []LogLine {
	r.raw = append(r.raw, b...)
	if !r.sniffed && !r.sniff() {
		return nil
	}
	var lines []LogLine
	for {
		line, ok := r.cut()
		if !ok {
			return lines
		}
		lines = append(lines, r.line(line))
	}
}

// Pending returns the last line as far as it is written, without counting it.
func (r *LogReader) Pending() string {
	if !r.sniffed {
		return ""
	}
	return r.decode(r.raw)
}

// Progress says how far the newest run is.
func (r *LogReader) Progress() LogProgress {
	p := r.progress
	p.Errors = append([]string{}, p.Errors...)
	return p
}

func (r *LogReader) sniff() bool {
	if len(r.raw) < 4 && !bytes.Contains(r.raw, []byte("\n")) {
		return false
	}
	r.sniffed = true
	switch {
	case bytes.HasPrefix(r.raw, []byte("\xef\xbb\xbf")):
		r.raw = r.raw[3:]
	case bytes.HasPrefix(r.raw, []byte("\xff\xfe")):
		r.wide, r.raw = binary.LittleEndian, r.raw[2:]
	case bytes.HasPrefix(r.raw, []byte("\xfe\xff")):
		r.wide, r.raw = binary.BigEndian, r.raw[2:]
	case len(r.raw) >= 4 && r.raw[0] != 0 && r.raw[1] == 0 && r.raw[2] != 0 && r.raw[3] == 0:
		r.wide = binary.LittleEndian
	}
	return true
}

// cut takes one line off the front, without its end.
func (r *LogReader) cut() ([]byte, bool) {
	end, width := -1, 1
	if r.wide == nil {
		end = bytes.IndexByte(r.raw, '\n')
	} else {
		width = 2
		for i := 0; i+1 < len(r.raw); i += 2 {
			if r.wide.Uint16(r.raw[i:]) == '\n' {
				end = i
				break
			}
		}
	}
	switch {
	case end >= 0:
		line := r.raw[:end]
		r.raw = r.raw[end+width:]
		return line, true
	case len(r.raw) > mostLineBytes:
		line := r.raw[:mostLineBytes]
		r.raw = r.raw[mostLineBytes:]
		return line, true
	default:
		return nil, false
	}
}

func (r *LogReader) decode(b []byte) string {
	switch {
	case r.wide != nil:
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = r.wide.Uint16(b[2*i:])
		}
		return string(utf16.Decode(units))
	case utf8.Valid(b):
		return string(b)
	default:
		text, err := charmap.Windows1252.NewDecoder().Bytes(b)
		if err != nil {
			return strings.ToValidUTF8(string(b), "\uFFFD")
		}
		return string(text)
	}
}

// stampedLine is "[stamp] [depth] message"; a stamp holds digits and either a
// colon (2007 and all later) so that other brackets are not taken for one.
var stampedLine = regexp.MustCompile(`^\[([^\]\[]*\d[^\]\[]*:[^\]\[]*)\] \[(\d{1,2})\] ?(.*)$`)

func (r *LogReader) line(raw []byte) LogLine {
	r.number++
	text := strings.TrimRight(r.decode(raw), "\r")
	l := LogLine{Number: r.number, Text: text, Depth: -1, Message: text}
	if m := stampedLine.FindStringSubmatch(text); m != nil {
		l.Stamp, l.Message = m[1], m[3]
		if depth, err := strconv.Atoi(m[2]); err == nil {
			l.Depth = depth
		}
		switch {
		case strings.HasPrefix(l.Message, "[ERROR]"):
			l.Severity, l.Message = "error", strings.TrimSpace(l.Message[len("[ERROR]"):])
		case strings.HasPrefix(l.Message, "[WARNING]"):
			l.Severity, l.Message = "warning", strings.TrimSpace(l.Message[len("[WARNING]"):])
		}
	}
	r.follow(l)
	return l
}
