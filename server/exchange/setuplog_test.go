package exchange

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

const germanLog = "[30.11.2007 17:35:10] [0] Starting Microsoft Exchange 2007 Setup\r\n" +
	"[30.11.2007 17:35:15] [2] Deleteting DS object /dc=de/dc=contoso\r\n" +
	"[30.11.2007 17:35:16] [1] [ERROR] Zugriff verweigert für Müller\r\n" +
	"   bei System.Foo.Bar()\r\n" +
	"[30.11.2007 17:40:16] [0] The Exchange Server setup operation completed successfully.\r\n"

func TestLogReaderReadsPieceByPieceInAnyEncoding(t *testing.T) {
	t.Parallel()
	wide := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(germanLog)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	ansi := []byte(strings.ReplaceAll(germanLog, "ü", "\xfc"))
	for name, file := range map[string][]byte{"utf-8": []byte(germanLog), "bom": []byte("\uFEFF" + germanLog), "utf-16": wide, "ansi": ansi} {
		for _, size := range []int{1, 3, 7, 100000} {
			r := NewLogReader()
			var lines []LogLine
			for piece := range slices.Chunk(file, size) {
				lines = append(lines, r.Feed(piece)...)
			}
			if len(lines) != 5 || lines[2].Message != "Zugriff verweigert für Müller" || lines[2].Severity != "error" || lines[2].Depth != 1 {
				t.Fatalf("%s in pieces of %d: %+v", name, size, lines)
			}
			if lines[3].Depth != -1 || lines[0].Stamp != "30.11.2007 17:35:10" {
				t.Errorf("%s: %+v", name, lines)
			}
			if p := r.Progress(); p.Verdict != VerdictSuccess || p.Percent != 100 || len(p.Errors) != 1 || p.Lines != 5 {
				t.Errorf("%s: progress %+v", name, p)
			}
		}
	}
}

func TestLogReaderKeepsTheGrowingLineAndForgetsEarlierRuns(t *testing.T) {
	t.Parallel()
	r := NewLogReader()
	r.Feed([]byte(germanLog))
	if got := r.Feed([]byte("[11/30/2007 5:35:15 PM] [0] Starting Microsoft Exch")); len(got) != 0 || !strings.HasSuffix(r.Pending(), "Exch") {
		t.Errorf("half a line gave %v, pending %q", got, r.Pending())
	}
	lines := r.Feed([]byte("ange 2007 Setup\n[11/30/2007 5:36:15 PM] [1] Beginning processing Test-SetupHealth\n"))
	if len(lines) != 2 || lines[0].Stamp != "11/30/2007 5:35:15 PM" {
		t.Errorf("lines %+v", lines)
	}
	if p := r.Progress(); p.Verdict != VerdictNone || p.Phase != "checking prerequisites" || p.Percent != 5 || len(p.Errors) != 0 {
		t.Errorf("progress of the second run %+v", p)
	}
}

func TestLogReaderTakesTheRealLogs(t *testing.T) {
	t.Parallel()
	files := corpusLogs(t)
	want := map[string]Verdict{"12-": VerdictSuccess, "14-": VerdictFailure}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		whole, pieces := NewLogReader(), NewLogReader()
		n := len(whole.Feed(append(raw, '\n')))
		m := 0
		for piece := range slices.Chunk(append(raw, '\n'), 13) {
			m += len(pieces.Feed(piece))
		}
		if n != m || n == 0 {
			t.Errorf("%s: %d lines at once, %d in pieces", filepath.Base(f), n, m)
		}
		if v, ok := want[filepath.Base(f)[:3]]; ok && whole.Progress().Verdict != v {
			t.Errorf("%s: verdict %q, want %q", filepath.Base(f), whole.Progress().Verdict, v)
		}
	}
}

func FuzzLogReader(f *testing.F) {
	f.Add([]byte(germanLog), 3)
	f.Add([]byte("\xff\xfea\x00\n\x00"), 1)
	f.Fuzz(func(t *testing.T, file []byte, size int) {
		r := NewLogReader()
		for piece := range slices.Chunk(file, max(1, size&0xff)) {
			for _, l := range r.Feed(piece) {
				if strings.Contains(l.Text, "\n") && r.wide == nil {
					t.Errorf("a line holds a line end: %q", l.Text)
				}
			}
		}
		if p := r.Progress(); p.Percent < 0 || p.Percent > 100 {
			t.Errorf("percent %d", p.Percent)
		}
	})
}

// corpusLogs finds the real logs beside the repository.
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
	files, err := filepath.Glob(filepath.Join(dir, "..", "shared", "corpus", "setup-logs", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("the corpus of real setup logs is not here")
	}
	return files
}
