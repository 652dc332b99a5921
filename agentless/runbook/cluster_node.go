package runbook

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
)

// The steps that look at a node a second time in an attempt.
const (
	lookOnceMore   = "look-again"
	preflightAgain = "preflight-again"
)

// anew is a step that was walked on the same host before in the same attempt: its
// tasks have names of their own, since the first ones have ended.
func anew(tick func(context.Context, *Work) (Outcome, error)) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		w.anew = true
		return tick(ctx, w)
	}
}

// unlessReached leaves a node alone that is at the target: in a later attempt it
// may own a clustered mailbox server.
func unlessReached(rollup bool, tick func(context.Context, *Work) (Outcome, error)) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		if w.Memory == nil {
			w.Memory = map[string]string{}
		}
		attempt := fmt.Sprint(w.Attempt)
		if w.Memory[mayBegin] != attempt {
			reached, out, err := reachedAlready(ctx, w, rollup)
			switch {
			case err != nil || out.Kind != "":
				return out, err
			case reached:
				return atTargetAlready(w), nil
			}
		}
		out, err := tick(ctx, w)
		if w.Memory != nil {
			w.Memory[mayBegin] = attempt
		}
		return out, err
	}
}

// mayBegin is the attempt in which a node was found not to be at the target.
const mayBegin = "may_begin"

func atTargetAlready(w *Work) Outcome {
	return Outcome{Kind: Done, Percent: 100, Message: w.Node + " is at the target: nothing is begun on it"}
}

// clusterServices are resources of the cluster on a node, or need one: the
// service control manager is never told about them (exchhelp fa053f04).
var clusterServices = []string{"MSExchangeIS", "MSExchangeSA", "MSExchangeSearch"}

// ofCluster reports whether a service is the cluster's to start and stop.
func (w *Work) ofCluster(service string) bool {
	return w.kind() != "" && slices.ContainsFunc(clusterServices, func(n string) bool { return strings.EqualFold(n, service) })
}

// forefrontOnNode looks whether Forefront is on a node. Its own order on a cluster
// is the other way round (active nodes first, no failover meanwhile: technet
// ee707328), and to take it off stops services that are the cluster's: it is done
// by hand, as preflight's finding says, and whoever waived that decided it.
func forefrontOnNode(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	all, err := w.Host.Services(ctx)
	if err != nil {
		return trouble("look for Forefront", err)
	}
	s, found := windows.FindService(all, forefrontController)
	switch {
	case !found:
		return notHere("Forefront is not installed"), nil
	case s.State == windows.Stopped && s.StartMode == windows.StartDisabled:
		return Outcome{Kind: Done, Percent: 100, Message: "Forefront is disabled on the node, by hand"}, nil
	case slices.Contains(w.Waived, forefrontRule):
		return Outcome{Kind: Done, Percent: 100, Message: "Forefront is " + s.State + " on the node, as a person decided who accepted the finding; it is left alone"}, nil
	}
	return Outcome{
		Kind: Failed, Message: "Forefront is on the node, and nobody decided what becomes of it on the cluster",
		Remedy: "Update or disable Forefront by hand on all nodes, as its documentation says, accept the finding " + forefrontRule + " for this server with a reason, and run again.",
	}, nil
}

// forefrontRule is the rule of preflight that holds a cluster with Forefront.
const forefrontRule = "forefront"

// functionalServer tests the clustered mailbox server of the turn from the node
// that it was moved to.
func functionalServer(ctx context.Context, w *Work) (Outcome, error) {
	name := w.turnServer()
	for _, s := range w.Servers {
		if strings.EqualFold(s.Name, name) {
			was := w.Server
			defer func() { w.Server = was }()
			w.Server = s
			return functional(ctx, w)
		}
	}
	return noServer(), nil
}
