package runbook

import (
	"context"
	"slices"
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

// withFacts has the host asked for its facts anew after a verification that holds:
// builds, patches and versions are others than when the upgrade began, and pages,
// plans and the order go by them. Where it does not tell them now, what was proven
// is what is kept.
func withFacts(tick func(context.Context, *Work) (Outcome, error)) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		out, err := tick(ctx, w)
		if err != nil || out.Kind != Done {
			return out, err
		}
		found, bad := w.Host.Facts(ctx)
		if bad != nil {
			return out, nil
		}
		for _, f := range found {
			known := slices.ContainsFunc(out.Facts, func(o Fact) bool { return o.Name == f.Name })
			if f.Value != nil && !known {
				out.Facts = append(out.Facts, f)
			}
		}
		return out, nil
	}
}
