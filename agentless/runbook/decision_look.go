package runbook

import (
	"context"
	"fmt"
	"strings"

	"wavekeeper/agentless/windows"
)

// lookAgain asks the host how it stands, changes nothing and keeps the answers.
func lookAgain(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	l, err := alive(ctx, w)
	if err != nil {
		return trouble("look at the host", err)
	}
	roles, err := w.Host.Roles(ctx)
	if err != nil {
		return trouble("look at the roles", err)
	}
	out := Outcome{Kind: Done, Percent: 100, Message: stands(l, roles, w), Evidence: collect(ctx, w)}
	if lowest, err := lowestBuild(roles); err == nil && !lowest.IsZero() {
		out.Build = lowest.String()
	}
	return out, nil
}

// stands says in one sentence how a host stands.
func stands(l living, roles map[string]windows.Role, w *Work) string {
	var parts []string
	switch {
	case len(l.setup) > 0:
		parts = append(parts, "Setup is at work: "+l.who())
	case len(l.installer) > 0:
		parts = append(parts, "None of Setup's own programs runs, but "+l.who())
	default:
		parts = append(parts, "The host answers and nothing of Setup runs")
	}
	if marked := markers(roles); len(marked) > 0 {
		parts = append(parts, list(marked))
	} else {
		parts = append(parts, "no role carries Action or Watermark")
	}
	if wanting := below(roles, w.Server, w.Package.Target); len(wanting) > 0 {
		parts = append(parts, list(wanting))
	} else {
		parts = append(parts, fmt.Sprintf("every role is at %s", w.Package.Target))
	}
	return strings.Join(parts, "; ")
}
