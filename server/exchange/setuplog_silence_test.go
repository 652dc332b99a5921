package exchange

import (
	"testing"
	"time"
)

// TestSilenceIsSinceTheNewestMoment of a run without an end: what a person sees who
// asks whether Setup still works.
func TestSilenceIsSinceTheNewestMoment(t *testing.T) {
	t.Parallel()
	const log = "[30.11.2007 17:35:10] [0] Starting Microsoft Exchange 2007 Setup\r\n" +
		"[30.11.2007 17:40:00] [1] Beginning processing Test-SetupHealth\r\n"
	newest := time.Date(2007, 11, 30, 17, 40, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		log     string
		now     time.Time
		changed time.Time
		silence time.Duration
		verdict Verdict
	}{
		"it works":                     {log, newest.Add(12 * time.Minute), newest, 12 * time.Minute, VerdictRunning},
		"silent, written to just now":  {log, newest.Add(89 * time.Minute), newest.Add(80 * time.Minute), 89 * time.Minute, VerdictRunning},
		"silent for too long":          {log, newest.Add(2 * time.Hour), newest, 2 * time.Hour, VerdictUnknown}, // the zone of the log is not known
		"silent beyond any zone":       {log, newest.Add(17 * time.Hour), newest, 17 * time.Hour, VerdictInterrupted},
		"a clock that is behind":       {log, newest.Add(-time.Minute), newest.Add(-time.Minute), 0, VerdictRunning},
		"nobody says what time it is":  {log, time.Time{}, newest, 0, VerdictUnknown},
		"dates that nobody can settle": {"[11/12/2007 17:35:10] [0] Starting Microsoft Exchange 2007 Setup\r\n", newest, newest, 0, VerdictRunning}, // the file was written to just now
	} {
		r := NewLogReader()
		r.Feed([]byte(c.log))
		rep := r.Report(ReportOptions{Now: c.now, Changed: c.changed})
		if rep.Silence != c.silence || rep.Verdict != c.verdict {
			t.Errorf("%s: silent for %s, %s (%s), want %s, %s", name, rep.Silence, rep.Verdict, rep.Why, c.silence, c.verdict)
		}
	}
}
