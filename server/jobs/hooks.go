package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/hook"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// HooksNow tells which hooks are bound now: the files of a directory and the
// webhooks that are allowed, as approvals bind them.
func HooksNow(s *store.Store, dir hook.Dir) store.Hooks {
	return func(ctx context.Context) ([]rollout.ApprovalHook, error) {
		files, err := dir.List()
		if err != nil {
			return nil, err
		}
		var all []rollout.ApprovalHook
		for _, f := range files {
			all = append(all, rollout.ApprovalHook{Point: f.Point, Name: f.Name, SHA256: f.SHA256})
		}
		webhooks, err := s.Webhooks(ctx)
		if err != nil {
			return nil, err
		}
		for _, w := range webhooks {
			for _, point := range w.Points {
				all = append(all, rollout.ApprovalHook{Point: point, Name: store.WebhookHook(w.Name), SHA256: w.SHA256})
			}
		}
		slices.SortFunc(all, func(a, b rollout.ApprovalHook) int { return hook.Order(a.Point, a.Name, b.Point, b.Name) })
		return all, nil
	}
}

// hooks runs the hooks of one upgrade that its approval binds, and no others.
type hooks struct {
	store    *store.Store
	keys     Opener
	dir      hook.Dir
	approved []rollout.ApprovalHook
	rollout  int64
	secrets  secrets
}

func (h *hooks) Bound(_ context.Context, point string) ([]string, error) {
	var names []string
	for _, a := range h.approved {
		if a.Point == point {
			names = append(names, a.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Run runs an approved hook as it was approved.
func (h *hooks) Run(ctx context.Context, call runbook.HookCall) (runbook.HookRun, error) {
	i := slices.IndexFunc(h.approved, func(a rollout.ApprovalHook) bool { return a.Point == call.Point && a.Name == call.Name })
	if i < 0 {
		return runbook.HookRun{State: runbook.HookFailed, Words: "it was not run: the approval binds no such hook"}, nil
	}
	told := hook.Call{
		ID: call.ID, Point: call.Point, Server: call.Server, Host: call.Host, Package: call.Package, Rollout: h.rollout, Upgrade: call.Upgrade, Attempt: call.Attempt,
	}
	run, known, err := h.run(ctx, h.approved[i], told)
	if err != nil {
		return runbook.HookRun{}, err
	}
	return runbook.HookRun{State: runbook.HookState(run.State), Words: known.redact(run.Words), Output: known.redactBytes(run.Output)}, nil
}

// run runs one hook; known are the secrets that its output must not show.
func (h *hooks) run(ctx context.Context, approved rollout.ApprovalHook, call hook.Call) (run hook.Run, known secrets, err error) {
	name, isWebhook := strings.CutPrefix(approved.Name, store.WebhookHook(""))
	if !isWebhook {
		run, err = h.dir.Run(ctx, hook.File{Point: approved.Point, Name: approved.Name, SHA256: approved.SHA256}, call)
		return run, h.secrets, err
	}
	row, err := h.store.Webhook(ctx, name)
	switch {
	case errors.Is(err, rollout.ErrNotFound):
		return hook.Run{State: hook.Failed, Words: "it was not called: it was forbidden since the approval"}, h.secrets, nil
	case err != nil:
		return hook.Run{}, nil, err
	}
	w, err := OpenWebhook(h.keys, row)
	if err != nil {
		return hook.Run{}, nil, err
	}
	known = append(slices.Clone(h.secrets), string(w.Secret))
	if w.SHA256() != approved.SHA256 || !slices.Contains(w.Points, approved.Point) {
		return hook.Run{State: hook.Failed, Words: "it was not called: it was changed since the approval"}, known, nil
	}
	run, err = w.Run(ctx, call)
	return run, known, err
}

// HideSecret takes a secret out of what a hook said, as for the hooks of upgrades.
func HideSecret(run hook.Run, secret string) hook.Run {
	known := secrets{secret}
	run.Words, run.Output = known.redact(run.Words), known.redactBytes(run.Output)
	return run
}

// OpenWebhook is a webhook with its secret, as it can be called.
func OpenWebhook(keys Opener, row store.Webhook) (hook.Webhook, error) {
	secret, err := keys.Open(row.Sealed, row.KeyID, 0, store.WebhookPurpose(row.Name))
	if err != nil {
		return hook.Webhook{}, fmt.Errorf("open the secret of webhook %s (where its key is lost, allow it again with hook allow): %w", row.Name, err)
	}
	return hook.Webhook{Name: row.Name, URL: row.URL, Points: row.Points, Networks: row.Networks, CA: row.CA, Secret: secret}, nil
}
