package exchange

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// corpusVerdicts is what is known of the real logs by their numbers: verdict and
// the known errors among others. A file that is not named here, whatever it is,
// must be read alike in pieces and give a verdict that its own sentences carry.
var corpusVerdicts = map[string]struct {
	verdict Verdict
	rules   []string
	mode    string
}{
	"01": {VerdictUnknown, nil, ""},
	"02": {VerdictUnknown, []string{"missing-msp"}, ""},
	"04": {VerdictUnknown, []string{"service-timeout"}, ""},
	"05": {VerdictUnknown, nil, ""},
	"06": {VerdictUnknown, nil, ""},
	"08": {VerdictUnknown, nil, ""},
	"12": {VerdictSuccess, nil, ""},
	"13": {VerdictUnknown, nil, ""},
	"14": {VerdictFailure, nil, ""},
	"20": {VerdictFailure, []string{"installation-source-missing"}, "Upgrade"},
	"22": {VerdictInterrupted, []string{"installer-fatal"}, "Upgrade"},
	"25": {VerdictFailure, []string{"service-disabled"}, "Upgrade"},
	"28": {VerdictFailure, []string{"missing-path"}, "Upgrade"},
	"30": {VerdictFailure, []string{"shared-configuration-controller"}, "Install"},
	"33": {VerdictFailure, []string{"pending-restart"}, "PrepareSchema"},
}

func TestReportOfTheRealLogs(t *testing.T) {
	t.Parallel()
	for _, path := range corpusLogs(t) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		now := ReportOptions{Now: time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)}
		whole, pieces := NewLogReader(), NewLogReader()
		whole.Feed(raw)
		for piece := range slices.Chunk(raw, 13) {
			pieces.Feed(piece)
		}
		report := whole.Report(now)
		if diff := cmp.Diff(report, pieces.Report(now)); diff != "" {
			t.Errorf("%s is read otherwise in pieces:\n%s", name, diff)
		}
		var rules []string
		lines := bytes.Split(raw, []byte("\n"))
		for _, e := range report.Errors {
			if e.Rule == "" {
				continue
			}
			rules = append(rules, e.Rule)
			if known, ok := KnownErrorByRule(e.Rule); !ok || e.Remedy != known.Remedy || e.Remedy == "" {
				t.Errorf("%s: %+v is no known error with its remedy", name, e)
			}
			if quoted := strings.TrimSuffix(e.Text, "…"); !bytes.Contains(lines[e.Line-1], []byte(quoted)) {
				t.Errorf("%s line %d is quoted as %q", name, e.Line, e.Text)
			}
		}
		if ends := endsInSuccess(string(raw[bytes.IndexByte(raw, '\n')+1:])); ends != (report.Verdict == VerdictSuccess) {
			t.Errorf("%s: verdict %s, and a sentence of success is %t", name, report.Verdict, ends)
		}
		want, ok := corpusVerdicts[name[:2]]
		if !ok {
			t.Logf("%s: %s, rules %v", name, report.Verdict, rules)
			continue
		}
		if report.Verdict != want.verdict || report.Mode != want.mode {
			t.Errorf("%s: %s (%s), mode %q; want %s, %q", name, report.Verdict, report.Why, report.Mode, want.verdict, want.mode)
		}
		for _, rule := range want.rules {
			if !slices.Contains(rules, rule) {
				t.Errorf("%s: rules %v, want %s", name, rules, rule)
			}
		}
		if want.rules == nil && len(rules) > 0 {
			t.Errorf("%s: rules %v, want none", name, rules)
		}
	}
}

// endsInSuccess reports that a sentence of success is the last of a text's final
// sentences, and that no run begins after it.
func endsInSuccess(text string) bool {
	text = strings.ToLower(text)
	good := strings.LastIndex(text, "setup operation completed success")
	for _, other := range append(slices.Clone(failures), "] starting microsoft exchange") {
		if strings.LastIndex(text, other) > good {
			return false
		}
	}
	return good >= 0
}

// corpusLogs finds the real logs beside the repository: every file that is there.
func corpusLogs(t *testing.T) []string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	files, err := filepath.Glob(filepath.Join(dir, "..", "shared", "corpus", "setup-logs", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("the corpus of real setup logs is not here")
	}
	return files
}
