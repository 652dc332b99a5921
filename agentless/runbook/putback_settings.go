package runbook

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// SettingsEntry is the kind of the ledger entry of settings that a Setup reset which
// was given up, failed, or was followed by a step that did; Name = the server; Before:
// what was recorded of them.
const SettingsEntry = "settings"

// settingsLeft opens the ledger entry of the settings, where the step that sets them
// back did not end after the last Setup. A Setup that unpacked no role reset none:
// settings come with the new files.
func settingsLeft(ctx context.Context, w *Work) error {
	note := w.note("record")
	ran := w.note("setup")[setupRan] != "" || slices.ContainsFunc(strings.Split(w.Memory[ranKeys], ","), func(key string) bool { return key == "setup"+w.Turn })
	if note[recordedFiles] == "" || !ran || w.note("settings-back")[settingsOf] == setupAttempt(w) {
		return nil
	}
	roles, err := w.Host.Roles(ctx)
	if err != nil {
		return err
	}
	unpacked := false
	for _, r := range roles {
		at, bad := exchange.ParseBuild(r.Unpacked)
		unpacked = unpacked || bad == nil && at.Compare(w.Package.Target) >= 0
	}
	if !unpacked {
		return nil
	}
	before := map[string]string{}
	for _, key := range []string{recordedPOP, recordedIMAP, recordedLevels, recordedStreaming} {
		if note[key] != "" {
			before[key] = note[key]
		}
	}
	return w.change(ctx, Entry{Kind: SettingsEntry, Name: w.Server.Name, Before: before, Meant: map[string]string{byWhom: bySetup}})
}

// putBackSettings sets the settings as they were, once all else is put back. What
// cannot be read or set is a deviation, with what it was: a server on which Setup
// broke may have cmdlets that do not answer, and must be let go all the same.
func putBackSettings(ctx context.Context, w *Work, e Entry) (out Outcome, closed bool, err error) {
	out, err = settingsAsRecorded(ctx, w, "settings-unwound")
	if err != nil || out.Kind == Again {
		return out, false, err
	}
	deviation := ""
	if out.Kind == Failed {
		deviation = out.Message
	}
	return Outcome{}, true, w.restored(ctx, e, deviation)
}

// loginsOfFiles fills in what cmdlets did not say of POP3 and IMAP4 while an attempt
// is unwound: a server that Setup did not take past RTM has no such cmdlets, and its
// configuration files count.
func loginsOfFiles(ctx context.Context, w *Work, told proved) error {
	if !w.Unwinding || !w.holds(exchange.ClientAccess) || unreadSettings(w, told) == "" {
		return nil
	}
	roles, err := w.Host.Roles(ctx)
	if err != nil {
		return err
	}
	at, err := exchange.ParseBuild(roles[string(exchange.ClientAccess)].Configured)
	if err != nil || at.ServicePack() > 0 {
		return nil // from SP1 on they are in Active Directory, and the files count for nothing
	}
	install, err := w.Host.InstallPath(ctx)
	if err != nil || install == "" {
		return err
	}
	i := slices.IndexFunc(keptPatterns, func(p string) bool { return strings.Contains(p, "PopImap") })
	files, err := w.Host.KeepFiles(ctx, install, "", keptPatterns[i])
	if err != nil {
		return err
	}
	for _, f := range files {
		if protocol, login := loginOf(f); protocol != "" {
			told.Said[protocol] = cmp.Or(told.Said[protocol], login)
		}
	}
	return nil
}
