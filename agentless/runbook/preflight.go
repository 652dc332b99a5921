package runbook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
	rules "wavekeeper/server/preflight"
)

// preflight proves everything that Setup needs. Two host tasks run first, one
// after the other: SYSTEM compares the media, the run-as account shows what
// it can do. Then the rules look at the host, and the step ends with all
// findings. It may be repeated as often as one likes.
func preflight(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	if w.Attempt > 1 { // Setup may have begun in an earlier one
		if out, err := disarm(ctx, w, ""); err != nil || out.Kind != Done {
			return unseen(out), err
		}
	}
	if w.Memory["media"] == "" {
		return proveMedia(ctx, w)
	}
	if w.Memory["canary"] == "" {
		return proveCanary(ctx, w)
	}
	subject, facts, err := subjectOf(ctx, w)
	if err != nil {
		return trouble("look at the host", err)
	}
	if missing := missingOf(subject); len(missing) > 0 && w.raise("unread") <= askedAgain {
		out := again("The host did not tell everything that is needed: %s", list(missing))
		out.After, out.troubled = later, true
		return out, nil
	}
	out := judged(w, subject)
	out.Facts = facts
	if slices.ContainsFunc(out.Findings, func(f Finding) bool { return f.Rule == interruptedRule && f.Blocks() }) {
		out.Evidence = collect(ctx, w)
	}
	return out, nil
}

const (
	interruptedRule = "interrupted-setup" // the rule that finds what an earlier Setup left
	askedAgain      = 3                   // how often a host is asked for what it did not tell and a rule cannot do without
)

// missingOf lists the facts that are not known and without which a rule blocks.
func missingOf(s rules.Subject) []string {
	var out []string
	for _, f := range rules.Judge(s) {
		if f.Unknown && f.Severity == Blocker {
			out = append(out, f.Rule)
		}
	}
	return out
}

// judged is the outcome of the rules over what is known.
func judged(w *Work, s rules.Subject) Outcome {
	findings := rules.Judge(s)
	var blockers, remedies []string
	for _, f := range findings {
		if !f.Blocks() {
			continue
		}
		blockers = append(blockers, f.Text)
		if f.Remedy != "" && !slices.Contains(remedies, f.Remedy) {
			remedies = append(remedies, f.Remedy)
		}
	}
	out := Outcome{Kind: Done, Findings: findings, Percent: 100, Message: fmt.Sprintf("%d rules passed or were noted", len(findings))}
	if waived := waivedOf(findings); len(waived) > 0 {
		out.Message += "; waived: " + list(waived)
	}
	if build := w.Memory["build"]; build != "" {
		out.Build = build
	}
	if len(blockers) > 0 {
		out.Kind = Failed
		out.Message = strings.Join(blockers, "; ")
		unchanged := "nothing was changed on the host"
		if w.Attempt > 1 {
			unchanged += " in this attempt" // what an earlier one changed is on record
		}
		out.Remedy = "Cure what blocks and run again; " + unchanged + ". " + strings.Join(remedies, " ")
	}
	return out
}

func waivedOf(findings []Finding) []string {
	var out []string
	for _, f := range findings {
		if f.Waived {
			out = append(out, f.Rule)
		}
	}
	return out
}

// proved is what a task of preflight showed, kept in memory until the end.
type proved struct {
	Trouble string            `json:"trouble,omitempty"` // why there is nothing
	Remedy  string            `json:"remedy,omitempty"`  // what helps, where it is known
	Said    map[string]string `json:"said,omitempty"`
}

func keep(w *Work, key string, p proved) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode what %s showed: %w", key, err)
	}
	w.Memory[key] = string(text)
	return nil
}

func kept(w *Work, key string) proved {
	var p proved
	if err := json.Unmarshal([]byte(w.Memory[key]), &p); err != nil {
		p.Trouble = "what the task said was lost"
	}
	return p
}

func proveMedia(ctx context.Context, w *Work) (Outcome, error) {
	if w.Media.Medium.Known() {
		return prove(ctx, w, "media", windows.MediaCheck, Account{}, "every file of the media is compared", w.Media.Tree().CheckArguments()...)
	}
	return prove(ctx, w, "media", "file-hash", Account{}, "the media's hash is read", mediaFile(w))
}

func proveCanary(ctx context.Context, w *Work) (Outcome, error) {
	return prove(ctx, w, "canary", "canary", w.RunAs, "the run-as account shows what it can do")
}

// prove runs one script as a host task and keeps what it said. A task that
// comes to nothing is no end: it becomes a finding.
func prove(ctx context.Context, w *Work, key, script string, as Account, words string, args ...string) (Outcome, error) {
	name := w.taskName(key)
	task, err := windows.ScriptTask(name, script, as.Name, as.Password, args...)
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: "Correct the run-as account and the folder of the package."}, nil
	}
	out, _, err := drive(ctx, w, task, words)
	if err != nil {
		return out, err
	}
	switch out.Kind {
	case Failed:
		return again("%s", out.Message), keep(w, key, proved{Trouble: out.Message, Remedy: out.Remedy})
	case Done:
		records, err := w.Host.TaskRecords(ctx, name, script)
		var broken *windows.ScriptError
		switch {
		case errors.As(err, &broken), errors.Is(err, windows.ErrTruncated):
			return again("%v", err), keep(w, key, proved{Trouble: err.Error()})
		case err != nil:
			return trouble("read what the task said: "+words, err)
		}
		said := map[string]string{}
		for _, r := range records {
			if have, ok := said[r.Name]; ok {
				said[r.Name] = have + "\n" + r.Value
				continue
			}
			said[r.Name] = r.Value
		}
		return onward("Done: %s", words), keep(w, key, proved{Said: said})
	default:
		return out, nil
	}
}
