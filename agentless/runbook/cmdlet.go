package runbook

import (
	"context"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// cmdlet runs one verb of exchange-act as a host task under the run-as account.
// key is of the task and of the step's memory, where what it said is kept: a
// second call of the same key in the same attempt gives that at once. told is
// false while out says to come back.
func cmdlet(ctx context.Context, w *Work, key, words, verb string, more ...string) (said proved, told bool, out Outcome, err error) {
	if w.Memory[key] == "" {
		args := append([]string{verb, w.Server.Name}, more...)
		for len(args) < 4 {
			args = append(args, "")
		}
		out, err = prove(ctx, w, key, windows.ExchangeAct, w.RunAs, words, args...)
		return proved{}, false, out, err
	}
	return kept(w, key), true, Outcome{}, nil
}

// holds reports whether the server has one of the roles.
func (w *Work) holds(roles ...exchange.Role) bool {
	for _, r := range roles {
		if w.Server.Has(r) {
			return true
		}
	}
	return false
}

// notHere is a step that does not apply to the server.
func notHere(why string) Outcome {
	return Outcome{Kind: Done, Message: why + ": nothing to do here", Percent: 100}
}
