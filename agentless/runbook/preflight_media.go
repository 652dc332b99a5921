package runbook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
	rules "wavekeeper/server/preflight"
)

// mediaOf is what comparing the media came to.
func mediaOf(w *Work) rules.Media {
	m := rules.Media{Language: w.Package.Language, Arch: w.Package.Arch, Folder: w.Media.Folder, Compared: w.Memory["media"] != ""}
	p := kept(w, "media")
	path, sum := mediaFile(w), p.Said["sha256"]
	switch {
	case p.Trouble != "":
		m.Text, m.Evidence = "The media could not be read by a host task: "+p.Trouble, p.Trouble
		m.Remedy = cmp.Or(p.Remedy, "Check the Task Scheduler service and "+windows.Root+".")
	case w.Media.Medium.Known():
		tree(&m, w, p.Said)
	case p.Said["exists"] != "1":
		m.Text, m.Evidence, m.Remedy = "The media is not on the host", path+" does not exist", "Unpack the package to "+w.Media.Folder+"."
	case sum != strings.ToLower(w.Media.SetupSHA256):
		m.Text, m.Evidence = "The media is not the registered package", fmt.Sprintf("%s has SHA-256 %s, want %s", path, sum, w.Media.SetupSHA256)
		m.Remedy = "Put the right media on the host."
	default:
		m.Right, m.Evidence = true, sum
	}
	return m
}

// tree is mediaOf for a package with a medium: every file of it counts.
func tree(m *rules.Media, w *Work, said map[string]string) {
	var records windows.Records
	for _, name := range []string{"state", "bad", "differs"} {
		for _, value := range strings.Split(said[name], "\n") {
			records = append(records, windows.Record{Name: name, Value: value})
		}
	}
	switch state := said["state"]; state {
	case windows.MediaRight:
		m.Right, m.Evidence = true, fmt.Sprintf("%s files, manifest %s", said["files"], w.Media.Medium.ManifestSHA256)
	case windows.MediaAbsent:
		m.Absent = true
		m.Text, m.Evidence, m.Remedy = "The media is not on the host", w.Media.Folder+" or its manifest does not exist", "Run again: it is brought there."
	default:
		m.Text, m.Evidence = "The media is not the registered package: "+differences(records), "state "+state
		m.Remedy = "Find out who changed it. Then remove " + w.Media.Folder + " and run again: it is fetched anew."
	}
}

// packsTold are the language packs of Unified Messaging in the media, where the
// host has one that has to come back in: those on the host, else those with which
// the media were registered.
func packsTold(ctx context.Context, w *Work, s rules.Subject) (rules.Told[[]string], error) {
	var unknown rules.Told[[]string]
	other := func(culture string) bool { return !strings.EqualFold(culture, englishPack) }
	if s.Kind() != rules.ServicePack || !s.Server.Has(exchange.UnifiedMessaging) || !slices.ContainsFunc(s.Facts.UMPacks.Value, other) {
		return unknown, nil
	}
	packs, there, err := packsInMedia(ctx, w)
	var broken *windows.ScriptError
	switch {
	case errors.As(err, &broken): // the rule says that it is not known
		return unknown, nil
	case err != nil:
		return unknown, err
	case there:
		return rules.Tell(slices.Sorted(maps.Keys(packs)), w.Now), nil
	case w.Media.Medium.Known():
		return rules.Tell(w.Media.Medium.Packs, w.Now), nil
	}
	return unknown, nil
}
