package runbook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

// lookStep reads what only an account of the domain is told, and what both
// accounts of host tasks meet: for preflight, which judges it.
func lookStep() Step {
	return Step{rollout.Step{
		Name: lookedAtStep, Words: "Exchange's settings, backups, certificates and the way to the revocation list are read by host tasks",
		Expected: time.Minute, Soft: 10 * time.Minute, Hard: time.Hour, Silence: 15 * time.Minute,
		Repeatable: true,
	}, look}
}

// lookedAtStep is the name of lookStep's step: Look is that of a decision, and one
// upgrade keeps the rows of both.
const lookedAtStep = "inspect"

// The tasks of look, in their order; each is the key of what it said in memory.
const (
	lookUser     = "reach-user"
	lookSystem   = "reach-system"
	lookExchange = "look-exchange"
	lookCluster  = "look-cluster"
)

// look runs three host tasks that only read: canary under the run-as account and
// as SYSTEM, which also ask for the revocation list, and exchange-look under the
// run-as account. What they say becomes facts, kept for preflight. A task that
// comes to nothing leaves its facts unknown, and the rules say so: look itself
// fails only where the host is lost.
func look(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	list := []string{windows.RevocationList, strconv.FormatInt(windows.RevocationWait.Milliseconds(), 10)}
	switch {
	case w.Memory[looked] != "":
		return Outcome{Kind: Done, Message: "It was read before in this attempt"}, nil
	case w.Memory[lookUser] == "":
		return prove(ctx, w, lookUser, windows.Canary, w.RunAs, "the run-as account looks for the revocation list", list...)
	case w.Memory[lookSystem] == "":
		return prove(ctx, w, lookSystem, windows.Canary, Account{}, "SYSTEM looks for the revocation list", list...)
	case w.Memory[lookExchange] == "":
		return prove(ctx, w, lookExchange, windows.ExchangeLook, w.RunAs, "Exchange is asked for its settings",
			strings.Join(serverNames(w), ","), strings.Join(windows.ExchangeParts(roleWords(w.Server)), ","))
	case w.Server.Cluster != exchange.Standalone && w.Memory[lookCluster] == "":
		return w.lookAtCluster(ctx)
	}
	return w.lookedAt(ctx)
}

// lookAtCluster asks a node about its cluster; a cluster that does not answer is
// unknown.
func (w *Work) lookAtCluster(ctx context.Context) (Outcome, error) {
	_, out, err := seeCluster(ctx, w, lookCluster)
	switch {
	case err != nil:
		return out, err
	case out.Kind == Failed:
		w.Memory[lookCluster] = out.Message
	case out.Kind != "":
		return out, nil
	default:
		w.Memory[lookCluster] = "done"
	}
	return onward("The cluster was looked at"), nil
}

// lookedAt makes facts of what the tasks said.
func (w *Work) lookedAt(ctx context.Context) (Outcome, error) {
	starts := map[string]string{}
	if w.Server.Has(exchange.ClientAccess) {
		var err error
		if starts, err = w.Host.StartTypes(ctx); err != nil {
			return trouble("read the start types of services", err)
		}
	}
	var found []Fact
	var missed []string
	user, system := kept(w, lookUser), kept(w, lookSystem)
	if user.Trouble == "" || system.Trouble == "" {
		found = append(found, Fact{
			Name: "revocation", At: w.Now, Source: "script canary under the run-as account and as SYSTEM",
			Value: windows.RevocationFact{RunAs: reachOf(user), System: reachOf(system)},
		})
	}
	said := kept(w, lookExchange)
	if said.Trouble != "" {
		missed = append(missed, said.Trouble)
	} else {
		read := windows.ReadExchangeLook(recordsOf(said.Said), serverNames(w), starts, w.Now)
		found = append(found, read.Facts...)
		for part, why := range read.Failed {
			missed = append(missed, part+" ("+why+")")
		}
	}
	switch seen := w.Memory[clusterSeen]; {
	case w.Memory[lookCluster] == "done" && seen != "":
		var c windows.Cluster
		if err := json.Unmarshal([]byte(seen), &c); err != nil {
			return Outcome{}, fmt.Errorf("decode the cluster: %w", err)
		}
		found = append(found, clusterFact(w, c)...)
	case w.Memory[lookCluster] != "":
		missed = append(missed, "the cluster ("+w.Memory[lookCluster]+")")
	}
	slices.Sort(missed)
	if err := keepLooked(w, bounded(found)); err != nil {
		return Outcome{}, err
	}
	for _, key := range []string{lookUser, lookSystem, lookExchange} { // the facts hold it now
		delete(w.Memory, key)
	}
	out := Outcome{Kind: Done, Facts: found, Percent: 100, Message: "Exchange said how it is set"}
	if len(missed) > 0 {
		out.Message = "Not everything was told: " + list(missed)
	}
	return out, nil
}

// keptAtMost bounds what the step's memory keeps, in bytes of JSON.
const keptAtMost = 256 << 10

// bounded leaves out, the largest first, what would not fit into the step's memory.
func bounded(found []Fact) []Fact {
	size := func(f Fact) int {
		text, err := json.Marshal(f.Value)
		if err != nil {
			return 0
		}
		return len(text)
	}
	total := 0
	for _, f := range found {
		total += size(f)
	}
	out := slices.Clone(found)
	for total > keptAtMost && len(out) > 0 {
		largest := 0
		for i := range out {
			if size(out[i]) > size(out[largest]) {
				largest = i
			}
		}
		total -= size(out[largest])
		out = slices.Delete(out, largest, largest+1)
	}
	return out
}

func reachOf(p proved) windows.RevocationReach {
	return windows.Reach(p.Said["revocation"], p.Said["crl"], p.Said["ms"])
}

// recordsOf are the records of a task as prove keeps them: several of a name with
// a line break between.
func recordsOf(said map[string]string) windows.Records {
	var out windows.Records
	for name, values := range said {
		for _, v := range strings.Split(values, "\n") {
			out = append(out, windows.Record{Name: name, Value: v})
		}
	}
	return out
}

// serverNames are the names under which Exchange knows what runs on the host: its
// own, or those of the cluster's clustered mailbox servers.
func serverNames(w *Work) []string {
	var names []string
	for _, s := range w.Servers {
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		names = []string{w.Server.Name}
	}
	return names
}

func roleWords(s exchange.Server) []string {
	words := make([]string, len(s.Roles))
	for i, r := range s.Roles {
		words[i] = string(r)
	}
	return words
}
