package exchange

import (
	"fmt"
	"strings"
	"time"
)

// Words is the report for people, in lines that end with a line feed.
func (rep LogReport) Words() string {
	var b strings.Builder
	say := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			fmt.Fprintf(&b, "%-9s %s\n", name, text)
		}
	}
	say("Verdict", "%s: %s", rep.Verdict, rep.Why)
	if rep.Steps.Tasks > 0 {
		say("Steps", "a list that Setup generated: %s of weight %d; the registry's watermark is the ID of one of them", counted(rep.Steps.Tasks, "task"), rep.Steps.Weight)
	}
	if rep.Runs > 0 {
		say("Runs", "%s; what follows is of the newest", counted(rep.Runs, "run"))
	}
	say("Mode", "%s", rep.Mode)
	if rep.Build != "" {
		words := rep.Build
		if build, err := ParseBuild(rep.Build); err == nil && build.Major == 8 {
			words = fmt.Sprintf("%s (%s)", rep.Build, build.Words())
		}
		say("Build", "%s", words)
	}
	say("Roles", "%s", strings.Join(rep.Roles, ", "))
	if rep.Phase != "" {
		say("Phase", "%s, about %d %%", rep.Phase, rep.Percent)
	}
	if rep.Started != "" {
		say("Started", "%s%s", rep.Started, rep.dates())
	}
	if rep.Ended != "" {
		say("Ended", "%s", rep.Ended)
	} else if rep.LastStamp != "" {
		say("Last line", "%s", rep.LastStamp)
	}
	if rep.Started != "" {
		say("Times", "as the log writes them: the server's own, and the log names no zone")
	}
	if rep.Elapsed > 0 {
		say("Took", "%s", rep.Elapsed.Round(time.Second))
	}
	say("Lines", "%d, %s, %d marked as errors", rep.Lines, counted(rep.Warnings, "warning"), rep.Marked)
	if rep.Verdict == VerdictSuccess && rep.Marked > 0 {
		b.WriteString("\nLines that are marked as errors prove no failure: Setup says that it completed.\n")
	}
	for _, e := range rep.Errors {
		b.WriteString("\n" + e.words())
	}
	if len(rep.Errors) == 0 && rep.Verdict != VerdictSuccess {
		b.WriteString("\nNo error was recognised.\n")
	}
	return b.String()
}

func (rep LogReport) dates() string {
	if rep.Dates == Unordered && strings.ContainsAny(rep.Started, "/-.") && !strings.Contains(rep.Started, "T") {
		return " (day and month cannot be told apart in this file)"
	}
	return ""
}

func (e LogError) words() string {
	var b strings.Builder
	known, ok := KnownErrorByRule(e.Rule)
	if !ok {
		fmt.Fprintf(&b, "Line %d: the last error, which is not a known one\n", e.Line)
	} else {
		fmt.Fprintf(&b, "Line %d: %s (%s)\n", e.Line, known.Words, known.Rule)
	}
	for line := range strings.SplitSeq(e.Text, "\n") {
		fmt.Fprintf(&b, "  | %s\n", line)
	}
	if ok {
		fmt.Fprintf(&b, "  What helps: %s\n  Source: %s [%s]\n", known.Remedy, known.Source, known.Confidence)
	}
	return b.String()
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
