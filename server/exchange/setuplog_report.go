package exchange

import (
	"slices"
	"time"
)

// LogReport is what a log says as a whole: of its newest run, but for the number
// of runs. Times are the log's own, as "2007-11-30T17:35:15": those of Exchange
// 2007 are the host's local time, those of later products UTC. Where day and
// month cannot be told apart they are as written.
type LogReport struct {
	Verdict   Verdict // never VerdictNone
	Why       string  // what the verdict rests on, one sentence
	Kind      string  // "setup", "msi", "console", "events", "steps", or "" when nothing was recognised
	Runs      int
	Mode      string   // "Upgrade", "PrepareSchema"; empty = not said
	Build     string   // of Setup, "8.1.240.6"
	Roles     []string // never nil; Exchange 2007's names, others as written
	Phase     string   // of Phases
	Percent   int
	Started   string
	Ended     string        // empty while nothing says that it ended
	LastStamp string        // the newest moment
	Elapsed   time.Duration // from the first to the newest moment of the run
	Silence   time.Duration // since the newest moment; 0 when it cannot be told
	Dates     DateOrder
	Lines     int // of the whole file
	Warnings  int
	Marked    int // lines that are marked as errors
	Errors    []LogError
	Steps     Steps
}

// ReportOptions are what the log itself does not hold.
type ReportOptions struct {
	// Now, on the clock of whoever asks; zero = not known, and no run is said to
	// be running or interrupted for its age.
	Now time.Time
	// Changed is when the file was written last; zero = not known.
	Changed time.Time
	// Dates is the order that the culture of the account writes; it is taken where
	// the file leaves the choice.
	Dates DateOrder
}

const (
	// quietAtMost is as long as a Setup that runs may be silent: 71 minutes stood
	// between two lines of a real log.
	quietAtMost = 90 * time.Minute
	// anyZone is how far local times of two places may lie apart, either way.
	anyZone = 15 * time.Hour
)

// Report closes the log and says what it comes to. The verdict is that of the
// last sentence of the newest run. Without one, a run whose beginning is in the
// file is running when it was written to just now, and interrupted when it has
// been silent for longer than any Setup is; all else is unknown. Lines marked as
// errors prove no failure, and COMPLETED no success.
func (r *LogReader) Report(o ReportOptions) LogReport {
	r.Close()
	s := &r.state
	run := &s.Run
	rep := LogReport{
		Verdict: run.Verdict, Kind: run.Kind, Runs: s.Runs, Mode: run.Mode, Build: run.Build, Roles: slices.Clone(run.Roles),
		Phase: run.phase(), Percent: run.Percent, Dates: s.Dates.order(o.Dates), Lines: s.Number, Warnings: run.Warnings,
		Marked: run.Marked, Errors: run.errors(), Steps: s.Steps,
	}
	if rep.Roles == nil {
		rep.Roles = []string{}
	}
	if rep.Kind == "" && slices.ContainsFunc(rep.Errors, func(e LogError) bool { return e.Rule != "" || e.Text != "" }) {
		rep.Kind = kindEvents
	}
	first, begun := run.First.in(rep.Dates)
	last, ended := run.Last.in(rep.Dates)
	rep.Started, rep.LastStamp = run.First.said(rep.Dates), run.Last.said(rep.Dates)
	switch {
	case begun && ended:
		rep.Elapsed = between(first, last)
	case between(run.First.Day, run.Last.Day) == between(run.First.Month, run.Last.Month):
		rep.Elapsed = between(run.First.Day, run.Last.Day)
	}
	age := time.Duration(-1)
	if ended && !o.Now.IsZero() {
		if t, err := time.Parse("2006-01-02T15:04:05", last.written()); err == nil {
			age = o.Now.Sub(t)
			rep.Silence = max(0, age)
		}
	}
	switch {
	case rep.Verdict == VerdictSuccess || rep.Verdict == VerdictFailure:
		rep.Ended = rep.LastStamp
		rep.Why = "the last sentence of the run says so"
		if run.Sentence == "" {
			rep.Why = "the run ended with a result code that is not 0"
		}
	case run.Finished:
		rep.Verdict, rep.Ended, rep.Why = VerdictUnknown, rep.LastStamp, "the run came to its end, and no sentence says how"
	case !run.Banner:
		rep.Verdict, rep.Why = VerdictUnknown, "neither the beginning nor the end of a run is in the file"
	case age >= 0-anyZone && age < quietAtMost+anyZone && !o.Now.IsZero() && !o.Changed.IsZero() && o.Now.Sub(o.Changed) < quietAtMost:
		rep.Verdict, rep.Why = VerdictRunning, "the run has no end, and the file was written to just now"
	case age >= quietAtMost+anyZone:
		rep.Verdict, rep.Why = VerdictInterrupted, "the run has no end, and nothing was written for longer than any Setup is silent"
	default:
		rep.Verdict, rep.Why = VerdictUnknown, "the run has no end in the file"
	}
	return rep
}

// in is the moment in an order; undecided dates count when both readings agree.
func (s span) in(order DateOrder) (reading, bool) {
	switch {
	case order == DayFirst:
		return s.Day, s.Day.OK
	case order == MonthFirst:
		return s.Month, s.Month.OK
	case s.Day.OK && s.Day == s.Month:
		return s.Day, true
	}
	return reading{}, false
}

// between is the time from one moment to another; 0 where it is not known.
func between(first, last reading) time.Duration {
	if !first.OK || !last.OK || last.At < first.At {
		return 0
	}
	return time.Duration(last.At-first.At) * time.Second
}

// said is the moment for people and programs.
func (s span) said(order DateOrder) string {
	if r, ok := s.in(order); ok {
		return r.written()
	}
	return string(s.Text)
}
