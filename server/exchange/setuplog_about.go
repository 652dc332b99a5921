package exchange

import (
	"bytes"
	"slices"
	"strings"
)

// describe reads what a run is about.
func (run *logRun) describe(p parsed, marks mark) {
	message := bytes.TrimSpace(p.message)
	if marks.has(markVersion) && run.Build == "" {
		if _, rest, ok := cutFold(message, "setup version:"); ok {
			run.Build = firstWord(strings.Trim(string(rest), " ."))
		}
	}
	if marks.has(markProductVersion) && run.Build == "" {
		if _, rest, ok := cutFold(message, "productversion ="); ok {
			run.Build = firstWord(strings.TrimSpace(string(rest)))
		}
	}
	if marks.has(markParameter) {
		run.parameter(message)
	}
	if marks.has(markMode) && !run.Task { // Setup decides; its window starts it with "Install" for an upgrade, too
		if _, rest, ok := cutFold(message, "mode is set to: '"); ok {
			if name, _, ok := bytes.Cut(rest, []byte("'")); ok {
				run.Mode = modeWords(string(name))
			}
		}
	}
	if marks.has(markRoles) {
		for _, text := range []string{"roles are installed:", "roles have been unpacked:"} {
			if _, rest, ok := cutFold(message, text); ok {
				run.roles(strings.Fields(string(rest)))
			}
		}
	}
}

// parameter reads "Command Line Parameter Name='mode', Value='Upgrade'."
func (run *logRun) parameter(message []byte) {
	_, rest, ok := cutFold(message, "parameter name='")
	if !ok {
		return
	}
	name, rest, ok := bytes.Cut(rest, []byte("'"))
	if !ok {
		return
	}
	_, rest, _ = bytes.Cut(rest, []byte("'"))
	value, _, _ := bytes.Cut(rest, []byte("'"))
	switch key := strings.ToLower(string(name)); key {
	case "mode", "m":
		if !run.Task {
			run.Mode = modeWords(string(value))
		}
	case "roles", "role", "r":
		run.roles(strings.FieldsFunc(string(value), func(r rune) bool { return r == ',' || r == ' ' }))
	default:
		for _, task := range setupTasks {
			if key == strings.ToLower(task) {
				run.Mode, run.Task = task, true
			}
		}
	}
}

// setupTasks are the command-line parameters that say what Setup is to do.
var setupTasks = []string{
	"PrepareLegacyExchangePermissions", "PrepareSchema", "PrepareAD", "PrepareDomain", "PrepareAllDomains",
	"UpgradeCms", "NewCms", "RecoverCms", "RemoveCms", "AddUmLanguagePack", "RemoveUmLanguagePack",
}

// modeWords are the modes as the command line names them.
func modeWords(name string) string {
	switch strings.ToLower(name) {
	case "buildtobuildupgrade", "upgrade":
		return "Upgrade"
	case "disasterrecovery", "recoverserver":
		return "RecoverServer"
	case "install":
		return "Install"
	case "uninstall":
		return "Uninstall"
	}
	if len(name) > 40 {
		name = strings.ToValidUTF8(name[:40], "")
	}
	return name
}

// internalRoles are the names of roles inside Setup, and their short forms on
// its command line.
var internalRoles = map[string]string{
	"bridgehead": string(HubTransport), "gateway": string(EdgeTransport), "admintools": "", "managementtools": "", "languagepacks": "",
	"h": string(HubTransport), "ht": string(HubTransport), "c": string(ClientAccess), "ca": string(ClientAccess), "m": string(Mailbox), "mb": string(Mailbox),
	"u": string(UnifiedMessaging), "um": string(UnifiedMessaging), "e": string(EdgeTransport), "et": string(EdgeTransport), "mt": "", "t": "",
}

func (run *logRun) roles(names []string) {
	for _, name := range names {
		if cut := len(name) - len("role"); cut > 0 && strings.EqualFold(name[cut:], "role") {
			name = name[:cut]
		}
		if role, err := ParseRole(name); err == nil {
			name = string(role)
		} else if known, ok := internalRoles[strings.ToLower(name)]; ok {
			name = known
		}
		if name == "" || len(name) > 40 || len(run.Roles) == 12 || slices.Contains(run.Roles, name) {
			continue
		}
		run.Roles = append(run.Roles, strings.ToValidUTF8(name, ""))
	}
}
