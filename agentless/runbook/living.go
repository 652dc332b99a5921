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
}

// alive asks who of Setup lives.
func alive(ctx context.Context, w *Work) (living, error) {
	processes, err := w.Host.Processes(ctx)
	if err != nil {
		return living{}, err
	}
	return livingOf(w, processes), nil
}

func livingOf(w *Work, processes []windows.Process) living {
	l := living{setup: w.ofPrograms(processes)}
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

// who names the first that lives, Setup's own program before the command
// interpreter around it: "ExSetup.exe runs as process 1234 of CORP\x in session 2".
func (l living) who() string {
	all := append(slices.Clone(l.setup), l.installer...)
	if len(all) == 0 {
		return "nothing of Setup runs"
	}
	named := slices.IndexFunc(all, func(p windows.Process) bool { return !strings.EqualFold(p.Name, "cmd.exe") })
	return running(all[max(named, 0)])
}

// running says which process a program is, whose and where.
func running(p windows.Process) string {
	text := fmt.Sprintf("%s runs as process %d", p.Name, p.ID)
	if p.Owner != "" {
		text += " of " + p.Owner
	}
	return fmt.Sprintf("%s in session %d", text, p.Session)
}
