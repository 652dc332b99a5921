package runbook

import (
	"context"
)

// facts asks the host for every fact of the table.
func facts(ctx context.Context, w *Work) (Outcome, error) {
	found, err := w.Host.Facts(ctx)
	if err != nil {
		return trouble("ask the host for its facts", err)
	}
	roles, err := w.Host.Roles(ctx)
	if err != nil {
		return trouble("read the roles", err)
	}
	lowest, err := lowestBuild(roles)
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: damagedKeys}, nil
	}
	return Outcome{Kind: Done, Message: "The host answered all questions", Facts: found, Build: lowest.String()}, nil
}
