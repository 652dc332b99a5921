package runbook

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"wavekeeper/server/exchange"
)

const (
	readAtMost  = 4       // pieces of the log in one tick
	longestLine = 1 << 16 // bytes; a longer line is cut
)

// errorLine is where the last line with an error is remembered. It names the
// cause for people; that Setup failed is never concluded from it.
const errorLine = "error"

// clip shortens a line of a log for a message.
func clip(line string) string {
	const most = 300
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "..."
	}
	return line
}

// byteOrder is the byte order mark of a UTF-16 log by its first bytes, or "".
func byteOrder(head []byte) string {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(head, []byte(mark)) {
			return strconv.QuoteToASCII(mark)
		}
	}
	return ""
}

// read reads the program's log on from where the last saved tick left it: whole
// lines only, so that a tick which is repeated reads them again. last takes an
// unfinished line too. whole says that the end was reached.
func (p program) read(ctx context.Context, w *Work, last bool) (out Outcome, whole bool, err error) {
	out = Outcome{Kind: Again, After: soon, Message: p.who + " runs"}
	if p.log == "" {
		return out, true, nil
	}
	offset := int64(w.count("log"))
	for range readAtMost {
		chunk, err := w.Host.ReadFile(ctx, p.log, offset, 0)
		if err != nil {
			return out, false, err
		}
		if chunk.Exists && chunk.Length < offset {
			offset = 0 // the log was begun anew
			continue
		}
		if offset == 0 && len(chunk.Data) > 0 {
			w.Memory["order"] = byteOrder(chunk.Data)
		}
		whole = offset+int64(len(chunk.Data)) >= chunk.Length
		lines, used := take(w, chunk.Data, last && whole)
		out.Log = append(out.Log, lines...)
		offset += int64(used)
		if whole || used == 0 {
			break
		}
	}
	w.Memory["log"] = strconv.FormatInt(offset, 10)
	out.Phase, out.Percent = w.Memory["phase"], w.count("percent")
	if out.Phase != "" {
		out.Message += ": " + out.Phase
	}
	return out, whole, nil
}

// take reads the whole lines of one piece and moves the remembered phase,
// percentage and verdict forward, never back. used is how many bytes they are.
func take(w *Work, piece []byte, last bool) (lines []string, used int) {
	mark, wide := "", false
	if m, err := strconv.Unquote(w.Memory["order"]); err == nil && m != "" {
		mark, wide = m, true
	}
	used = lastLineEnd(piece, mark)
	if last || used == 0 && len(piece) >= longestLine/2 {
		used = len(piece)
		if wide {
			used &^= 1
		}
	}
	if used == 0 {
		return nil, 0
	}
	reader := resumed(w)
	if wide && w.Memory[logReader] == "" && !bytes.HasPrefix(piece, []byte(mark)) {
		reader.Feed([]byte(mark + lineEnd(mark))) // tells the encoding; its empty line is dropped
	}
	for _, l := range reader.Feed(piece[:used]) {
		lines = append(lines, l.Text)
	}
	if rest := reader.Pending(); rest != "" {
		for _, l := range reader.Feed([]byte(lineEnd(mark))) { // so that it counts
			lines = append(lines, l.Text)
		}
	}
	if saved, err := reader.Save(); err == nil {
		w.Memory[logReader] = saved
	}
	remember(w, reader.Progress())
	for _, line := range lines {
		if strings.Contains(line, "[ERROR]") {
			w.Memory[errorLine] = clip(strings.TrimSpace(strings.Replace(line, "[ERROR]", "", 1)))
		}
	}
	return lines, used
}

// logReader is where the log's reader is put away between ticks, so that what
// one tick read and what the next reads are one log: a known error may need the
// lines before it.
const logReader = "log_reader"

// resumed is the reader of this step's log as the last saved tick left it.
func resumed(w *Work) *exchange.LogReader {
	reader, err := exchange.ResumeLogReader(w.Memory[logReader])
	if err != nil { // of another version of the program: errors of the lines before are lost, nothing else is
		return exchange.NewLogReader()
	}
	return reader
}

func remember(w *Work, p exchange.LogProgress) {
	phases := exchange.Phases()
	if slices.Index(phases, p.Phase) > slices.Index(phases, w.Memory["phase"]) {
		w.Memory["phase"] = p.Phase
	}
	percent := p.Percent
	if p.Phase == exchange.RolesPhase() && w.Memory[listsBefore] != "" && w.Memory[weights] != "none" {
		percent = min(percent, exchange.RolesPercent(0, 0, 0)) // the weights of Setup's list say more
	}
	if percent > w.count("percent") {
		w.Memory["percent"] = strconv.Itoa(percent)
	}
	if p.Verdict != exchange.VerdictNone {
		w.Memory["verdict"] = string(p.Verdict)
	}
}

// SetupErrorsEvidence is the kind of evidence that holds what the log's reader
// recognised: a list of exchange.LogError as JSON, the lines counted from where
// this upgrade began to read.
const SetupErrorsEvidence = "setup-errors"

// setupErrors are the errors in the log so far, known ones and the last block
// that is none; empty where no log of Setup was read.
func setupErrors(w *Work) []exchange.LogError {
	if w.Memory[logReader] == "" {
		return nil
	}
	return resumed(w).Progress().Errors
}

// setupErrorsEvidence is setupErrors as they are kept; nil = there are none.
func setupErrorsEvidence(w *Work) []byte {
	errors := setupErrors(w)
	if len(errors) == 0 {
		return nil
	}
	kept, err := json.Marshal(errors)
	if err != nil {
		return nil // lists of texts always have a form
	}
	return kept
}

// knownCause is the known error that was met last, for the words of a failure;
// one that shows whatever the cause is counts where there is no other.
func knownCause(w *Work) (cause exchange.KnownError, found bool) {
	for _, e := range slices.Backward(setupErrors(w)) {
		known, ok := exchange.KnownErrorByRule(e.Rule)
		switch {
		case ok && !known.General:
			return known, true
		case ok && !found:
			cause, found = known, true
		}
	}
	return cause, found
}

// lastError is the line of the log that names the cause, or the end of the last
// block of errors that is none of the known: Windows Installer marks no line.
func lastError(w *Work) string {
	if line := w.Memory[errorLine]; line != "" {
		return line
	}
	const lines = 3 // before what says only that it failed
	for _, e := range slices.Backward(setupErrors(w)) {
		if e.Rule == "" {
			block := strings.Split(e.Text, "\n")
			for i, line := range block {
				block[i] = clip(strings.TrimSpace(line))
			}
			return strings.Join(block[max(0, len(block)-lines):], " | ")
		}
	}
	return ""
}

// lineEnd is a line feed in the log's encoding.
func lineEnd(mark string) string {
	switch mark {
	case "\xff\xfe":
		return "\n\x00"
	case "\xfe\xff":
		return "\x00\n"
	default:
		return "\n"
	}
}

// lastLineEnd is the number of bytes up to and with the last line feed.
func lastLineEnd(piece []byte, mark string) int {
	end := lineEnd(mark)
	for rest := piece; ; {
		i := bytes.LastIndex(rest, []byte(end))
		if i < 0 {
			return 0
		}
		if i%len(end) == 0 {
			return i + len(end)
		}
		rest = rest[:i+len(end)-1]
	}
}
