package runbook

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// loginNumbers are the login types of POP3 and IMAP4 in the configuration files
// of RTM. Source: 1 is PlainTextLogin (the page on their authentication); the
// others as remembered.
var loginNumbers = map[string]string{"1": "PlainTextLogin", "2": "PlainTextAuthentication", "3": "SecureLogin"}

// loginKey finds the login type in a configuration file of RTM, by number or by
// name; in comments, too, which real files do not have.
var loginKey = regexp.MustCompile(`(?i)<add\s+key="LoginType"\s+value="([A-Za-z0-9]{1,32})"`)

// loginOf reads the login type from a kept file, and for which protocol.
func loginOf(f windows.KeptFile) (protocol, login string) {
	low := strings.ToLower(f.Path)
	switch {
	case strings.HasSuffix(low, `popimap\microsoft.exchange.pop3.exe.config`):
		protocol = recordedPOP
	case strings.HasSuffix(low, `popimap\microsoft.exchange.imap4.exe.config`):
		protocol = recordedIMAP
	default:
		return "", ""
	}
	m := loginKey.FindSubmatch(f.Data)
	if m == nil {
		return "", ""
	}
	if name, ok := loginNumbers[string(m[1])]; ok {
		return protocol, name
	}
	for _, name := range loginNumbers {
		if strings.EqualFold(name, string(m[1])) {
			return protocol, name
		}
	}
	return "", ""
}

// settingsBack compares what Setup is known to reset with the record, and sets
// what is other than it was: the login types of POP3 and IMAP4 (by design reset
// by SP1: page on archiving them), remote streaming backup (the founding
// document) and event-log levels (page on changes of Setup in SP2). One action a
// tick. The misspelt key of remote streaming backup is said, and left alone.
func settingsBack(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	if w.note("record")[recordedFiles] == "" {
		return notHere("No settings were recorded"), nil
	}
	out, err := settingsAsRecorded(ctx, w, "settings-look")
	if err == nil && out.Kind == Done {
		w.Memory[settingsOf] = setupAttempt(w)
	}
	return out, err
}

// settingsOf is what settings-back remembers of the Setup after which all settings
// were as recorded.
const settingsOf = "as_recorded_after"

func setupAttempt(w *Work) string { return w.note("setup")["attempt"] }

// looksAtSettings bounds how often settings are looked at that cannot be read, or
// are other although they were set: a domain controller may lag behind another.
const looksAtSettings = 3

// settingsAsRecorded moves the settings on by one action; look begins the names of
// the tasks that look at them, which have a number: a task says the same for ever.
func settingsAsRecorded(ctx context.Context, w *Work, look string) (Outcome, error) {
	if w.Memory["registry"] == "" {
		if out, err := streamingBack(ctx, w); err != nil || out.Kind != Done {
			return out, err
		}
		w.Memory["registry"] = "yes"
	}
	if w.Memory["restart"] != "" {
		return restartMailClient(ctx, w)
	}
	var sections []string
	if w.holds(exchange.ClientAccess) {
		sections = append(sections, "pop")
	}
	sections = append(sections, "levels")
	if n := w.count("looks"); n > 0 {
		look += "-" + strconv.Itoa(n)
	}
	told, known, out, err := cmdlet(ctx, w, look, "the settings of the roles are compared", "state", strings.Join(sections, ","))
	if err != nil || !known {
		return out, err
	}
	if told.Trouble != "" {
		return Outcome{
			Kind: Failed, Message: "The settings of the roles could not be compared: " + told.Trouble,
			Remedy: "See that the run-as account may read and change the server's settings, then run again: only what is other than recorded is set.",
		}, nil
	}
	if err := loginsOfFiles(ctx, w, told); err != nil {
		return trouble("read the configuration of POP3 and IMAP4", err)
	}
	if unread := unreadSettings(w, told); unread != "" {
		if w.raise("unread") < looksAtSettings {
			w.raise("looks")
			out = again("The settings of %s could not be read: %s", unread, told.Said["missed"])
			out.After = later
			return out, nil
		}
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("Setup resets the settings of %s, and what they are now could not be read: %s", unread, orUnsaid(told.Said["missed"])),
			Remedy: "See that Get-PopSettings and Get-ImapSettings answer under the run-as account, then run again: only what is other than recorded is set.",
		}, nil
	}
	unlike := settingsToSet(w, told)
	if all := slices.DeleteFunc(slices.Clone(unlike), func(s setting) bool { return w.Memory["did."+s.verb+s.what] != "" }); len(all) > 0 {
		return set(ctx, w, all[0])
	}
	if w.Memory["set"] != "" && w.Memory["looked-again"] == "" { // check, do, check
		w.Memory["looked-again"] = "yes"
		w.raise("looks")
		return again("The settings of the roles are compared once more"), nil
	}
	wrong := w.Memory["not-set"]
	for _, s := range unlike {
		if !strings.Contains(wrong, s.words) {
			if w.raise("unlike") < looksAtSettings {
				w.raise("looks")
				out = again("Set, and seen otherwise still: %s", s.words)
				out.After = later
				return out, nil
			}
			wrong = join(wrong, s.words+": it was set without a complaint, and is seen otherwise")
		}
	}
	if wrong != "" {
		return Outcome{
			Kind: Failed, Message: "Settings are other than before Setup, and could not be set: " + wrong,
			Remedy: "Set them by hand, or see that the run-as account may, then run again: only what is other than recorded is set.",
		}, nil
	}
	out = Outcome{Kind: Done, Percent: 100, Message: "Login types, remote streaming backup and event-log levels are as they were"}
	if set := w.Memory["set"]; set != "" {
		out.Message = "Set as before Setup: " + set
	}
	if w.Memory["misspelt"] != "" {
		out.Message += `. The registry holds the misspelt key MSExchangeIS\ParametersSystem/Enable, which does nothing`
		out.Remedy = "Have it removed as an approved fix of the server."
	}
	return out, nil
}

// set sets one setting, with a host task.
func set(ctx context.Context, w *Work, s setting) (Outcome, error) {
	task := "set-" + strconv.Itoa(w.count("sets"))
	if w.Unwinding {
		task = "un" + task
	}
	told, known, out, err := cmdlet(ctx, w, task, s.words, s.verb, s.what, s.value)
	if err != nil || !known {
		return out, err
	}
	delete(w.Memory, task)
	w.raise("sets")
	if told.Trouble != "" {
		w.Memory["not-set"] = join(w.Memory["not-set"], s.words+": "+told.Trouble)
	} else {
		w.Memory["set"] = join2(w.Memory["set"], s.words)
		if err := mailClientToRestart(ctx, w, s.verb); err != nil {
			return trouble("look whether the service runs that reads the setting", err)
		}
	}
	w.Memory["did."+s.verb+s.what] = "yes"
	return onward("Done: %s", s.words), nil
}

// mailClients are the services that read the settings of a verb when they start
// only. Source: the page on archiving POP3 and IMAP4; the DSC resources
// xExchPopSettings and xExchImapSettings restart them after a change.
var mailClients = map[string]string{"set-pop": "MSExchangePop3", "set-imap": "MSExchangeImap4"}

// mailClientToRestart remembers the service of a setting that was just set, where
// it runs: one that does not run reads it when it starts.
func mailClientToRestart(ctx context.Context, w *Work, verb string) error {
	name := mailClients[verb]
	if name == "" {
		return nil
	}
	s, found, err := w.Host.Service(ctx, name)
	if err == nil && found && s.State == windows.Running {
		w.Memory["restart"] = s.Name
	}
	return err
}

// restartMailClient stops the remembered service and starts it again. One that is
// found stopped is started, whoever stopped it: it ran when it was remembered.
func restartMailClient(ctx context.Context, w *Work) (Outcome, error) {
	name := w.Memory["restart"]
	s, found, err := w.Host.Service(ctx, name)
	switch {
	case err != nil:
		return trouble("look at service "+name, err)
	case found && s.State == windows.Running && w.Memory["stopped"] == name:
		delete(w.Memory, "restart")
		delete(w.Memory, "stopped")
		delete(w.Memory, "restarting")
		return onward("Service %s was restarted, so that its settings count", name), nil
	case !found || w.since("restarting") > startPatient:
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("Service %s, which reads its settings when it starts, could not be restarted: it is %s", name, s.State),
			Remedy: "Restart it by hand and run again.",
		}, nil
	case s.State == windows.Running:
		if err := w.intend(ctx, "stop service "+name); err != nil {
			return Outcome{}, err
		}
		if err := w.Host.StopService(ctx, name); err != nil {
			return trouble("stop service "+name, err)
		}
	case s.State == windows.Stopped:
		w.Memory["stopped"] = name
		if err := w.intend(ctx, "start service "+name); err != nil {
			return Outcome{}, err
		}
		if err := w.Host.StartService(ctx, name); err != nil {
			return trouble("start service "+name, err)
		}
	}
	return again("Service %s is restarted, so that its settings count", name), nil
}

// unreadSettings are the protocols whose login type was recorded and is not said now.
func unreadSettings(w *Work, told proved) string {
	note := w.note("record")
	unread := ""
	for _, p := range []struct{ key, name string }{{recordedPOP, "POP3"}, {recordedIMAP, "IMAP4"}} {
		if note[p.key] != "" && told.Said[p.key] == "" && w.holds(exchange.ClientAccess) {
			unread = join2(unread, p.name)
		}
	}
	return unread
}

func orUnsaid(why string) string {
	if why == "" {
		return "the cmdlets did not say why"
	}
	return why
}

// setting is one value that is other than recorded.
type setting struct{ verb, what, value, words string }

// settingsToSet compares what the server says with the record.
func settingsToSet(w *Work, told proved) []setting {
	note := w.note("record")
	var all []setting
	for _, p := range []struct{ key, verb, name string }{{recordedPOP, "set-pop", "POP3"}, {recordedIMAP, "set-imap", "IMAP4"}} {
		was, is := note[p.key], told.Said[p.key]
		if was != "" && is != "" && was != is {
			all = append(all, setting{p.verb, was, "", fmt.Sprintf("%s logs on by %s", p.name, was)})
		}
	}
	var levels map[string]string
	if json.Unmarshal([]byte(note[recordedLevels]), &levels) != nil {
		levels = nil // a damaged record sets nothing
	}
	now := map[string]string{}
	for _, line := range strings.Split(told.Said["level"], "\n") {
		if name, level, ok := cutLast(line, "="); ok {
			now[name] = level
		}
	}
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		if now[name] != levels[name] {
			all = append(all, setting{"set-log-level", name, levels[name], fmt.Sprintf("event-log level of %s is %s", name, levels[name])})
		}
	}
	return all
}

// streamingBack sets remote streaming backup as it was. The information store
// reads it when it starts; Setup's end, or the restart after it, is behind us, so
// that it counts from the next start on.
func streamingBack(ctx context.Context, w *Work) (Outcome, error) {
	if !w.holds(exchange.Mailbox) {
		return Outcome{Kind: Done}, nil
	}
	misspelt, err := w.Host.StreamingMisspelt(ctx)
	if err != nil {
		return trouble("look for the misspelt key", err)
	}
	if misspelt {
		w.Memory["misspelt"] = "yes"
	}
	was := w.note("record")[recordedStreaming]
	value, set, err := w.Host.Streaming(ctx)
	if err != nil {
		return trouble("read remote streaming backup", err)
	}
	is := valueAbsent
	if set {
		is = strconv.FormatUint(uint64(value), 10)
	}
	if was == "" || was == is {
		return Outcome{Kind: Done}, nil
	}
	if err := w.intend(ctx, "set remote streaming backup to "+was); err != nil {
		return Outcome{}, err
	}
	n, bad := strconv.ParseUint(was, 10, 32)
	if bad != nil {
		err = w.Host.DeleteValue(ctx, windows.LocalMachine, windows.KeyStreaming, windows.StreamingValue)
	} else {
		err = w.Host.SetDWORD(ctx, windows.LocalMachine, windows.KeyStreaming, windows.StreamingValue, uint32(n))
	}
	if err != nil {
		return trouble("set remote streaming backup", err)
	}
	w.Memory["set"] = join2(w.Memory["set"], "remote streaming backup is "+was)
	return onward("Remote streaming backup is %s again", was), nil
}
