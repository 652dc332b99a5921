package runbook

import (
	"context"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
)

// leftoversAfter is how old what is left of a fetch of other media must be before
// it is removed: whoever stages them goes on from it until then.
const leftoversAfter = 7 * 24 * time.Hour

const mediaTidied = "media-tidied"

// tidyMedia removes what is left of bundles once their tree is proven, and what
// nobody has gone on with for a week. Trees stay. While the medium is not on the
// host, what came of it stays for the next attempt.
func tidyMedia(ctx context.Context, w *Work) (Outcome, error) {
	m := w.Media.Medium
	if !m.Known() || w.Memory[mediaTidied] != "" {
		return Outcome{Kind: Done}, nil
	}
	entries, there, err := w.Host.List(ctx, windows.Media)
	if err != nil {
		return trouble("look at the folder of media", err)
	}
	if !there {
		return Outcome{Kind: Done}, nil
	}
	os, err := w.Host.OS(ctx)
	if err != nil {
		return trouble("ask the host's time", err)
	}
	proven := w.note(Stage)[stageProven] != "" || w.Memory[stageProven] != ""
	var names []string
	for _, e := range entries {
		low := strings.ToLower(e.Name)
		half := strings.EqualFold(windows.Media+`\`+e.Name, w.Media.Folder+".new") // nobody goes on with it
		ours := half || low == m.bundleName() || low == m.bundleName()+".part"
		rest := strings.HasSuffix(low, ".wkm") || strings.HasSuffix(low, ".wkm.part") || e.Folder && strings.HasSuffix(low, ".new")
		if half || ours && proven || rest && !ours && os.Now.Sub(e.Modified) > leftoversAfter {
			names = append(names, e.Name)
		}
	}
	if len(names) > 0 {
		if err := w.intend(ctx, "remove what is left of media: "+strings.Join(names, ", ")); err != nil {
			return Outcome{}, err
		}
		if err := w.Host.RemoveMedia(ctx, names...); err != nil {
			return trouble("remove what is left of media", err)
		}
	}
	w.Memory[mediaTidied] = "yes"
	return Outcome{Kind: Done}, nil
}
