package runbook

import (
	"time"

	"wavekeeper/server/rollout"
)

// The steps that end every attempt, whatever its outcome.
const (
	PutBack = "put-back"
	Tidy    = "tidy"
)

// Stage is the step that brings the package's media to the host.
const Stage = "stage"

// stageStep brings the package to the host: minutes in a local network, hours
// over a slow line. It is a step of every attempt, and is done at once when the
// package was brought before.
func stageStep() Step {
	return Step{rollout.Step{
		Name: Stage, Words: "The package's media is fetched and unpacked, and every file of it compared",
		Expected: 20 * time.Minute, Soft: time.Hour, Hard: 6 * time.Hour, Silence: 10 * time.Minute,
		Repeatable: true,
	}, stage}
}

// Staging returns the steps that bring a package to a host ahead of its upgrade.
func Staging() Table {
	return Table{
		Name: "staging", Version: 1, Words: "A package is brought to a host ahead of its upgrade",
		Steps: []Step{stageStep(), tidyStep()},
	}
}

func tidyStep() Step {
	return Step{rollout.Step{
		Name: Tidy, Words: "Tasks and folders of this upgrade are removed from the host",
		Expected: 20 * time.Second, Soft: 5 * time.Minute, Hard: 2 * time.Hour, Silence: 5 * time.Minute,
		Repeatable: true, PutBack: true,
	}, tidy}
}

// Standalone returns the runbook for a standalone server and a service pack.
// Times: domain.md section 13 of the project's dossier (readiness 15 min; Setup
// soft 2 h, hard 6 h; silence of 24 minutes was seen in real logs, 71 minutes
// once, so quiet counts from 90; service stop 10 min; service start 25 to 30 s each).
// What comes after Setup has two hours before it fails: a host that restarts for
// 40 minutes, or that nothing reaches for an hour, is no failure by then.
//
// The last two steps, marked PutBack, are walked at the end of every attempt:
// after verify when all went well, right after the failed step when it did not.
func Standalone() Table {
	return Table{
		Name:    "standalone-service-pack",
		Version: 2,
		Words:   "A standalone Exchange 2007 server is taken to a service pack in place",
		Steps: []Step{
			{rollout.Step{
				Name: "facts", Words: "The host is asked what it is",
				Expected: 20 * time.Second, Soft: 2 * time.Minute, Hard: 15 * time.Minute, Silence: 5 * time.Minute,
				Repeatable: true,
			}, facts},
			stageStep(),
			{rollout.Step{
				Name: "preflight", Words: "Everything Setup needs is proven, with a canary task under the run-as account",
				Expected: time.Minute, Soft: 10 * time.Minute, Hard: 30 * time.Minute, Silence: 10 * time.Minute,
				Repeatable: true,
			}, preflight},
			{rollout.Step{
				Name: "record", Words: "The state of services is recorded",
				Expected: 10 * time.Second, Soft: 2 * time.Minute, Hard: 15 * time.Minute, Silence: 5 * time.Minute,
				Repeatable: true,
			}, record},
			{rollout.Step{
				Name: "stop-services", Words: "Third-party services are stopped and disabled",
				Expected: time.Minute, Soft: 5 * time.Minute, Hard: 10 * time.Minute, Silence: 5 * time.Minute,
				Repeatable: true, Undone: true,
			}, stopServices},
			{rollout.Step{
				Name: "setup", Words: "Exchange Setup runs as a host task, certificate revocation checks off inside it",
				Expected: 70 * time.Minute, Soft: 2 * time.Hour, Hard: 6 * time.Hour, Silence: 90 * time.Minute,
				NoReturn: true, Undone: true,
			}, setup},
			{rollout.Step{
				Name: "verify", Words: "Builds and services are proven at the target",
				Expected: time.Minute, Soft: 10 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute,
				Repeatable: true,
			}, verify},
			{rollout.Step{
				Name: PutBack, Words: "What was changed for a while is put back exactly",
				Expected: time.Minute, Soft: 10 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute,
				Repeatable: true, PutBack: true,
			}, putBack},
			tidyStep(),
		},
		Decisions: decisions(),
	}
}
