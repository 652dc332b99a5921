package runbook

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
)

// living is what of Setup is alive on a host: asked before its state is judged
// or anything is cleared. Table of states: domain.md 3.2 of the project's
// dossier.
type living struct {
	setup     []windows.Process // Setup itself, whoever began it, and what a Setup task of this upgrade is or began
	installer []windows.Process // Windows Installer, setup.exe: Setup's only beside Action or Watermark
	sessions  map[string]int    // terminal sessions by the account's name in lower case
	sure      bool              // the host showed whose processes they are
}

// alive asks who of Setup lives. Sessions are for the words only: that they
// cannot be read changes nothing.
func alive(ctx context.Context, w *Work) (living, error) {
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		return living{}, err
	}
	l := livingOf(w, processes)
	if len(l.setup)+len(l.installer) > 0 {
		l.sessions = sessionsOf(ctx, w.Host)
	}
	return l, nil
}

func livingOf(w *Work, processes []windows.Process) living {
	var l living
	l.setup = ofTask(processes, w.prefix()+"setup-a")
	for _, p := range windows.SetupProcesses(processes) {
		if !slices.ContainsFunc(l.setup, func(have windows.Process) bool { return have.ID == p.ID }) {
			l.setup = append(l.setup, p)
		}
	}
	for _, p := range processes {
		if strings.EqualFold(p.Name, "msiexec.exe") || strings.EqualFold(p.Name, "setup.exe") {
			l.installer = append(l.installer, p)
		}
	}
	return l
}

// nothing reports whether nothing of Setup lives, Windows Installer included.
func (l living) nothing() bool { return len(l.setup)+len(l.installer) == 0 }

// who names the first that lives: "ExSetup.exe runs as process 1234 of CORP\x in session 2".
func (l living) who() string {
	all := append(slices.Clone(l.setup), l.installer...)
	if len(all) == 0 {
		return "nothing of Setup runs"
	}
	named := slices.IndexFunc(all, func(p windows.Process) bool { return !strings.EqualFold(p.Name, "cmd.exe") })
	return running(all[max(named, 0)], l.sessions)
}

// running says who runs a process and where.
func running(p windows.Process, sessions map[string]int) string {
	text := fmt.Sprintf("%s runs as process %d", p.Name, p.ID)
	if p.Owner == "" {
		return text
	}
	text += " of " + p.Owner
	if id, ok := sessions[strings.ToLower(p.Owner)]; ok {
		text += fmt.Sprintf(" in session %d", id)
	}
	return text
}

// sessionsOf are the terminal sessions by account; empty when they cannot be read.
func sessionsOf(ctx context.Context, h *windows.Host) map[string]int {
	sessions := map[string]int{}
	return sessions
}
