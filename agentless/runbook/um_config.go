package runbook

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
)

// The record of files, as the fix that re-applies them takes it: one evidence of
// kind KeptFileEvidence for each file as it was before Setup, its name the path
// below the installation with the host's spelling, its data the bytes (files over
// 64 kB are only in the record's hashes); and after Setup one of kind
// NewFileEvidence in the same form for each of them that is other now, and one of
// kind ConfigDiffEvidence with ConfigDifferences as JSON. A fix re-applies single
// differences to the new file by Reapply and never puts the old file in its place,
// whose schema may be another.
const (
	NewFileEvidence    = "new-file"    // a file as Setup left it
	ConfigDiffEvidence = "config-diff" // JSON: [ConfigDifference]; Name = the path
)

// umConfig shows what Setup overwrote: files that are other than recorded are
// kept as they are now, beside those of before, and what differs is listed.
// Nothing is changed; a person chooses what is re-applied.
func umConfig(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	text := w.note("record")[recordedFiles]
	if text == "" {
		return notHere("No files were recorded"), nil
	}
	var before map[string]string
	if err := json.Unmarshal([]byte(text), &before); err != nil {
		return Outcome{}, fmt.Errorf("read the recorded files: %w", err)
	}
	install, err := w.Host.InstallPath(ctx)
	if err != nil {
		return trouble("read where Exchange is installed", err)
	}
	patterns, err := keptOf(ctx, w, install)
	if err != nil {
		return trouble("look for "+owaSubject, err)
	}
	now, err := w.Host.KeepFiles(ctx, install, "", patterns...)
	if err != nil {
		return trouble("compare the files that Setup overwrites", err)
	}
	old, err := w.recordedFiles(ctx, before, now)
	if err != nil {
		return trouble("read the copies of before", err)
	}
	out := Outcome{Kind: Done, Percent: 100}
	var changed []string
	seen := map[string]bool{}
	for _, f := range now {
		low := strings.ToLower(f.Path)
		seen[low] = true
		if sum, had := before[low]; !had || sum == f.SHA256 {
			continue
		}
		changed = append(changed, f.Path)
		if f.Data == nil {
			continue
		}
		kept := withoutSecrets(f.Path, f.Data) // one with a secret is re-applied by hand: its hash is not that of the file
		out.Evidence = append(out.Evidence, Evidence{Kind: NewFileEvidence, Name: f.Path, Data: kept})
		differences, err := ConfigDifferences(withoutSecrets(f.Path, old[low]), kept)
		if err != nil || len(differences) == 0 {
			continue // no XML, or other in layout alone: both files are kept
		}
		raw, err := json.Marshal(differences)
		if err != nil {
			return Outcome{}, fmt.Errorf("encode the differences of %s: %w", f.Path, err)
		}
		out.Evidence = append(out.Evidence, Evidence{Kind: ConfigDiffEvidence, Name: f.Path, Data: raw})
	}
	var gone []string
	for _, path := range slices.Sorted(maps.Keys(before)) {
		if !seen[path] {
			gone = append(gone, path)
		}
	}
	out.Message = fmt.Sprintf("%d files are as they were", len(before)-len(changed)-len(gone))
	if len(changed) > 0 {
		out.Message += "; Setup overwrote " + list(changed)
		out.Remedy = "See what differs and have re-applied what was meant: the files of before are kept with this upgrade."
	}
	if files, text := owaDiffers(before, now); len(files) > 0 {
		out.Message += "; " + owaSubject + " are those of the new level, what was changed in the old ones is not in them: " + list(files)
		out.Evidence = append(out.Evidence, Evidence{Kind: OWAEvidence, Name: owaSubject, Data: []byte(text)})
	}
	if len(gone) > 0 {
		out.Message += "; gone: " + list(gone)
	}
	return out, nil
}

// recordedFiles reads the copies of before of those files that are other now,
// from the task's folder of the attempt that made them.
func (w *Work) recordedFiles(ctx context.Context, before map[string]string, now []windows.KeptFile) (map[string][]byte, error) {
	old := map[string][]byte{}
	folder := windows.TaskFolder(windows.TaskName(w.Installation, w.Upgrade, "record"+w.Turn, w.Attempt)) + `\kept`
	for _, f := range now {
		low := strings.ToLower(f.Path)
		if sum, had := before[low]; !had || sum == f.SHA256 || !strings.HasSuffix(low, ".xml") && !strings.HasSuffix(low, ".config") || f.Data == nil {
			continue
		}
		chunk, err := w.Host.ReadFile(ctx, folder+`\`+strings.ReplaceAll(f.Path, `\`, "~"), 0, 0)
		if err != nil {
			return nil, err
		}
		if chunk.Exists && int64(len(chunk.Data)) == chunk.Length && hashOf(chunk.Data) == before[low] {
			old[low] = chunk.Data
		}
	}
	return old, nil
}
