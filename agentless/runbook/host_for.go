package runbook

import (
	"slices"
	"strconv"
	"strings"

	"wavekeeper/server/rollout"
)

// Choose is the step that says which host is node-1, node-2 and so on: in its
// memory, under those very words. A plan of two packages has one for each.
const Choose = "choose"

// HostFor names the host that a step works on. hosts are the server's, in the
// order of their names; notes is the memory of its steps. "" without an outcome
// says that any of them will do. An outcome says that there is none: what puts
// back is done, since nothing was begun on a node that nobody chose, and every
// other step fails.
func HostFor(step rollout.Step, notes map[string]map[string]string, hosts []string) (string, *Outcome) {
	if step.On == "" {
		if len(hosts) == 1 {
			return hosts[0], nil
		}
		return "", nil
	}
	if digits, ok := strings.CutPrefix(step.On, "host-"); ok {
		if n, err := strconv.Atoi(digits); err == nil && n >= 1 && n <= len(hosts) {
			return hosts[n-1], nil
		}
		return "", nobody(step)
	}
	if host := chosenIn(notes, step.Second)[step.On]; slices.Contains(hosts, host) {
		return host, nil
	}
	return "", nobody(step)
}

func nobody(step rollout.Step) *Outcome {
	if step.PutBack {
		return &Outcome{Kind: Done, Message: "Nothing was begun there: no host was chosen as " + step.On}
	}
	return &Outcome{
		Kind: Failed, Message: "No host of the server is known as " + step.On,
		Remedy: "Run again: the nodes are looked at and chosen anew.",
	}
}
