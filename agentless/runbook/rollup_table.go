package runbook

import (
	"context"
	"slices"
	"time"

	"wavekeeper/server/rollout"
)

// StandaloneRollup returns the runbook for a standalone server and an update
// rollup: that of a service pack without what only Setup does, and with Windows
// Installer in its place. Sources: "Troubleshooting Update Rollup Installations"
// (technet ff772434), KB2784788 (its log), KB935490 (it stops and starts services
// itself and may want a restart), the Exchange team on CustomPatchInstallerActions.
func StandaloneRollup() Table {
	return Table{
		Name: "standalone-rollup", Version: 1, Words: "A standalone Exchange 2007 server gets an update rollup",
		Steps: rollupSteps(Standalone().Steps), Decisions: decisions(),
	}
}

// notOfRollups are the steps of a service pack that a rollup has no use for: it leaves
// language packs and settings alone, and writes no exceptions of the firewall.
var notOfRollups = []string{"um-out", "um-in", "um-config", "settings-back", Firewall}

// rollupSteps are a service pack's steps as a rollup has them.
func rollupSteps(steps []Step) []Step {
	var out []Step
	for _, s := range steps {
		switch {
		case slices.Contains(notOfRollups, s.Name):
		case s.Name == "setup":
			out = append(out, rollupStep())
		case s.Name == "restart":
			again := rollupRestartStep()
			again.Name = s.Name
			out = append(out, again)
		case s.Name == "verify":
			out = append(out, rollupServicesStep(), rollupVerifyStep())
		default:
			out = append(out, s)
		}
	}
	return out
}

// StandaloneServicePackAndRollup returns the runbook that brings a service pack and
// then the newest rollup of its level, as two packages of one plan: the rollup
// follows once the service pack is verified, while the server is drained and the
// services of others are stopped all the same. A rollup is not put into the service
// pack's Updates folder, which is for new servers (thecabal.org, 2010-09).
func StandaloneServicePackAndRollup() Table {
	var steps []Step
	for _, s := range Standalone().Steps {
		steps = append(steps, s)
		switch s.Name {
		case Stage:
			second := stageStep()
			second.Name, second.Words, second.Second = stageSecond, "The media of the rollup is fetched and compared", true
			steps = append(steps, second)
		case "verify":
			for _, of := range []Step{rollupStep(), rollupRestartStep(), rollupServicesStep(), rollupVerifyStep()} {
				of.Second = true
				steps = append(steps, of)
			}
		}
	}
	return Table{
		Name: "standalone-service-pack-and-rollup", Version: 1,
		Words: "A standalone Exchange 2007 server is taken to a service pack and then to its newest rollup",
		Steps: steps, Decisions: decisions(),
	}
}

// stageSecond is the step that brings the second package to the host.
const stageSecond = Stage + ofSecond

// rollupRestart restarts Windows where the rollup wants it.
func rollupRestart(ctx context.Context, w *Work) (Outcome, error) {
	return restartIf(ctx, w, w.note(RollupName), false)
}

func rollupRestartStep() Step {
	return Step{rollout.Step{
		Name: RollupName + "-restart", Words: "Windows is restarted where the update rollup wants it",
		Expected: 5 * time.Minute, Soft: 20 * time.Minute, Hard: 2 * time.Hour, Silence: 40 * time.Minute,
		Repeatable: true,
	}, rollupRestart}
}
