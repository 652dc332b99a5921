package runbook

import (
	"cmp"
	"context"
	"fmt"
	"strconv"

	"wavekeeper/agentless/windows"
)

// stageFetch lets the host fetch the bundle, and says how far it is.
func stageFetch(ctx context.Context, w *Work) (Outcome, error) {
	m := w.Media.Medium
	source := cmp.Or(m.Source, m.From)
	if m.From == "" {
		out := again("Waits for a source of the media")
		out.After, out.Phase, out.Staged = later, phaseFetch, w.staged(phaseFetch)
		return out, nil
	}
	pull := windows.Pull{
		From: m.From, Token: m.Token, SHA256: m.BundleSHA256, Size: m.BundleSize, Path: m.bundle(),
		Room: m.BundleSize + m.TreeSize + stageMargin, Minutes: stageMinutes,
	}
	out, said, look, err := stageTask(ctx, w, windows.MediaPull, "the media is fetched from "+source, pull.Task)
	if done, _, ok := look.Progress(); ok {
		w.Memory[stageBytes] = strconv.FormatInt(done, 10)
	}
	if err != nil || said == nil {
		out.Phase, out.Staged = phaseFetch, w.staged(phaseFetch)
		if out.Kind == Again && look.State == windows.TaskStarted && !out.troubled {
			out.After = max(out.After, stagePoll)
			out.Percent = percentOf(out.Staged.Done, m.BundleSize)
			out.Message = fmt.Sprintf("%s came from %s", partWords(out.Staged.Done, m.BundleSize), source)
			if code := look.Waits(); code != "" {
				out.Message += "; it waits: " + sourceWords(code)
			}
		}
		return out, err
	}
	failed := Outcome{Kind: Failed, Phase: phaseFetch, Staged: w.staged(phaseFetch)}
	switch state := said.Get("state"); state {
	case windows.MediaFetched, windows.MediaPresent:
		w.Memory[stageBytes] = strconv.FormatInt(m.BundleSize, 10)
		return w.phase(phaseUnpack, "The media came from %s, and its SHA-256 is right", source), nil
	case windows.MediaNoRoom:
		return noRoom(failed, said, pull.Room), nil
	case windows.MediaChanged:
		failed.Message = fmt.Sprintf("What came from %s is not the registered media: %s", source, changedWords(said, m))
		failed.Remedy = changedRemedy(m)
	case windows.MediaRefused:
		failed.Message = fmt.Sprintf("%s does not give the media to this host: %s", source, lastWords(said))
		if m.Token != "" && said.Get("code") == damagedCode {
			failed.Message = "The console's own file of the media is damaged: it is not what was registered"
		}
		failed.Remedy = refusedRemedy(m, said.Get("code"))
	case windows.MediaAway:
		failed.Message = fmt.Sprintf("The host hears nothing of %s for five minutes: %s", source, lastWords(said))
		failed.Remedy = "Look at the way from the host to the source (its name, port and firewalls) and try again: it goes on from what came."
		return sourceAway(w, failed), nil
	case windows.MediaTooLong:
		failed.Message = fmt.Sprintf("The media did not come from %s within %d hours: %s; last: %s", source, stageMinutes/60, partWords(failed.Staged.Done, m.BundleSize), lastWords(said))
		failed.Remedy = "Look at the way from the host to the source and try again: it goes on from what came."
	default:
		failed.Message = fmt.Sprintf("The media did not come from %s (%s; last: %s)", source, state, lastWords(said))
		failed.Remedy = "Look at the way from the host to the source and try again: it goes on from what came."
	}
	return failed, nil
}

func noRoom(failed Outcome, said windows.Records, room int64) Outcome {
	free := "less"
	if n, err := strconv.ParseInt(said.Get("free"), 10, 64); err == nil {
		free = fmt.Sprintf("%d MB", n>>20)
	}
	failed.Message = fmt.Sprintf("The disk of %s has too little room: %s free, %d MB are needed for the media", windows.Media, free, room>>20)
	failed.Remedy = "Free disk space on the host and try again: it goes on from what came."
	return failed
}

// partWords is how much of a bundle came: "12 of 890 MB", "0 of 3 kB".
func partWords(done, total int64) string {
	if total < 10<<20 {
		return fmt.Sprintf("%d of %d kB", done>>10, (total+1023)>>10)
	}
	return fmt.Sprintf("%d of %d MB", done>>20, total>>20)
}

func percentOf(done, total int64) int {
	if total <= 0 {
		return 0
	}
	return int(min(99, done*100/total))
}

// stageUnpack makes the tree of the bundle.
func stageUnpack(ctx context.Context, w *Work) (Outcome, error) {
	m := w.Media.Medium
	unpack := windows.Unpack{
		Bundle: m.bundle(), SHA256: m.BundleSHA256, ManifestSize: m.ManifestSize, Tree: w.Media.Tree(), Room: m.TreeSize + stageMargin,
	}
	out, said, look, err := stageTask(ctx, w, windows.MediaUnpack, "the media is unpacked and every file compared", unpack.Task)
	if err != nil || said == nil {
		out.Phase, out.Staged = phaseUnpack, w.staged(phaseUnpack)
		if out.Kind == Again && look.State == windows.TaskStarted && !out.troubled {
			out.After, out.Percent = max(out.After, stagePoll), 99
		}
		return out, err
	}
	failed := Outcome{Kind: Failed, Phase: phaseUnpack, Staged: w.staged(phaseUnpack)}
	switch state := said.Get("state"); state {
	case windows.MediaUnpacked, windows.MediaPresent:
		return w.proven("The media is unpacked in %s, and every file of it is right", w.Media.Folder), nil
	case windows.MediaAbsent, windows.MediaChanged:
		if w.raise(stageTry+windows.MediaPull) < stageTries && w.raise(stageTry+windows.MediaUnpack) < stageTries {
			return w.phase(phaseFetch, "The bundle on the host is gone or changed (%s): it is fetched again", state), nil
		}
		failed.Message = "The bundle on the host is changed again and again: " + differences(said)
		failed.Remedy = "Find out who changes it, then try again."
	case windows.MediaNoRoom:
		return noRoom(failed, said, unpack.Room), nil
	case windows.MediaForeign:
		return treeDiffers(w, said), nil
	default:
		failed.Message = "The media did not unpack to what it has to be: " + differences(said)
		failed.Remedy = "Add the media anew on the console and try again; look at the host's disk where it happens again."
	}
	return failed, nil
}
