package exchange

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
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

// TestTheModeIsWhatSetupDecides shows that Setup itself says what it does: its window starts an upgrade with
// "Install", and a task of the command line is more than the mode.
func TestTheModeIsWhatSetupDecides(t *testing.T) {
	t.Parallel()
	const install, decided = "[30.11.2007 17:35:11] [0] Command Line Parameter Name='mode', Value='Install'.\r\n", "[30.11.2007 17:35:12] [0] The installation mode is set to: 'BuildToBuildUpgrade'.\r\n"
	const schema = "[30.11.2007 17:35:11] [0] Command Line Parameter Name='PrepareSchema', Value=''.\r\n"
	for log, want := range map[string]string{
		install: "Install", install + decided: "Upgrade", schema + install: "PrepareSchema", install + schema + decided: "PrepareSchema",
	} {
		r := NewLogReader()
		r.Feed([]byte(log))
		if got := r.Report(ReportOptions{}).Mode; got != want {
			t.Errorf("mode %q of %q, want %q", got, log, want)
		}
	}
}

// FuzzReader proves what any bytes must give: no panic, the same whatever the
// pieces, and each line counted once.
func FuzzReader(f *testing.F) {
	f.Add([]byte(germanLog), 3)
	f.Add([]byte("\xff\xfea\x00\n\x00"), 1)
	f.Add([]byte("\x00a\x00b\x00\n"), 2)
	f.Add([]byte("[11/30/2550 5:35:15 \u0e1a\u0e48\u0e32\u0e22] [0] x\n[\u0661\u0662/\u0663/1428 05:35:15 \u0645] [1] [ERROR] y"), 5)
	f.Add([]byte("=== Verbose logging started: 30.11.2007  17:35:15  Build type: SHIP ===\nMSI (s) (80:B8) [22:57:41:526]: Return value 3.\nMSI (c) (1:2) [1:2:3:4]: MainEngineThread is returning 1603\n"), 4)
	f.Add([]byte("# [ID = fdfe6b1a, Wt = 1, isFatal = False]\n"), 7)
	f.Fuzz(func(t *testing.T, file []byte, size int) {
		size = max(1, size&0xff)
		saves := 0
		whole, pieces := NewLogReader(), NewLogReader()
		if _, err := whole.Write(file); err != nil {
			t.Fatal(err)
		}
		for piece := range slices.Chunk(file, size) {
			pieces.Feed(piece)
			if saves++; saves%5 != 0 {
				continue
			}
			text, err := pieces.Save()
			if err != nil {
				t.Fatal(err)
			}
			if pieces, err = ResumeLogReader(text); err != nil {
				t.Fatal(err)
			}
		}
		now := time.Date(2007, 12, 1, 0, 0, 0, 0, time.UTC)
		a, b := whole.Report(ReportOptions{Now: now}), pieces.Report(ReportOptions{Now: now})
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("in pieces of %d it is another log:\n%s", size, diff)
		}
		if a.Percent < 0 || a.Percent > 100 || a.Verdict == VerdictNone || a.Roles == nil || a.Errors == nil {
			t.Errorf("report %+v", a)
		}
		if want, narrow := lineCount(file); narrow && a.Lines != want {
			t.Errorf("%d lines, want %d", a.Lines, want)
		}
		for _, e := range a.Errors {
			if e.Line < 1 || e.Line > a.Lines || !utf8.ValidString(e.Text) {
				t.Errorf("error %+v of %d lines", e, a.Lines)
			}
		}
	})
}

// lineCount counts the lines of a file in an encoding of one byte.
func lineCount(file []byte) (lines int, narrow bool) {
	r := NewLogReader()
	if len(file) < 4 {
		return 0, false
	}
	if _, err := r.Write(file[:4]); err != nil || r.cutter.wide != nil {
		return 0, false
	}
	file = bytes.TrimPrefix(file, []byte("\xef\xbb\xbf"))
	lines = bytes.Count(file, []byte("\n"))
	if len(file) > 0 && file[len(file)-1] != '\n' {
		lines++
	}
	return lines, true
}

// TestWindowsInstallersLogShowsTheFirstFailure in any language: what ends after it
// only passes it on. A cause that is known counts more than that it failed.
func TestWindowsInstallersLogShowsTheFirstFailure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		words string
		log   string
		want  string // of the error that is not known
		rules []string
	}{
		{
			"English", "=== Verbose logging started: 30.11.2007  17:35:15  Build type: SHIP ===\nMSI (s) (80:B8) [17:35:16:000]: Doing action: InstallFiles\n" +
				"MSI (s) (80:B8) [17:35:16:100]: Product: Microsoft Exchange Server -- Error 1306. Another application has exclusive access to the file 'C:\\store.exe'.\n" +
				"Action ended 17:35:17: InstallFinalize. Return value 3.\nMSI (s) (80:B8) [17:35:18:000]: Doing action: Rollback\n" +
				strings.Repeat("MSI (s) (80:B8) [17:35:19:000]: Executing op\n", 8) +
				"Action ended 17:35:20: INSTALL. Return value 3.\nMSI (s) (80:B8) [17:35:21:000]: MainEngineThread is returning 1603\n",
			"exclusive access",
			[]string{"return-value-3", "installer-fatal"},
		},
		{
			"German, without its first line", "MSI (s) (80:B8) [17:35:16:000]: Doing action: CA_NGEN\nthe cause, in any words\n" +
				"CustomAction CA_NGEN returned actual error code 1603 (note this may not be 100% accurate if translation happened inside sandbox)\n" +
				"Aktion beendet um 17:35:17: InstallFinalize. R\u00fcckgabewert 3.\n",
			"the cause, in any words",
			[]string{"installer-fatal"},
		},
	} {
		t.Run(c.words, func(t *testing.T) {
			t.Parallel()
			r := NewLogReader()
			r.Feed([]byte(c.log))
			var rules []string
			quoted := ""
			for _, e := range r.Progress().Errors {
				if e.Rule == "" {
					quoted = e.Text
					continue
				}
				rules = append(rules, e.Rule)
				if known, _ := KnownErrorByRule(e.Rule); !known.General {
					t.Errorf("%s is no cause", e.Rule)
				}
			}
			slices.Sort(rules)
			slices.Sort(c.rules)
			if !strings.Contains(quoted, c.want) || strings.Contains(quoted, "INSTALL.") || !slices.Equal(rules, c.rules) {
				t.Errorf("quoted %q, rules %v", quoted, rules)
			}
		})
	}
}
