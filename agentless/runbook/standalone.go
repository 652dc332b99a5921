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
		Name:      "standalone-service-pack",
		Version:   3,
		Words:     "A standalone Exchange 2007 server is taken to a service pack in place",
		Steps:     standaloneSteps(),
		Decisions: decisions(),
	}
}

// standaloneSteps are the steps of Standalone. What does not apply to a server's
// roles is done at once and says so. Unified Messaging is drained before its
// language packs go, so that no call loses its language.
func standaloneSteps() []Step {
	return []Step{
		factsStep(),
		hookStep(HookAnnounce),
		stageStep(),
		lookStep(),
		preflightStep(),
		{rollout.Step{
			Name: "record", Words: "The state of services, settings and files that Setup changes is recorded",
			Expected: time.Minute, Soft: 5 * time.Minute, Hard: 30 * time.Minute, Silence: 5 * time.Minute,
			Repeatable: true,
		}, record},
		{rollout.Step{
			Name: "drain-um", Words: "Unified Messaging takes no new calls, those in progress end",
			Expected: time.Minute, Soft: 35 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute,
			Repeatable: true, Undone: true,
		}, drainUM},
		hookStep(HookDrain),
		{rollout.Step{
			Name: "drain-transport", Words: "The transport takes no new mail and delivers what it has",
			Expected: time.Minute, Soft: 35 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute,
			Repeatable: true, Undone: true,
		}, drainTransport},
		{rollout.Step{
			Name: "um-out", Words: "Language packs of Unified Messaging are taken out with the installed Setup",
			Expected: 6 * time.Minute, Soft: 30 * time.Minute, Hard: 2 * time.Hour, Silence: 30 * time.Minute,
			Undone: true,
		}, umOut},
		{rollout.Step{
			Name: "stop-monitoring", Words: "Monitoring is stopped and disabled",
			Expected: 20 * time.Second, Soft: 5 * time.Minute, Hard: 10 * time.Minute, Silence: 5 * time.Minute,
			Repeatable: true, Undone: true,
		}, stopMonitoring},
		{rollout.Step{
			Name: "stop-services", Words: "Third-party services are stopped and disabled",
			Expected: time.Minute, Soft: 5 * time.Minute, Hard: 10 * time.Minute, Silence: 5 * time.Minute,
			Repeatable: true, Undone: true,
		}, stopServices},
		{rollout.Step{
			Name: "forefront", Words: "Forefront is taken out of Exchange's way",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: 20 * time.Minute, Silence: 10 * time.Minute,
			Repeatable: true, Undone: true,
		}, forefrontOff},
		firewallStep(),
		{rollout.Step{
			Name: "setup", Words: "Exchange Setup runs as a host task, certificate revocation checks off inside it",
			Expected: 70 * time.Minute, Soft: 2 * time.Hour, Hard: 6 * time.Hour, Silence: 90 * time.Minute,
			NoReturn: true, Undone: true,
		}, setup},
		{rollout.Step{
			Name: "restart", Words: "Windows is restarted where Setup wants it",
			Expected: 5 * time.Minute, Soft: 20 * time.Minute, Hard: 2 * time.Hour, Silence: 40 * time.Minute,
			Repeatable: true,
		}, restart},
		{rollout.Step{
			Name: "verify", Words: "Builds and services are proven at the target",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute,
			Repeatable: true,
		}, withFacts(withEvents(verify))},
		{rollout.Step{
			Name: "um-in", Words: "Language packs of Unified Messaging of the new level are installed",
			Expected: 6 * time.Minute, Soft: 30 * time.Minute, Hard: 2 * time.Hour, Silence: 30 * time.Minute,
		}, umIn},
		{rollout.Step{
			Name: "um-config", Words: "Files that Setup overwrote are compared with those of before",
			Expected: 20 * time.Second, Soft: 5 * time.Minute, Hard: 30 * time.Minute, Silence: 5 * time.Minute,
			Repeatable: true,
		}, umConfig},
		{rollout.Step{
			Name: "settings-back", Words: "POP3, IMAP4, remote streaming backup and event-log levels are as they were",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: 30 * time.Minute, Silence: 10 * time.Minute,
			Repeatable: true,
		}, settingsBack},
		{rollout.Step{
			Name: "services-back", Words: "Third-party services and monitoring are as they were",
			Expected: time.Minute, Soft: 10 * time.Minute, Hard: time.Hour, Silence: 10 * time.Minute,
			Repeatable: true,
		}, servicesBack},
		{rollout.Step{
			Name: "functional", Words: "The roles are tested",
			Expected: time.Minute, Soft: 15 * time.Minute, Hard: time.Hour, Silence: 15 * time.Minute,
			Repeatable: true,
		}, functional},
		{rollout.Step{
			Name: "undrain", Words: "The server takes calls and mail again",
			Expected: 30 * time.Second, Soft: 10 * time.Minute, Hard: time.Hour, Silence: 10 * time.Minute,
			Repeatable: true,
		}, undrain},
		hookStep(HookUndrain),
		hookStep(HookAfter),
		putBackStep(),
		tidyStep(),
	}
}

func firewallStep() Step {
	return Step{rollout.Step{
		Name: Firewall, Words: "The firewall's service runs, so that Setup can write its exceptions",
		Expected: 30 * time.Second, Soft: 5 * time.Minute, Hard: 30 * time.Minute, Silence: 5 * time.Minute,
		Repeatable: true, Undone: true,
	}, firewall}
}

func putBackStep() Step {
	return Step{rollout.Step{
		Name: PutBack, Words: "What was changed for a while is put back exactly",
		Expected: time.Minute, Soft: 10 * time.Minute, Hard: 2 * time.Hour, Silence: 10 * time.Minute,
		Repeatable: true, PutBack: true,
	}, putBack}
}
