package runbook

import (
	"context"
	"fmt"
	"time"

	"wavekeeper/agentless/windows"
)

// How often domain controllers are asked: they are many, and each costs time.
const (
	replicationFirst = 30 * time.Second
	replicationPause = 5 * time.Minute
)

// organizationReplicate waits until every domain controller has the versions of
// the schema master and of its own domain. One that cannot be asked is waited for
// as one that is behind: what it has is not known.
func organizationReplicate(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	const key = "org-replicate"
	if w.Memory["asked"] != "" {
		pause := replicationPause
		if w.count(key+".n") < 4 {
			pause = replicationFirst
		}
		if left := pause - w.ago("asked"); left > 0 {
			out := again("%s", w.Memory["behind"])
			out.After = min(left, time.Minute)
			return out, nil
		}
		w.unstamp("asked")
	}
	out, o, err := lookAtOrganization(ctx, w, w.numbered(key), windows.OrganizationReplication)
	if err != nil || out.Kind != Done {
		return out, err
	}
	if out, err := w.next(ctx, key); err != nil || out.Kind != Done {
		return out, err
	}
	behind, unasked := o.Behind()
	if len(behind)+len(unasked) == 0 {
		return Outcome{
			Kind: Done, Percent: 100, Facts: o.Facts(w.Now),
			Message: fmt.Sprintf("All %d domain controllers have schema %d and organization %d", len(o.Controllers), o.Schema, o.Version),
		}, nil
	}
	w.stamp("asked")
	w.Memory["behind"] = fmt.Sprintf("Replication is waited for: %d of %d domain controllers are behind", len(behind), len(o.Controllers))
	if len(behind) > 0 {
		w.Memory["behind"] += ": " + clip(list(behind))
	}
	if len(unasked) > 0 {
		w.Memory["behind"] += fmt.Sprintf("; %d could not be asked: %s", len(unasked), clip(list(unasked)))
	}
	out = again("%s", w.Memory["behind"])
	out.After, out.Facts = replicationFirst, o.Facts(w.Now)
	if n := len(o.Controllers); n > 0 {
		out.Percent = 100 * (n - len(behind) - len(unasked)) / n
	}
	return out, nil
}
