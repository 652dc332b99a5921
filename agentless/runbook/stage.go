package runbook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
)

// Medium is the package as it was registered and how this host gets it. The zero
// value is a package without one: what lies on the host is taken.
type Medium struct {
	ManifestSHA256 string // approved; what every file of the tree must be
	ManifestSize   int64
	TreeSize       int64 // bytes, unpacked
	BundleSHA256   string
	BundleSize     int64
	Packs          []string // cultures of the Unified Messaging language packs in it, as registered

	Staging int64  // number of this work of bringing it here: part of its tasks' names
	Attempt int    // of the staging
	From    string // http://..., or \\server\share\...
	Token   string // of the console's listener; empty elsewhere
	Source  string // From for people: "the console", "the share \\server\share"
}

// Known reports whether the package has a medium.
func (m Medium) Known() bool { return m.ManifestSHA256 != "" }

// Tree is where the medium lies unpacked on the host.
func (m Media) Tree() windows.MediaTree {
	return windows.MediaTree{Folder: m.Folder, Manifest: m.Folder + ".manifest", ManifestSHA256: m.Medium.ManifestSHA256}
}

// bundle is where the bundle lies on the host until it is unpacked.
func (m Medium) bundle() string { return windows.Media + `\` + m.bundleName() }

func (m Medium) bundleName() string { return m.BundleSHA256 + ".wkm" }

// The phases of staging, as the store keeps them.
const (
	phaseCheck  = "check"
	phaseFetch  = "fetch"
	phaseUnpack = "unpack"
)

// Staged is how far a medium is on its way to the host.
type Staged struct {
	Phase       string // check, fetch, unpack
	Done, Total int64  // bytes of the bundle that the host has
	Proven      bool   // every file of the tree is right
}

// What stage remembers.
const (
	stagePhase  = "phase"
	stageTry    = "try."  // begins the key of how many tasks of a script came to nothing: another follows
	stageMore   = "more." // begins the key of how many tasks of a script follow without having failed
	stageProven = "proven"
	stageNumber = "staging" // whose tasks tidy removes
	stageBytes  = "bytes"
)

const (
	stageTries   = 5                // tasks of one phase
	stageMinutes = 5 * 60           // how long one task goes on trying to fetch
	stagePoll    = 5 * time.Second  // between looks at a task that takes long
	stageMargin  = int64(256 << 20) // what is left free on the disk
)

// stage brings the package's medium to the host: it looks whether the tree is
// there, fetches the bundle and unpacks it, each as a host task of SYSTEM, and
// ends when every file of the tree is what the manifest says. It changes nothing
// but the program's own folder, and goes on where an earlier one stopped.
func stage(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	m := w.Media.Medium
	if !m.Known() {
		return Outcome{Kind: Done, Percent: 100, Message: "The package is registered as it lies on the hosts: nothing is fetched"}, nil
	}
	if !strings.HasPrefix(strings.ToLower(w.Media.Folder), strings.ToLower(windows.Media)+`\`) {
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("The package's folder %s is not in %s, which only administrators can write to", w.Media.Folder, windows.Media),
			Remedy: "Register the media without a folder of its own.",
		}, nil
	}
	if number := strconv.FormatInt(m.Staging, 10); w.Memory[stageNumber] != number {
		// What was remembered is of another staging, which may have come to its
		// end: the host says how far it is.
		maps.DeleteFunc(w.Memory, func(key, _ string) bool {
			return slices.Contains([]string{stagePhase, stageProven, stageBytes, stageAway, stageAwayAt}, key) ||
				strings.HasPrefix(key, stageTry) || strings.HasPrefix(key, stageMore)
		})
		w.Memory[stageNumber] = number
	}
	switch w.Memory[stagePhase] {
	case phaseFetch:
		return stageFetch(ctx, w)
	case phaseUnpack:
		return stageUnpack(ctx, w)
	default:
		return stageCheck(ctx, w)
	}
}

// stageTask runs one task of a phase and reads what it said. The records are nil
// while the outcome is not Done.
func stageTask(ctx context.Context, w *Work, script, words string, task func(name string) (windows.Task, error)) (Outcome, windows.Records, windows.TaskLook, error) {
	m := w.Media.Medium
	word := script
	if try := w.count(stageTry+script) + w.count(stageMore+script); try > 0 {
		word += "-" + strconv.Itoa(try)
	}
	t, err := task(windows.StagingTaskName(w.Installation, m.Staging, word, max(1, m.Attempt)))
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: "Correct the folder of the package and the source of media."}, nil, windows.TaskLook{}, nil
	}
	out, look, err := drive(ctx, w, t, words)
	switch {
	case err != nil:
		return out, nil, look, err
	case out.Kind == Failed && look.State == windows.TaskStarted: // it died: a restart, mostly
		return w.retry(script, out), nil, look, nil
	case out.Kind != Done:
		return out, nil, look, nil
	}
	records, err := w.Host.TaskRecords(ctx, t.Name, script)
	var broken *windows.ScriptError
	switch {
	case errors.Is(err, windows.ErrTruncated):
		return w.retry(script, Outcome{Kind: Failed, Message: words + ": " + err.Error(), Remedy: "Look at the host, then try again."}), nil, look, nil
	case errors.As(err, &broken):
		failed, err := trouble(words, err)
		if err == nil && failed.Kind == Again { // nothing that is known to last
			failed.Kind, failed.Remedy = Failed, "Look at the host, then try again."
			failed = w.retry(script, failed)
		}
		return failed, nil, look, err
	case err != nil:
		out, err = trouble("read what the task said: "+words, err)
		return out, nil, look, err
	}
	return out, records, look, nil
}

// retry lets another task follow one that came to nothing, until it is enough.
func (w *Work) retry(script string, failed Outcome) Outcome {
	if w.raise(stageTry+script) >= stageTries {
		return failed
	}
	return Outcome{Kind: Again, After: later, Message: failed.Message + ". It is tried again"}
}

// phase goes on to another phase.
func (w *Work) phase(name, format string, args ...any) Outcome {
	w.Memory[stagePhase] = name
	out := onward(format, args...)
	out.Phase, out.Staged = name, w.staged(name)
	return out
}

func (w *Work) staged(phase string) *Staged {
	done, err := strconv.ParseInt(w.Memory[stageBytes], 10, 64)
	if err != nil {
		done = 0
	}
	return &Staged{Phase: phase, Done: done, Total: w.Media.Medium.BundleSize}
}

// proven is the end: every file of the tree is right.
func (w *Work) proven(format string, args ...any) Outcome {
	w.Memory[stageProven] = "yes"
	s := w.staged(w.Memory[stagePhase])
	s.Done, s.Proven = s.Total, true
	return Outcome{Kind: Done, Percent: 100, Message: fmt.Sprintf(format, args...), Staged: s}
}

// stageCheck asks whether the tree is there and right already.
func stageCheck(ctx context.Context, w *Work) (Outcome, error) {
	for _, folder := range []string{windows.Root, windows.Media} {
		if err := w.Host.MakeFolder(ctx, folder); err != nil {
			return trouble("make the folder of media", err)
		}
	}
	tree := w.Media.Tree()
	out, said, _, err := stageTask(ctx, w, windows.MediaCheck, "the files of the media are compared", tree.CheckTask)
	if err != nil || said == nil {
		out.Phase, out.Staged = phaseCheck, w.staged(phaseCheck)
		return out, err
	}
	switch said.Get("state") {
	case windows.MediaRight:
		return w.proven("The media is on the host already, and all of its %s files are right", said.Get("files")), nil
	case windows.MediaAbsent:
		return w.phase(phaseFetch, "The media is not on the host yet"), nil
	}
	return treeDiffers(w, said), nil
}

// treeDiffers is a tree that is there and is another one.
func treeDiffers(w *Work, said windows.Records) Outcome {
	return Outcome{
		Kind: Failed, Message: "What lies in " + w.Media.Folder + " is not the registered media: " + differences(said), Phase: phaseCheck,
		Remedy: "Find out who changed it. Then remove the folder and try again: it is fetched anew.",
	}
}

// differences lists what the scripts found in words, the first five.
func differences(said windows.Records) string {
	words := map[string]string{
		"changed": "has another content", "length": "has another length", "missing": "is missing", "extra": "does not belong there",
		"link": "is a link", "manifest": "the list of its files is another one", "bundle": "the bundle is another one",
		"unproven": "files were left out of the comparison",
	}
	var all []string
	for _, d := range said.All("differs") {
		kind, file, _ := strings.Cut(d, "|")
		switch text := words[kind]; {
		case kind == "manifest" || kind == "bundle" || kind == "unproven":
			all = append(all, text)
		case text != "":
			all = append(all, file+" "+text)
		default:
			all = append(all, d)
		}
	}
	if what := said.Get("error"); what != "" {
		all = append(all, "it could not be compared: "+what)
	}
	if len(all) == 0 {
		return "it could not be compared (" + said.Get("state") + ")"
	}
	more := ""
	if bad, err := strconv.Atoi(said.Get("bad")); err == nil && bad > min(5, len(all)) {
		more = fmt.Sprintf(" and %d more", bad-min(5, len(all)))
	}
	return strings.Join(all[:min(5, len(all))], "; ") + more
}
