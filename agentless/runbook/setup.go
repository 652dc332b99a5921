package runbook

import (
	"context"

	"wavekeeper/agentless/windows"
)

// setupLog is where Setup of Exchange 2007 writes; it is appended to across runs.
const setupLog = `C:\ExchangeSetupLogs\ExchangeSetup.log`

const setupWords = "Exchange Setup"

// setup takes the server to the target, with the third-party services stopped.
func setup(ctx context.Context, w *Work) (Outcome, error) {
	p := mediaSetup(w, "setup"+w.Turn, setupWords, "/mode:Upgrade")
	p.first = func(ctx context.Context) (Outcome, error) { return stopServices(ctx, w) } // a retry may begin here, with the services put back
	p.found = func(ctx context.Context) (found, error) { return rolesFound(ctx, w) }
	p.already = "Every role is at the target already; Setup was not run"
	p.completed = "Setup completed: every role is at " + w.Package.Target.String()
	return p.tick(ctx, w)
}

// mediaSetup is a run of the package's own Setup.com under the run-as account,
// the media compared right before and the revocation check off inside. The
// caller says what it is for: found, already and completed.
func mediaSetup(w *Work, key, words, arguments string) program {
	setup := w.Media.Folder + `\setup.com`
	p := program{
		key: key, who: "Setup", words: words, account: w.RunAs, switches: true, media: w.Media.Medium.Known(),
		files: []wantedFile{{setup, w.Media.SetupSHA256}}, log: setupLog, final: true,
		resume: setupResumes, broken: setupBroken,
	}
	p.body = func(folder string) ([]byte, map[string][]byte, error) {
		if !p.media {
			body, err := windows.SetupBody(folder, setup, arguments)
			return body, nil, err
		}
		files, err := w.Media.Tree().CheckFiles(folder)
		if err != nil {
			return nil, nil, err
		}
		body, err := windows.CheckedSetupBody(folder, setup, arguments, w.Media.Medium.ManifestSHA256)
		return body, files, err
	}
	return p
}

// What helps where Setup failed, and where it was broken off.
const (
	setupResumes = "Read the end of the setup log, cure the cause and run again: Setup resumes where it stopped."
	setupBroken  = "Look at the host, the end of the setup log and the roles' marks, which are kept with this upgrade. Run again lets Setup resume where it stopped. " +
		"Where Setup refuses to begin, clear Action and Watermark first. Where the server was repaired by hand, mark it as repaired: that is verified."
)

// rolesFound reads whether every role is at the target and none carries the
// marks of a Setup that did not end.
func rolesFound(ctx context.Context, w *Work) (found, error) {
	roles, err := w.Host.Roles(ctx)
	if err != nil {
		return found{}, err
	}
	return rolesStand(roles, w), nil
}

func rolesStand(roles map[string]windows.Role, w *Work) found {
	f := found{marked: markers(roles)}
	for _, wrong := range [][]string{below(roles, w.Server, w.Package.Target), f.marked} {
		if len(wrong) > 0 {
			f.wrong = append(f.wrong, list(wrong))
		}
	}
	f.reached = len(f.wrong) == 0
	lowest, err := lowestBuild(roles)
	if f.damaged = err; err == nil {
		f.build = lowest.String()
	}
	return f
}

// The ledger's names of the two values that Setup's task changes.
const (
	revocationUser   = "run-as"
	revocationSystem = "S-1-5-18"
)
