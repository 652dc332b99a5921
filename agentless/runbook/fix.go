package runbook

import (
	"context"
	"time"

	"wavekeeper/server/rollout"
)

// FixChoice is the key under which Notes hold what a person chose to have done.
const FixChoice = "choice"

// The fixes: safe and reversible repairs of one host outside upgrades. Each is a
// runbook of its own, checks before and after what it does, has the state found
// before on record, and is undone by another.
const (
	StartMSDTC        = "start-msdtc"
	CleanStreamingKey = "clean-streaming-key"
	ReapplyUMConfig   = "reapply-um-config"
)

// Fix is what people are told of a fix before they ask for it.
type Fix struct {
	Name   string
	Words  string // what it does, one sentence
	Undo   string // what undoing it does
	Before string // what to know before
}

// Fixes lists the fixes in the order in which pages show them.
func Fixes() []Fix {
	return []Fix{
		{
			StartMSDTC, "The service Distributed Transaction Coordinator is started; its start type is left as it is", "The service is stopped again",
			"A service that starts by hand does not run after the next restart of Windows. One that is disabled is not touched.",
		},
		{
			CleanStreamingKey, "The wrongly spelled registry key for remote streaming backup is removed, with its values on record",
			"The key is made again with the values that it had",
			"Nothing reads the key. Whether streaming backup is on is said by a value of another key, which is not touched.",
		},
		{
			ReapplyUMConfig, "Chosen values of before the upgrade are written into a configuration file that Setup overwrote; no other byte of it is changed",
			"The file as Setup left it comes back",
			"Exchange reads the file when the service that it belongs to starts: restart that service by hand when it suits. The file must be the one that was compared.",
		},
	}
}

// fixTables are the runbooks of the fixes and of their undoing, by name.
var fixTables = map[string]func() Table{
	StartMSDTC:                  fixOf(StartMSDTC, startMSDTC),
	undoing + StartMSDTC:        undoOf(StartMSDTC, stopMSDTC),
	CleanStreamingKey:           fixOf(CleanStreamingKey, cleanStreamingKey),
	undoing + CleanStreamingKey: undoOf(CleanStreamingKey, putBackStreamingKey),
	ReapplyUMConfig:             fixOf(ReapplyUMConfig, reapplyUMConfig),
	undoing + ReapplyUMConfig:   undoOf(ReapplyUMConfig, putBackUMConfig),
}

// undoing begins the name of the runbook that undoes a fix.
const undoing = "undo-"

func fixWords(name string) Fix {
	for _, f := range Fixes() {
		if f.Name == name {
			return f
		}
	}
	return Fix{Name: name}
}

func fixOf(name string, tick func(context.Context, *Work) (Outcome, error)) func() Table {
	return func() Table { return fixTable(name, fixWords(name).Words, tick) }
}

func undoOf(name string, tick func(context.Context, *Work) (Outcome, error)) func() Table {
	return func() Table { return fixTable(undoing+name, fixWords(name).Undo, tick) }
}

// fixTable is a runbook of one step and of what removes its host tasks.
func fixTable(name, words string, tick func(context.Context, *Work) (Outcome, error)) Table {
	return Table{Name: name, Version: 1, Words: words, Steps: []Step{
		{rollout.Step{
			Name: name, Words: words,
			Expected: 30 * time.Second, Soft: 5 * time.Minute, Hard: time.Hour, Silence: 5 * time.Minute,
			Repeatable: true,
		}, tick},
		tidyStep(),
	}}
}
