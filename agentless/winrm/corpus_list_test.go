package winrm

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// What the lines of the records' list say in words that can be looked for.
var (
	listed      = regexp.MustCompile(`(?m)^\| (\S+\.response\.xml) \| (\d+) \| [^|]* \| ([^|]+) \|`)
	saysCode    = regexp.MustCompile(`\bCode (\d+)`)
	saysExit    = regexp.MustCompile(`\bExitCode (\d+)`)
	saysIdle    = regexp.MustCompile(`\bIdleTimeOut (PT\S+)`)
	saysMaximum = regexp.MustCompile(`\bMaxEnvelopeSizekb (\d+)`)
	codeInName  = regexp.MustCompile(`-(\d{6,10})\.response\.xml$`)
)

// TestRecordsGiveWhatTheirLinesSay reads each answer with the driver's own
// functions and holds it against its line of the README. A file without a line is
// read all the same, by TestRecordedShellAnswers.
func TestRecordsGiveWhatTheirLinesSay(t *testing.T) {
	t.Parallel()
	dir := corpus(t, "winrm-records")
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, m := range listed.FindAllSubmatch(readme, -1) {
		name, status, line := string(m[1]), int(code32(string(m[2]))), string(m[3])
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // a list may be longer than what lies there
		}
		if err != nil {
			t.Fatal(err)
		}
		tree, _, err := answerOf(status, soapType, data)
		var fault *Fault
		if isFault := errors.As(err, &fault); isFault != (status == 500) || err != nil && !isFault {
			t.Errorf("%s: http status %d and %v", name, status, err)
			continue
		}
		says := func(what *regexp.Regexp, text string) (string, bool) {
			found := what.FindStringSubmatch(text)
			if found == nil {
				return "", false
			}
			checked++
			return found[1], true
		}
		for _, code := range []struct {
			what *regexp.Regexp
			text string
		}{{saysCode, line}, {codeInName, name}} {
			if want, ok := says(code.what, code.text); ok && (fault == nil || fault.Code != code32(want)) {
				t.Errorf("%s: %v, its line says code %s", name, err, want)
			}
		}
		if want, ok := says(saysExit, line); ok {
			var r Result
			if _, done, err := r.take(tree.child("Body").child("ReceiveResponse")); err != nil || !done || uint32(r.Exit) != code32(want) {
				t.Errorf("%s: exit code %d, %t, %v; its line says %s", name, r.Exit, done, err, want)
			}
		}
		if strings.Contains(line, "State Running") {
			checked++
			var r Result
			if got, done, err := r.take(tree.child("Body").child("ReceiveResponse")); err != nil || done || got == 0 {
				t.Errorf("%s: %d bytes, done %t, %v; its line says that it runs and wrote", name, got, done, err)
			}
		}
		if want, ok := says(saysIdle, line); ok && tree.find("IdleTimeOut").words() != want {
			t.Errorf("%s: idle time %q, its line says %s", name, tree.find("IdleTimeOut").words(), want)
		}
		if want, ok := says(saysMaximum, line); ok && tree.find("MaxEnvelopeSizekb").words() != want {
			t.Errorf("%s: %q KB, its line says %s", name, tree.find("MaxEnvelopeSizekb").words(), want)
		}
		if strings.Contains(line, `"uuid:" prefix`) {
			checked++
			h := newFakeHost(t).on("Create", answer(200, string(data)))
			c := h.dial(t)
			id, err := c.create(withDeadline(t, 5*time.Second), 437)
			if err != nil || !strings.HasPrefix(id, "uuid:") {
				t.Errorf("%s: shell %q, %v; its line says that the id begins with uuid:", name, id, err)
			}
		}
	}
	if checked < 8 {
		t.Errorf("%d claims checked, want at least 8", checked)
	}
}
