package runbook

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// UMPackEntry is the kind of a ledger entry of a language pack of Unified
// Messaging that was taken out: Name = its culture; Before: version.
const UMPackEntry = "um-pack"

// englishPack is never taken out: it is part of the role.
const englishPack = "en-US"

// umOut takes every language pack of Unified Messaging out but en-US, one
// program for each, with the Setup of the installed build, which alone can. It is
// given no source: the founding document names one (/s:), Microsoft's own command
// does not ("Remove a UM language pack", technet bb124004: Setup /RemoveUmLanguagePack
// and the culture, nothing else), and what Setup removes it finds by the product code
// that the registry holds (RemoveUmLanguagePackCfgDataHandler, decompiled; log 13 of
// the corpus). Other sources: readiness rule AdditionalUMLangPackExists; technet
// bb397393.
func umOut(ctx context.Context, w *Work) (Outcome, error) {
	begunAnew(w)
	if !w.holds(exchange.UnifiedMessaging) {
		return notHere("The server has no Unified Messaging"), nil
	}
	culture := w.Memory[packInWork]
	packs, err := w.Host.UMPackVersions(ctx)
	if err != nil {
		return p0.outOfReach(w, "read the language packs", err)
	}
	if culture == "" {
		for _, name := range slices.Sorted(maps.Keys(packs)) {
			if !strings.EqualFold(name, englishPack) {
				culture = name
				break
			}
		}
		if culture == "" {
			out := Outcome{Kind: Done, Percent: 100, Message: "No language pack but en-US is installed"}
			if done := w.Memory[packsDone]; done != "" {
				out.Message = "Language packs taken out: " + done
			}
			return out, nil
		}
		w.Memory[packInWork] = culture
	}
	install, err := w.Host.InstallPath(ctx)
	if err != nil {
		return p0.outOfReach(w, "read where Exchange is installed", err)
	}
	setup := strings.TrimRight(install, `\`) + `\bin\Setup.com`
	p := program{
		key: "um-out-" + strings.ToLower(culture), who: "Setup", words: "Language pack " + culture + " is taken out",
		account: w.RunAs, switches: true, files: []wantedFile{{path: setup}}, log: setupLog, final: true,
		already:   "Language pack " + culture + " is not installed",
		completed: "Language pack " + culture + " is taken out",
		resume: "Read the end of the setup log and remove-UMLanguagePack." + culture + ".msilog beside it. Where the package of the pack is not found (1612), " +
			"put its source back; then run again.",
		broken: "Look at the host and the end of the setup log. Run again takes the pack out, or finds that it is gone.",
	}
	p.body = func(folder string) ([]byte, map[string][]byte, error) {
		body, err := windows.SetupBody(folder, setup, "/RemoveUmLanguagePack:"+culture)
		return body, nil, err
	}
	p.found = func(ctx context.Context) (found, error) {
		return packFound(ctx, w, culture, func(version string, installed bool) string {
			if installed {
				return "language pack " + culture + " is still installed"
			}
			return ""
		})
	}
	p.first = func(ctx context.Context) (Outcome, error) {
		return Outcome{Kind: Done}, w.change(ctx, Entry{
			Kind: UMPackEntry, Name: culture, Before: map[string]string{"version": packs[culture]}, Meant: map[string]string{"version": "absent"},
		})
	}
	return oneOfSeveral(ctx, w, p, culture)
}

// What a step with several programs, one after the other, remembers.
const (
	packInWork = "pack"
	packsDone  = "packs"
)

// packLog is where Windows Installer writes of a language pack. Source: logs 13
// and 20 of the corpus.
func packLog(verb, culture string) string {
	return setupLog[:strings.LastIndex(setupLog, `\`)+1] + verb + "-UMLanguagePack." + culture + ".msilog"
}

// p0 is for what a step asks before it knows its program.
var p0 = program{who: "Setup"}

// begunAnew is fresh for a step that runs programs.
func begunAnew(w *Work) {
	ran := w.Memory[setupRan]
	w.fresh()
	if ran != "" {
		w.Memory[setupRan] = ran
	}
}

// oneOfSeveral ticks the program in work. When it is done, what it remembered
// goes in the same tick, so that the next begins with nothing.
func oneOfSeveral(ctx context.Context, w *Work, p program, name string) (Outcome, error) {
	out, err := p.tick(ctx, w)
	if err != nil || out.Kind != Done {
		return out, err
	}
	kept := map[string]string{"attempt": w.Memory["attempt"], packsDone: join2(w.Memory[packsDone], name)}
	if w.Memory[setupRan] != "" {
		kept[setupRan] = w.Memory[setupRan]
	}
	clear(w.Memory)
	maps.Copy(w.Memory, kept)
	next := onward("%s", out.Message)
	next.Log = out.Log
	return next, nil
}

func join2(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// packFound asks for a language pack, and for the marks of a Setup that did not
// end. wrong says what is wrong with what is installed, or "".
func packFound(ctx context.Context, w *Work, culture string, wrong func(version string, installed bool) string) (found, error) {
	packs, err := w.Host.UMPackVersions(ctx)
	if err != nil {
		return found{}, err
	}
	roles, err := w.Host.Roles(ctx)
	if err != nil {
		return found{}, err
	}
	f := found{marked: markers(roles)}
	version, installed := "", false
	for name, v := range packs {
		if strings.EqualFold(name, culture) {
			version, installed = v, true
		}
	}
	if text := wrong(version, installed); text != "" {
		f.wrong = append(f.wrong, text)
	}
	if len(f.marked) > 0 {
		f.wrong = append(f.wrong, list(f.marked))
	}
	f.reached = len(f.wrong) == 0
	return f, nil
}

// umIn brings the language packs back that the server had, of the new level and
// from the package's own media: those of RTM do not fit service packs
// (Microsoft's table of Unified Messaging languages). One that the media does not
// hold is said, and left to people.
func umIn(ctx context.Context, w *Work) (Outcome, error) {
	begunAnew(w)
	wanted := wantedPacks(w)
	if !w.holds(exchange.UnifiedMessaging) || len(wanted) == 0 {
		return notHere("No language pack of Unified Messaging was taken out"), nil
	}
	packs, err := w.Host.UMPackVersions(ctx)
	if err != nil {
		return p0.outOfReach(w, "read the language packs", err)
	}
	culture := w.Memory[packInWork]
	for _, name := range wanted {
		if culture == "" && !ofLevel(packs, name, w.Package.Target) && !strings.Contains(w.Memory["lacking"]+",", name+",") {
			culture = name
		}
	}
	if culture == "" {
		return umInDone(ctx, w, wanted, packs)
	}
	if w.Memory["folder"] == "" {
		folder, err := packFolder(ctx, w, culture)
		if err != nil {
			return p0.outOfReach(w, "look for language packs in the media", err)
		}
		if folder == "" {
			w.Memory["lacking"] += culture + ","
			return onward("The package's media holds no language pack %s", culture), nil
		}
		w.Memory["folder"] = folder
	}
	w.Memory[packInWork] = culture
	p := mediaSetup(w, "um-in-"+strings.ToLower(culture), "Language pack "+culture+" is installed", "/AddUmLanguagePack:"+culture+" /s:"+w.Memory["folder"])
	p.already = "Language pack " + culture + " is installed"
	p.completed = "Language pack " + culture + " of the new level is installed"
	p.resume = "Read the end of the setup log and add-UMLanguagePack." + culture + ".msilog beside it, then run again; or add the pack by hand and mark the server as repaired."
	p.broken = "Look at the host and the end of the setup log. Run again installs the pack, or finds that it is there."
	p.found = func(ctx context.Context) (found, error) {
		return packFound(ctx, w, culture, func(version string, installed bool) string {
			switch {
			case !installed:
				return "language pack " + culture + " is not installed"
			case !sameLevel(version, w.Package.Target):
				return fmt.Sprintf("language pack %s is of %s, which does not fit %s", culture, said(version), w.Package.Target)
			}
			return ""
		})
	}
	return oneOfSeveral(ctx, w, p, culture)
}

// umInDone closes the ledger's entries of the packs.
func umInDone(ctx context.Context, w *Work, wanted []string, packs map[string]string) (Outcome, error) {
	var in, lacking []string
	for _, name := range wanted {
		deviation := ""
		if ofLevel(packs, name, w.Package.Target) {
			in = append(in, name)
		} else {
			lacking = append(lacking, name)
			deviation = "language pack " + name + " is not back: the package's media does not hold it"
		}
		for _, e := range slices.Clone(w.Ledger) {
			if e.Kind == UMPackEntry && strings.EqualFold(e.Name, name) {
				if err := w.restored(ctx, e, deviation); err != nil {
					return Outcome{}, err
				}
			}
		}
	}
	out := Outcome{Kind: Done, Percent: 100, Message: "Language packs of the new level: " + list(in)}
	if len(lacking) > 0 {
		out.Message = fmt.Sprintf("The package's media holds no language pack %s: Unified Messaging speaks without it", list(lacking))
		out.Remedy = "Fetch the language pack of this service pack and add it with Setup.com /AddUmLanguagePack; one of an older level does not fit."
	}
	return out, nil
}

// wantedPacks are the packs that the server had: of the record, and of the ledger.
func wantedPacks(w *Work) []string {
	var names []string
	add := func(name string) {
		if name != "" && !strings.EqualFold(name, englishPack) && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			names = append(names, name)
		}
	}
	for _, name := range strings.Split(w.note("record")[recordedPacks], ",") {
		add(name)
	}
	for _, e := range w.Ledger {
		if e.Kind == UMPackEntry {
			add(e.Name)
		}
	}
	slices.Sort(names)
	return names
}

func ofLevel(packs map[string]string, culture string, target exchange.Build) bool {
	for name, version := range packs {
		if strings.EqualFold(name, culture) {
			return sameLevel(version, target)
		}
	}
	return false
}

// sameLevel compares service packs: a pack of RTM does not fit any of them, and
// those of the service packs are one set; the stricter reading is taken where
// Windows tells the build. Where it does not, the pack counts as right: those of
// before were all taken out, and Setup takes none of another level in.
func sameLevel(version string, target exchange.Build) bool {
	b, err := exchange.ParseBuild(version)
	return version == "" || err != nil || b.Major == target.Major && b.Minor == target.Minor
}

// packFolder is where the media holds the language pack, or "". Sources: names of
// files in localised packages (recognised when media are registered); the folder
// is remembered, so the root is looked at, too.
func packFolder(ctx context.Context, w *Work, culture string) (string, error) {
	packs, _, err := packsInMedia(ctx, w)
	if err != nil {
		return "", err
	}
	for name, folder := range packs {
		if strings.EqualFold(name, culture) {
			return folder, nil
		}
	}
	return "", nil
}

// packsInMedia are the language packs that the media on the host holds, each with
// its folder, and whether there is a folder to look in at all.
func packsInMedia(ctx context.Context, w *Work) (map[string]string, bool, error) {
	packs, there := map[string]string{}, false
	for _, folder := range []string{w.Media.Folder, w.Media.Folder + `\Setup\ServerRoles\UnifiedMessaging`} { // the second counts more
		entries, exists, err := w.Host.List(ctx, folder)
		if err != nil {
			return nil, false, err
		}
		there = there || exists
		for _, e := range entries {
			if culture := packCulture(e.Name); culture != "" && !e.Folder {
				packs[culture] = folder
			}
		}
	}
	return packs, there, nil
}

// packCulture is the culture of a language pack's file, lower case; "" for another
// file.
func packCulture(name string) string {
	culture, isPack := strings.CutPrefix(strings.ToLower(name), "umlanguagepack.")
	culture, isMSI := strings.CutSuffix(culture, ".msi")
	if !isPack || !isMSI {
		return ""
	}
	return culture
}

// putBackPack ends the entry of a pack that an attempt which came to nothing took
// out: only media of the installed level could bring it back, which is not on the
// host. The next attempt brings the pack of the new level.
func putBackPack(ctx context.Context, w *Work, e Entry) (Outcome, bool, error) {
	packs, err := w.Host.UMPackVersions(ctx)
	if err != nil {
		out, err := trouble("read the language packs", err)
		return out, false, err
	}
	for name := range packs {
		if strings.EqualFold(name, e.Name) {
			return Outcome{}, true, w.restored(ctx, e, "")
		}
	}
	return Outcome{}, true, w.restored(ctx, e, fmt.Sprintf("language pack %s (%s) was taken out and is not back: it needs the language pack's media of the installed level, "+
		"and comes back in the new level when the upgrade goes through", e.Name, said(e.Before["version"])))
}
