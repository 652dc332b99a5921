package windows

import (
	"testing"
	"time"
)

func TestTheNewestUpdateIsFoundInEveryForm(t *testing.T) {
	t.Parallel()
	now := time.Date(2010, 8, 2, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		words, language string
		installed       map[string]string
		kb, day         string
	}{
		{"hexadecimal FILETIME, as on 2008", "en-US", map[string]string{"KB1": "01c9c5ce4b48e5fd", "KB2": "01c8c5ce4b48e5fd"}, "KB1", "2009-04-25"},
		{"month first", "en-US", map[string]string{"KB1": "11/2/2007", "KB2": "2/11/2008"}, "KB2", "2008-02-11"},
		{"a day above 12 tells the order of all", "en-US", map[string]string{"KB1": "02/11/2008", "KB2": "25/01/2008"}, "KB1", "2008-11-02"},
		{"a month that cannot be a day, too", "de-DE", map[string]string{"KB1": "02/11/2008", "KB2": "01/25/2008"}, "KB1", "2008-02-11"},
		{"German dots, all of them ambiguous", "de-DE", map[string]string{"KB1": "02.11.2008"}, "KB1", "2008-11-02"},
		{"Japanese", "ja-JP", map[string]string{"KB1": "2008/11/02", "KB2": "2009/1/3"}, "KB2", "2009-01-03"},
		{"digits only", "en-US", map[string]string{"KB1": "20081102"}, "KB1", "2008-11-02"},
		{"two digits of the year", "en-US", map[string]string{"KB1": "11/2/08"}, "KB1", "2008-11-02"},
		{"nothing", "en-US", map[string]string{"KB1": "", "KB2": " "}, "", ""},
		{"a day after the host's own is none", "en-US", map[string]string{"KB1": "11/2/2011", "KB2": "11/2/2007"}, "KB2", "2007-11-02"},
		{"no date at all", "en-US", map[string]string{"KB1": "yesterday", "KB2": "13/13/2008", "KB3": "1/2"}, "", ""},
	} {
		if kb, day := newestUpdate(c.installed, c.language, now); kb != c.kb || day != c.day {
			t.Errorf("%s: %s %s, want %s %s", c.words, kb, day, c.kb, c.day)
		}
	}
}

func TestTheProgramOfAServiceIsFound(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`"C:\Program Files\A B\a.exe" -k x`:            `C:\Program Files\A B\a.exe`,
		`C:\Program Files\A B\a.exe /service`:          `C:\Program Files\A B\a.exe`,
		`C:\Program Files\A.exeB\a.EXE`:                `C:\Program Files\A.exeB\a.EXE`,
		`C:\WINDOWS\system32\svchost.exe -k netsvcs`:   `C:\WINDOWS\system32\svchost.exe`,
		`%SystemRoot%\system32\svchost.exe -k netsvcs`: `C:\WINDOWS\system32\svchost.exe`,
		`\SystemRoot\System32\smss.exe`:                `C:\WINDOWS\System32\smss.exe`,
		`\??\C:\x\driver.exe`:                          `C:\x\driver.exe`,
		`system32\DRIVERS\x.exe`:                       `C:\WINDOWS\system32\DRIVERS\x.exe`,
		`C:\tools\run.cmd start`:                       `C:\tools\run.cmd`,
		``:                                             ``,
	} {
		if got := programOf(line, `C:\WINDOWS`); got != want {
			t.Errorf("programOf(%q) = %q, want %q", line, got, want)
		}
	}
}

// TestNamesOfFilesAreEscaped: a name ends nowhere but at its end.
func TestNamesOfFilesAreEscaped(t *testing.T) {
	t.Parallel()
	got := queryFiles([]string{`c:\o'neil\a.exe`, `c:\b.dll`})
	if want := queryFilesBegin + `Name='c:\\o\'neil\\a.exe' OR Name='c:\\b.dll'`; got != want {
		t.Errorf("queryFiles = %s, want %s", got, want)
	}
}
