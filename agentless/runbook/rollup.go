package runbook

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

// The steps of an update rollup that other runbooks use as well: RollupStep runs
// the patch, RollupServices puts what it left disabled in order.
const (
	RollupName     = "rollup"
	RollupServices = "rollup-services"
	RollupVerify   = "rollup-verify"
)

// rollupStep is the step that installs an update rollup. Times: domain.md section
// 13 of the project's dossier (rollup soft 1 h, hard 4 h); compiling images is
// silent for long.
func rollupStep() Step {
	return Step{rollout.Step{
		Name: RollupName, Words: "Windows Installer installs the update rollup as SYSTEM, certificate revocation checks off inside it",
		Expected: 25 * time.Minute, Soft: time.Hour, Hard: 4 * time.Hour, Silence: time.Hour,
		NoReturn: true, Undone: true,
	}, rollup}
}

func rollupServicesStep() Step {
	return Step{rollout.Step{
		Name: RollupServices, Words: "Services that the update rollup left disabled are as they were",
		Expected: time.Minute, Soft: 10 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute,
		Repeatable: true,
	}, rollupServices}
}

func rollupVerifyStep() Step {
	return Step{rollout.Step{
		Name: RollupVerify, Words: "The update rollup is proven by the list of patches, the file version and the services",
		Expected: time.Minute, Soft: 10 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute,
		Repeatable: true,
	}, withFacts(withEvents(rollupVerify))}
}

// isRollup reports whether the step's package is an update rollup.
func isRollup(w *Work) bool { return catalogued(w.Package).Kind == exchange.Rollup }

// mediaFile is the file of the package's folder that is run.
func mediaFile(w *Work) string {
	if isRollup(w) {
		return w.Media.Folder + `\` + windows.RollupFile
	}
	return w.Media.Folder + `\setup.com`
}

// rollup installs the update rollup, with the third-party services stopped.
func rollup(ctx context.Context, w *Work) (Outcome, error) {
	p := rollupProgram(w)
	p.first = func(ctx context.Context) (Outcome, error) { return rollupFirst(ctx, w) }
	out, err := p.tick(ctx, w)
	if err != nil || out.Kind != Done && out.Kind != Failed && out.Kind != Interrupted {
		return out, err
	}
	if code, err := strconv.Atoi(w.Memory[exitCode]); err == nil {
		if words := windows.InstallerWords(code); words != "" && code != 0 {
			out.Message += fmt.Sprintf(" (%d: %s)", code, words)
		}
	}
	out.Evidence = append(out.Evidence, rollupLogs(ctx, w)...)
	return out, nil
}

// rollupProgram is one run of Windows Installer with the package's patch, on the
// step's host: standalone servers and nodes of clusters use it alike.
func rollupProgram(w *Work) program {
	msp := mediaFile(w)
	p := program{
		key: RollupName + w.Turn, who: "the update rollup", words: "Update rollup " + w.Package.Name,
		switches: true, media: w.Media.Medium.Known(), files: []wantedFile{{msp, w.Media.SetupSHA256}},
		log:   windows.TaskFolder(windows.TaskName(w.Installation, w.Upgrade, RollupName+w.Turn, w.Attempt)) + `\` + windows.RollupLog,
		exits: []int{3010, 1641},
		found: func(ctx context.Context) (found, error) { return rollupFound(ctx, w) },

		already:   "The update rollup, or a later one, is installed already; Windows Installer was not run",
		completed: "The update rollup is installed",
		resume: "Read the log of Windows Installer above its last \"Return value 3\", cure the cause and run again. " +
			"Where a cached package is gone (1635, sometimes 1603), take it from the rollup that it came with and put it back under its old name (KB2784788).",
		broken: "Look at the host: whether a program of Windows Installer runs, and which services are stopped or disabled. Running again asks the list of patches first.",
	}
	p.body = func(folder string) ([]byte, map[string][]byte, error) {
		manifest := w.Media.Medium.ManifestSHA256
		body, err := windows.RollupBody(folder, msp, manifest)
		if err != nil || manifest == "" {
			return body, nil, err
		}
		files, err := w.Media.Tree().CheckFiles(folder)
		return body, files, err
	}
	return p
}

// customScript is Microsoft's own hook for what has to stop while a rollup works:
// from SP2 on a rollup calls it (Exchange team, "Sample script to disable and enable
// Forefront service during ..."). It is the administrator's and never touched.
const customScript = `Scripts\Customization\CustomPatchInstallerActions.ps1`

// rollupFirst is what comes before a run: the administrator's own script is said,
// and what a retry finds started again is stopped.
func rollupFirst(ctx context.Context, w *Work) (Outcome, error) {
	if w.Memory["custom"] == "" {
		install, err := w.Host.InstallPath(ctx)
		if err != nil {
			return trouble("read where Exchange is", err)
		}
		head, err := w.Host.ReadFile(ctx, strings.TrimRight(install, `\`)+`\`+customScript, 0, smallFile)
		if err != nil {
			return trouble("look for "+customScript, err)
		}
		w.Memory["custom"] = "none"
		if head.Exists {
			w.Memory["custom"] = "there"
			out := onward("The administrator's own %s is there: the rollup calls it, it is not touched", customScript)
			out.Evidence = []Evidence{{Kind: FolderEvidence, Name: "CustomPatchInstallerActions.ps1", Data: head.Data}}
			return out, nil
		}
	}
	return stopServices(ctx, w)
}

// patchesOf are the patches and the version of ExSetup.exe, asked anew.
func patchesOf(ctx context.Context, w *Work) (patches []windows.PatchFact, exsetup string, known bool, err error) {
	all, err := w.Host.Facts(ctx)
	if err != nil {
		return nil, "", false, err
	}
	for _, f := range all {
		switch v := f.Value.(type) {
		case []windows.PatchFact:
			if f.Name == "patches" {
				patches, known = v, true
			}
		case string:
			if f.Name == "exsetup_version" {
				exsetup = v
			}
		}
	}
	return patches, exsetup, known, nil
}

// rollupFound reads whether the rollup is there: ExSetup.exe at its build or later,
// or an applied patch that names its article. Which of the two a rollup leaves is
// not proven for each (KB2173280), so either counts, and verify shows both.
func rollupFound(ctx context.Context, w *Work) (found, error) {
	patches, exsetup, _, err := patchesOf(ctx, w)
	if err != nil {
		return found{}, err
	}
	roles, err := w.Host.Roles(ctx)
	if err != nil {
		return found{}, err
	}
	lowest, damaged := lowestBuild(roles)
	build := exchange.InstalledBuild(lowest, exsetup)
	f := found{build: build.String(), damaged: damaged, marked: markers(roles)}
	if damaged != nil {
		return f, nil
	}
	applied := patchApplied(patches, catalogued(w.Package).KB)
	f.reached = (build.Compare(w.Package.Target) >= 0 || applied != nil) && len(f.marked) == 0
	if !f.reached {
		f.wrong = append([]string{fmt.Sprintf("ExSetup.exe is at %s, %s is %s, and no applied patch names KB%s", said(exsetup), w.Package.Name, w.Package.Target, said(catalogued(w.Package).KB))}, f.marked...)
	}
	return f, nil
}

// patchApplied is the applied patch that names an article; nil where there is none.
func patchApplied(patches []windows.PatchFact, kb string) *windows.PatchFact {
	for i, p := range patches {
		if kb != "" && p.State == patchStateApplied && strings.Contains(p.Name, "KB"+kb) {
			return &patches[i]
		}
	}
	return nil
}

// patchStateApplied is MSIPATCHSTATE_APPLIED (msi.h).
const patchStateApplied = 1

// rollupLogs are the end of Windows Installer's log and ServiceControl.log, which
// lies beside the setup log (microsoft/CSS-Exchange, issue 476).
func rollupLogs(ctx context.Context, w *Work) []Evidence {
	c := &collector{ctx: ctx, w: w}
	for _, path := range []string{rollupProgram(w).log, `C:\ExchangeSetupLogs\ServiceControl.log`} {
		if data, err := c.tail(path); err == nil && len(data) > 0 { // evidence is what can be had
			c.keep(LogTailEvidence, path, data)
		}
	}
	return c.kept
}

// rollupServices puts back the start types of Exchange's and Windows' services that
// the rollup left disabled, one a tick: later steps start them. What this upgrade
// itself disabled is in the ledger and not of this step.
func rollupServices(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	recorded, ok, err := recorded(w)
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: "Look at the start types of Exchange's services on the host."}, nil
	}
	if !ok {
		return Outcome{Kind: Done, Message: "No state was recorded; services are left as they are"}, nil
	}
	all, err := w.Host.Services(ctx)
	if err != nil {
		return trouble("read the services", err)
	}
	for _, was := range recorded {
		now, there := windows.FindService(all, was.Name)
		ours := slices.ContainsFunc(w.Ledger, func(e Entry) bool { return e.Kind == ServiceEntry && strings.EqualFold(e.Name, was.Name) })
		if !there || ours || now.StartMode != windows.StartDisabled || was.StartMode == windows.StartDisabled {
			continue
		}
		mode := was.StartMode
		if mode == windows.StartAuto && slices.Contains(strings.Split(w.note("record")[delayedStart], ","), was.Name) {
			mode = windows.StartDelayed
		}
		if err := w.intend(ctx, "set start type of service "+now.Name+" to "+was.StartMode); err != nil {
			return Outcome{}, err
		}
		if err := w.Host.SetStartMode(ctx, now.Name, mode); err != nil {
			return trouble("put back the start type of service "+now.Name, err)
		}
		w.Memory["found"] += now.Name + " "
		return onward("Service %s was left disabled; its start type is put back", now.Name), nil
	}
	if w.Memory["found"] != "" { // they did not start with the others
		if out, err := startLeft(ctx, w, recorded, all); err != nil || out.Kind != Done {
			return out, err
		}
	}
	message := "The update rollup left no service disabled"
	if left := strings.Fields(w.Memory["found"]); len(left) > 0 {
		message = "Left disabled by the update rollup and put back: " + list(left)
	}
	return Outcome{Kind: Done, Percent: 100, Message: message}, nil
}

// startsOfOne bounds how often a service is asked to start that the rollup left
// disabled: its turn may come before that of one that it needs.
const startsOfOne = 3

// startLeft starts the services that ran before and do not run now, one a tick, in
// the order in which Exchange's services start; verify judges what is left.
func startLeft(ctx context.Context, w *Work, recorded map[string]windows.Service, all []windows.Service) (Outcome, error) {
	for _, name := range servicesOf(w.Server) {
		now, there := windows.FindService(all, name)
		was := recorded[now.Name]
		ours := slices.ContainsFunc(w.Ledger, func(e Entry) bool { return e.Kind == ServiceEntry && strings.EqualFold(e.Name, name) })
		if !there || ours || was.State != windows.Running || now.State != windows.Stopped || w.count("starts."+now.Name) >= startsOfOne {
			continue
		}
		if err := w.intend(ctx, "start service "+now.Name); err != nil {
			return Outcome{}, err
		}
		w.raise("starts." + now.Name)
		if err := w.Host.StartService(ctx, now.Name); err != nil {
			out, err := trouble("start service "+now.Name, err)
			if err != nil || out.Unheard || out.Barred {
				return out, err
			}
		}
		out := again("Service %s is asked to start", now.Name)
		return out, nil
	}
	return Outcome{Kind: Done}, nil
}

// rollupVerify proves the rollup: the build, the applied patch with its cached
// package, and the services as they ran before.
func rollupVerify(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	if w.Memory["proof"] == "" {
		patches, exsetup, known, err := patchesOf(ctx, w)
		if err != nil {
			return trouble("read the list of patches", err)
		}
		goal, err := rollupFound(ctx, w)
		if err != nil {
			return trouble("read the build", err)
		}
		if !goal.reached {
			return Outcome{
				Kind: Failed, Build: goal.build, Message: "The update rollup is not installed: " + list(goal.wrong),
				Remedy: "Read the log of Windows Installer; running again installs it.", Evidence: collect(ctx, w),
			}, nil
		}
		proof := "ExSetup.exe is at " + said(exsetup)
		switch p := patchApplied(patches, catalogued(w.Package).KB); {
		case p != nil && p.Cached:
			proof += fmt.Sprintf("; the patch %q is applied, its package is kept as %s", p.Name, p.LocalPackage)
		case p != nil:
			proof += fmt.Sprintf("; the patch %q is applied, and its cached package %s is gone: the next rollup will fail for it (KB2784788)", p.Name, said(p.LocalPackage))
		case known:
			proof += fmt.Sprintf("; none of %d patches names KB%s", len(patches), said(catalogued(w.Package).KB))
		}
		w.Memory["proof"], w.Memory["build"] = proof, goal.build
	}
	out, err := servicesAgain(ctx, w, w.Memory["build"])
	if out.Kind == Done {
		out.Message = w.Memory["proof"] + "; " + out.Message
	}
	return out, err
}
