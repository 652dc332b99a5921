package runbook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"wavekeeper/agentless/windows"
)

// FileEntry is the kind of a change of a file; Before: sha256 and data in base64,
// Meant: sha256.
const FileEntry = "file"

// What a person chose to have re-applied: a file below Exchange's folder, the
// SHA-256 that it had when it was compared, and the differences as JSON.
const (
	ChoiceFile        = "file"
	ChoiceSHA256      = "sha256"
	ChoiceDifferences = "differences"
)

// mostOfFile bounds the files that are re-applied, as those that are kept.
const mostOfFile = 64 << 10

// reapplyUMConfig writes the old values of chosen differences into a file that
// Setup overwrote. The file must be the one that was compared: nothing is guessed
// about another.
func reapplyUMConfig(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	choice := w.Notes[FixChoice]
	path, err := reappliedPath(ctx, w, choice[ChoiceFile])
	if err != nil || path == "" {
		if err != nil {
			return trouble("read where Exchange is installed", err)
		}
		return Outcome{Kind: Failed, Message: fmt.Sprintf("%q is no configuration file below Exchange's folder", choice[ChoiceFile])}, nil
	}
	now, exists, err := wholeFile(ctx, w.Host, path)
	if err != nil {
		return trouble("read "+path, err)
	}
	before, open := now, false
	for _, e := range w.Ledger {
		if e.Kind != FileEntry || e.Name != path {
			continue
		}
		open = true
		if exists && hashOf(now) == e.Meant["sha256"] {
			return Outcome{Kind: Done, Percent: 100, Message: "The chosen values are in " + path}, nil
		}
		if before, err = base64.StdEncoding.DecodeString(e.Before["data"]); err != nil {
			return Outcome{Kind: Failed, Message: "What the file held cannot be read from the record: " + err.Error()}, nil
		}
		if exists && hashOf(now) != e.Before["sha256"] {
			return changedMeanwhile(path), nil
		}
	}
	if !open && (!exists || hashOf(now) != choice[ChoiceSHA256]) {
		return changedMeanwhile(path), nil
	}
	var chosen []ConfigDifference
	if err := json.Unmarshal([]byte(choice[ChoiceDifferences]), &chosen); err != nil || len(chosen) == 0 {
		return Outcome{Kind: Failed, Message: "No difference was chosen"}, nil
	}
	after, err := Reapply(before, chosen)
	if err != nil {
		return Outcome{Kind: Failed, Message: "It cannot be re-applied: " + err.Error(), Remedy: "Set the value by hand, in the form that the new file has."}, nil
	}
	if err := w.change(ctx, Entry{
		Kind: FileEntry, Name: path, Before: map[string]string{"sha256": hashOf(before), "data": base64.StdEncoding.EncodeToString(before)},
		Meant: map[string]string{"sha256": hashOf(after)},
	}); err != nil {
		return Outcome{}, err
	}
	return writeFile(ctx, w, path, after)
}

// putBackUMConfig gives the file the content that it had before the fix.
func putBackUMConfig(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	if len(w.Ledger) == 0 {
		return Outcome{Kind: Done, Percent: 100, Message: "Nothing is left to undo"}, nil
	}
	e := w.Ledger[0]
	before, err := base64.StdEncoding.DecodeString(e.Before["data"])
	if err != nil {
		return Outcome{Kind: Failed, Message: "What the file held cannot be read from the record: " + err.Error()}, nil
	}
	now, exists, err := wholeFile(ctx, w.Host, e.Name)
	switch {
	case err != nil:
		return trouble("read "+e.Name, err)
	case exists && hashOf(now) == e.Before["sha256"]:
		return again("%s is as it was", e.Name), w.restored(ctx, e, "")
	case exists && hashOf(now) != e.Meant["sha256"]:
		return again("%s is another one now", e.Name), w.restored(ctx, e, "somebody changed the file since: it was left alone")
	}
	return writeFile(ctx, w, e.Name, before)
}

func writeFile(ctx context.Context, w *Work, path string, data []byte) (Outcome, error) {
	if err := w.intend(ctx, "write "+path); err != nil {
		return Outcome{}, err
	}
	if err := w.Host.WriteFile(ctx, path, data); err != nil {
		return trouble("write "+path, err)
	}
	return again("%s was written", path), nil
}

func changedMeanwhile(path string) Outcome {
	return Outcome{
		Kind: Failed, Message: path + " is not the file that was compared: nothing was written",
		Remedy: "Somebody changed it since the upgrade. Compare it by hand.",
	}
}

// reappliedPath is the full path of a file below Exchange's folder; "" = it is
// none that may be written.
func reappliedPath(ctx context.Context, w *Work, relative string) (string, error) {
	low := strings.ToLower(relative)
	if !strings.HasSuffix(low, ".xml") && !strings.HasSuffix(low, ".config") || strings.Contains(low, "..") || strings.ContainsAny(low, `:/"%`) || strings.HasPrefix(low, `\`) {
		return "", nil
	}
	install, err := w.Host.InstallPath(ctx)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(install, `\`) + `\` + relative, nil
}

// errTooLarge says that a file is longer than what is re-applied.
var errTooLarge = errors.New("the file is larger than 64 kB")

// wholeFile reads a file of at most mostOfFile bytes; false where there is none.
func wholeFile(ctx context.Context, h *windows.Host, path string) ([]byte, bool, error) {
	var data []byte
	for {
		chunk, err := h.ReadFile(ctx, path, int64(len(data)), 0)
		switch {
		case err != nil:
			return nil, false, err
		case !chunk.Exists:
			return nil, false, nil
		case chunk.Length > mostOfFile:
			return nil, true, fmt.Errorf("read file %s: %w", path, errTooLarge)
		}
		data = append(data, chunk.Data...)
		if int64(len(data)) >= chunk.Length || len(chunk.Data) == 0 {
			return data, true, nil
		}
	}
}
