package runbook

import (
	"context"
	"fmt"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// functionalPatience is how long the roles may need until they are healthy:
// services start one after the other, and caches fill.
const functionalPatience = 15 * time.Minute

// functional has the roles prove that they work: Test-ServiceHealth for all of
// them, Test-MAPIConnectivity for Mailbox. Its Booleans decide; its words are
// evidence. Source: the cmdlets named for this in the Exchange team's slides on
// troubleshooting 2007.
func functional(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	what := ""
	if w.holds(exchange.Mailbox) {
		what = "mapi"
	}
	task := fmt.Sprintf("health-%d", w.count("looks"))
	told, known, out, err := cmdlet(ctx, w, task, "the roles are tested", "test-health", what)
	if err != nil || !known {
		return out, err
	}
	wrong, words := unhealthy(told)
	if told.Trouble != "" {
		wrong = []string{told.Trouble}
	}
	if len(wrong) == 0 {
		all, err := w.Host.Services(ctx)
		if err != nil {
			return trouble("read the services", err)
		}
		done := Outcome{Kind: Done, Percent: 100, Message: "The roles are healthy: " + words}
		done.Evidence = []Evidence{{Kind: SettingsEvidence, Name: "functional checks", Data: []byte(told.Said["health"] + "\r\nmapi: " + told.Said["mapi"] + "\r\n" + told.Said["missed"] + "\r\n")}}
		for _, s := range all { // the transport takes mail only when it is undrained, which comes next
			if s.State == windows.Paused {
				done.Message += "; service " + s.Name + " is still paused"
			}
		}
		return done, nil
	}
	if w.since("since") > functionalPatience {
		return Outcome{
			Kind: Failed, Message: "The roles do not work yet: " + strings.Join(wrong, "; "),
			Remedy: "Read the application event log of the server, start what does not run and run again: the checks are repeated.",
		}, nil
	}
	delete(w.Memory, task)
	w.raise("looks")
	out = again("The roles do not work yet: %s", strings.Join(wrong, "; "))
	out.After = drainPause
	return out, nil
}

// unhealthy reads what Test-ServiceHealth and Test-MAPIConnectivity said.
func unhealthy(told proved) (wrong []string, words string) {
	roles := 0
	for _, line := range strings.Split(told.Said["health"], "\n") {
		f := strings.Split(line, "|")
		if len(f) != 3 {
			continue
		}
		if roles++; f[1] != "True" {
			wrong = append(wrong, fmt.Sprintf("%s: services that have to run do not: %s", f[0], strings.TrimSpace(f[2])))
		}
	}
	if roles == 0 && told.Trouble == "" {
		wrong = append(wrong, "Test-ServiceHealth told of no role")
	}
	words = fmt.Sprintf("%d by Test-ServiceHealth", roles)
	for _, result := range strings.Split(told.Said["mapi"], "\n") {
		switch result {
		case "":
		case "Success":
			words += ", mailboxes by Test-MAPIConnectivity"
		default:
			wrong = append(wrong, "Test-MAPIConnectivity: "+result)
		}
	}
	return wrong, words
}
