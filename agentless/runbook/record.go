package runbook

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// What the step record remembers beside services. The settings are those of
// before the first Setup of this upgrade: a later attempt does not take what
// Setup reset for what was there.
const (
	recordedUM        = "um"        // Status of the UM server: Enabled, NoNewCalls, Disabled
	recordedPacks     = "um_packs"  // cultures by comma
	recordedPOP       = "pop"       // LoginType
	recordedIMAP      = "imap"      // LoginType
	recordedLevels    = "levels"    // JSON: event-log levels that are not the lowest, source\category -> level
	recordedStreaming = "streaming" // value of remote streaming backup, or absent
	recordedFiles     = "files"     // JSON: path below the installation -> SHA-256
	recordedManaged   = "managed"   // services by comma that the cluster manages
	recordedForeign   = "foreign"   // services by comma that are stopped beside the inventory's
)

const valueAbsent = "absent"

// keptPatterns are the files that Setup overwrites or may, below the folder of
// the installation. Sources: the founding document and the page on Unified
// Messaging's data (bin\*.xml), KB944752 (*.config), the page on archiving POP3
// and IMAP4, KB935490 (pages of Outlook Web Access).
var keptPatterns = []string{
	`bin\*.xml`, `bin\*.config`, `ClientAccess\PopImap\*.config`,
	`ClientAccess\Owa\*.config`, `ClientAccess\Owa\auth\*.aspx`, `ClientAccess\Owa\auth\*.htm`,
}

// The kinds of evidence of what a server was set to.
const (
	KeptFileEvidence = "kept-file" // a file as it was before Setup; Name = its path below the installation
	SettingsEvidence = "settings"  // what cmdlets said, as text
)

// record keeps what the server was like before anything is touched: services
// with their start types, settings that Setup resets, and the files that it
// overwrites, which go to the coordinator and to the task's folder on the host.
func record(ctx context.Context, w *Work) (Outcome, error) {
	if w.Memory == nil {
		w.Memory = map[string]string{}
	}
	if was := w.Memory[nodeName]; was != "" && was != w.Node { // the nodes were chosen anew
		clear(w.Memory)
	}
	w.Memory[nodeName] = w.Node
	attempt := strconv.Itoa(w.Attempt)
	for _, part := range []struct {
		name string
		do   func(context.Context, *Work) (Outcome, bool, error)
	}{{"of_services", recordServices}, {"of_settings", recordLocal}, {"of_files", recordFiles}, {"of_exchange", recordExchange}} {
		if w.Memory[part.name] == attempt {
			continue
		}
		out, done, err := part.do(ctx, w)
		if done && err == nil {
			w.Memory[part.name] = attempt
		}
		return out, err
	}
	return Outcome{Kind: Done, Percent: 100, Message: recordWords(w)}, nil
}

func recordWords(w *Work) string {
	services, _, err := recorded(&Work{Notes: map[string]map[string]string{"record": w.Memory}})
	if err != nil {
		return "The state is recorded"
	}
	var files map[string]string
	if json.Unmarshal([]byte(w.Memory[recordedFiles]), &files) != nil {
		files = nil
	}
	return fmt.Sprintf("Recorded: %d services, %d files that Setup overwrites, settings of the roles", len(services), len(files))
}

// untouched reports that neither Setup nor a rollup began on the host in this
// upgrade: until then what is found counts, afterwards what was found before.
func (w *Work) untouched() bool {
	return w.note("setup")[setupRan] == "" && w.note(RollupName)[setupRan] == ""
}

// remembered keeps a setting unless what was run may have changed it.
func (w *Work) remembered(key, value string) {
	if w.Memory[key] == "" || w.untouched() {
		w.Memory[key] = value
	}
}

// recordLocal reads what the registry says, and which services of others have to
// stop.
func recordLocal(ctx context.Context, w *Work) (Outcome, bool, error) {
	packs, err := w.Host.UMPackVersions(ctx)
	if err != nil {
		out, err := trouble("read the language packs", err)
		return out, false, err
	}
	names := strings.Split(w.Memory[recordedPacks], ",") // what an earlier attempt took out comes back
	for name := range packs {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	w.Memory[recordedPacks] = strings.Trim(strings.Join(names, ","), ",")
	if w.holds(exchange.Mailbox) {
		value, set, err := w.Host.Streaming(ctx)
		if err != nil {
			out, err := trouble("read remote streaming backup", err)
			return out, false, err
		}
		text := valueAbsent
		if set {
			text = strconv.FormatUint(uint64(value), 10)
		}
		w.remembered(recordedStreaming, text)
	}
	foreign, managed, err := inTheWay(ctx, w)
	if err != nil {
		out, err := trouble("look for services of others", err)
		return out, false, err
	}
	w.remembered(recordedForeign, strings.Join(foreign, ","))
	w.Memory[recordedManaged] = strings.Join(managed, ",")
	return onward("The settings in the registry are recorded"), true, nil
}

// recordFiles keeps the files that Setup overwrites.
func recordFiles(ctx context.Context, w *Work) (Outcome, bool, error) {
	install, err := w.Host.InstallPath(ctx)
	if err != nil {
		out, err := trouble("read where Exchange is installed", err)
		return out, false, err
	}
	if install == "" {
		return onward("Exchange names no folder of its own: no file is kept"), true, nil
	}
	task := windows.TaskName(w.Installation, w.Upgrade, "record"+w.Turn, w.Attempt)
	if err := w.Host.MakeTaskFolder(ctx, task); err != nil {
		out, err := trouble("make the folder for copies of files", err)
		return out, false, err
	}
	copies := windows.TaskFolder(task) + `\kept`
	if err := w.Host.MakeFolder(ctx, copies); err != nil {
		out, err := trouble("make the folder for copies of files", err)
		return out, false, err
	}
	patterns, err := keptOf(ctx, w, install)
	if err != nil {
		out, err := trouble("look for "+owaSubject, err)
		return out, false, err
	}
	files, err := w.Host.KeepFiles(ctx, install, copies, patterns...)
	if err != nil {
		out, err := trouble("keep the files that Setup overwrites", err)
		return out, false, err
	}
	out := onward("%d files that Setup overwrites are kept", len(files))
	sums := map[string]string{}
	for _, f := range files {
		sums[strings.ToLower(f.Path)] = f.SHA256
		if f.Data != nil {
			out.Evidence = append(out.Evidence, Evidence{Kind: KeptFileEvidence, Name: f.Path, Data: withoutSecrets(f.Path, f.Data)})
		}
		if protocol, login := loginOf(f); protocol != "" {
			w.remembered(protocol, login)
		}
	}
	if w.untouched() || w.Memory[recordedFiles] == "" {
		text, err := json.Marshal(sums)
		if err != nil {
			return Outcome{}, false, fmt.Errorf("encode the files' hashes: %w", err)
		}
		w.Memory[recordedFiles] = string(text)
	} else {
		out.Evidence = nil // those of before Setup are kept already
	}
	return out, true, nil
}

// recordExchange asks the cmdlets of the roles, with one host task.
func recordExchange(ctx context.Context, w *Work) (Outcome, bool, error) {
	sections := []string{"levels"}
	if w.holds(exchange.UnifiedMessaging) {
		sections = append(sections, "um")
	}
	if w.holds(exchange.ClientAccess) {
		sections = append(sections, "pop")
	}
	if w.holds(exchange.HubTransport, exchange.EdgeTransport) {
		sections = append(sections, "connectors")
	}
	const key = "settings"
	if at := w.Memory["settings_of"]; at != strconv.Itoa(w.Attempt) {
		delete(w.Memory, key)
		w.Memory["settings_of"] = strconv.Itoa(w.Attempt)
	}
	told, known, out, err := cmdlet(ctx, w, key, "the settings of the roles are read", "state", strings.Join(sections, ","))
	if err != nil || !known {
		return out, false, err
	}
	if told.Trouble != "" {
		return Outcome{
			Kind: Failed, Message: "The settings of the roles could not be read: " + told.Trouble,
			Remedy: "See that the run-as account may read the server's settings (Exchange View-Only Administrator at least), then run again; nothing was changed.",
		}, false, nil
	}
	w.remembered(recordedUM, told.Said["um"])
	for _, protocol := range []string{recordedPOP, recordedIMAP} { // from SP1 on; before, the files told
		if login := told.Said[protocol]; login != "" {
			w.remembered(protocol, login)
		}
	}
	levels := map[string]string{}
	for _, line := range strings.Split(told.Said["level"], "\n") {
		if name, level, ok := cutLast(line, "="); ok && level != lowestLevel {
			levels[name] = level
		}
	}
	text, err := json.Marshal(levels)
	if err != nil {
		return Outcome{}, false, fmt.Errorf("encode the event-log levels: %w", err)
	}
	w.remembered(recordedLevels, string(text))
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(told.Said)) {
		fmt.Fprintf(&b, "%s:\r\n  %s\r\n", name, strings.ReplaceAll(told.Said[name], "\n", "\r\n  "))
	}
	out = onward("The settings of the roles are recorded")
	out.Evidence = []Evidence{{Kind: SettingsEvidence, Name: fmt.Sprintf("before, attempt %d", w.Attempt), Data: []byte(b.String())}}
	return out, true, nil
}

const lowestLevel = "Lowest"

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
