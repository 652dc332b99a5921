package exchange

import (
	"bytes"
	"slices"
	"strings"
)

// LogError is an error of the newest run in a log: a known one, or the last
// block of lines that is marked as an error and none that is known.
type LogError struct {
	Line   int    `json:"line"` // from 1, of the file
	Text   string `json:"text"` // the quoted line; of an unknown error its lines
	Rule   string `json:"rule"` // of KnownErrors; empty = not known
	Remedy string `json:"remedy"`
}

// known is a known error that was met.
type known struct {
	Line int    `json:"line"`
	Text string `json:"text"`
	Rule string `json:"rule"`
}

// block is the newest stretch of lines that are marked as errors, with the
// lines that continue them.
type block struct {
	Line  int      `json:"line,omitempty"`
	Lines []string `json:"lines,omitempty"`
	Bytes int      `json:"bytes,omitempty"`
	Open  bool     `json:"open,omitempty"`
	// Marked is a block with a token of an error. One that only repeats an error
	// record of a cmdlet is quoted when there is no other: most of them are none.
	Marked bool `json:"marked,omitempty"`
	Known  bool `json:"known,omitempty"`
}

// Bounds of what is quoted.
const (
	mostKnown      = 20
	mostBlockLines = 30
	mostBlockBytes = 4 << 10
)

// block takes a line into the newest block of errors where it belongs to it, and
// reports whether that is marked as an error.
func (run *logRun) block(p parsed, number int, marks mark) (inside bool) {
	b := &run.Block
	begins := p.severity == errorLine || marks.has(markEvent) || run.returned(p)
	if marks.has(markFailed) && p.depth < 0 && run.Kind == kindConsole {
		begins = begins || bytes.HasSuffix(bytes.TrimSpace(p.text), []byte("FAILED"))
	}
	record := marks.has(markRecord) && p.depth >= 0 && !begins
	switch {
	case record && b.Open && !b.Marked, record && !b.Open:
		if !b.Open {
			*b = block{Line: number, Open: true}
		}
	case begins && !b.Open && run.Kind == kindMSI && b.Marked: // the first names the cause, those after it are of what called it
	case begins && !b.Open:
		*b = block{Line: number, Open: true, Marked: true}
		if run.Kind == kindMSI {
			b.Line -= len(run.Recent)
			for _, line := range run.Recent {
				b.add(line)
			}
		}
	case begins:
		b.Marked = true
	case b.Open && p.severity == referenceLine:
	case b.Open && run.Kind == kindConsole && (marks.has(markWork|markFailure) || len(p.text) == 0), b.Open && p.depth >= 0, b.Open && run.Kind == kindMSI:
		b.Open = false
	case b.Open && p.depth < 0 && len(b.Lines) > 0 && run.Kind != kindSetup && len(bytes.TrimSpace(p.text)) == 0:
		b.Open = false
	}
	if b.Open {
		b.add(clipped(p.text))
	}
	return b.Open && b.Marked
}

// returned is an action of Windows Installer that came to nothing. What it says of
// a custom action is English on every host, unlike how it says that one ended.
func (run *logRun) returned(p parsed) bool {
	if run.Kind != kindMSI {
		return false
	}
	custom := bytes.HasPrefix(p.text, []byte("CustomAction ")) && bytes.Contains(p.text, []byte(" returned actual error code "))
	return custom || bytes.HasSuffix(bytes.TrimSpace(p.text), []byte("Return value 3."))
}

func (b *block) add(line string) {
	if len(b.Lines) < mostBlockLines && b.Bytes+len(line) <= mostBlockBytes {
		b.Lines, b.Bytes = append(b.Lines, line), b.Bytes+len(line)
	}
}

// recognise looks for a known error in a line: the first rule that fits it. A
// rule is reported once in a run, where it is met first.
func (run *logRun) recognise(p parsed, number int, hits []uint16, inBlock bool) {
	if len(hits) == 0 {
		return
	}
	owners := lookedFor().owners
	best := -1
	for _, h := range hits {
		for _, i := range owners[h].rules {
			if best >= 0 && i >= best {
				continue
			}
			if run.fits(&knownErrors[i], p, inBlock) {
				best = i
			}
		}
	}
	if best < 0 {
		return
	}
	if run.Block.Open && (!knownErrors[best].General || run.Kind != kindMSI) { // Windows Installer's lines before it name the cause
		run.Block.Known = true
	}
	rule := knownErrors[best].Rule
	if len(run.Known) < mostKnown && !slices.ContainsFunc(run.Known, func(k known) bool { return k.Rule == rule }) {
		run.Known = append(run.Known, known{Line: number, Text: clipped(p.text), Rule: rule})
	}
}

// fits reports whether a rule fits a line; it remembers contexts that were met.
func (run *logRun) fits(rule *KnownError, p parsed, inBlock bool) bool {
	if len(rule.Contexts) > 0 && !slices.Contains(run.Seen, rule.Rule) {
		if !containsFold(p.text, rule.Contexts) {
			return false
		}
		run.Seen = append(run.Seen, rule.Rule)
	}
	unmarked := rule.Unmarked && (run.Kind == "" || run.Kind == kindConsole)
	if rule.InErrors && !inBlock && !unmarked {
		return false
	}
	if len(rule.Contexts) > 0 && !containsFold(p.text, rule.Any) { // the line holds one of either list
		return false
	}
	return rule.pattern == nil || rule.pattern.Match(p.text)
}

func containsFold(text []byte, any []string) bool {
	folded := bytes.ToLower(text)
	return slices.ContainsFunc(any, func(t string) bool { return bytes.Contains(folded, []byte(t)) })
}

// errors are the known errors of the run in the order of their lines, and the
// last block of errors where none of it is known. Of a run that succeeded only
// what is marked as an error counts: it proves no failure, and is told as it is.
func (run *logRun) errors() []LogError {
	out := []LogError{}
	for _, k := range run.Known {
		if run.Verdict == VerdictSuccess && run.Marked == 0 {
			break
		}
		e := LogError{Line: k.Line, Text: k.Text, Rule: k.Rule}
		if rule, ok := KnownErrorByRule(k.Rule); ok {
			e.Remedy = rule.Remedy
		}
		out = append(out, e)
	}
	if b := run.Block; len(b.Lines) > 0 && !b.Known {
		out = append(out, LogError{Line: b.Line, Text: strings.Join(b.Lines, "\n")})
	}
	slices.SortStableFunc(out, func(a, b LogError) int { return a.Line - b.Line })
	return out
}
