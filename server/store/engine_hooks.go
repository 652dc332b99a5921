package store

import (
	"context"
	"slices"

	"wavekeeper/server/rollout"
)

// Hooks tells which hooks are bound to the points of runbooks now: files with
// their hashes, and webhooks with those of their settings.
type Hooks func(ctx context.Context) ([]rollout.ApprovalHook, error)

// UseHooks has approvals bind the hooks that the function tells. It is called
// once, before the store is used by others.
func (s *Store) UseHooks(hooks Hooks) { s.hooks = hooks }

// hooksNow are all hooks. When it cannot be said which there are, no approval
// fits until it can: what is told then is in the content in place of them.
func (s *Store) hooksNow(ctx context.Context) []rollout.ApprovalHook {
	if s.hooks == nil {
		return nil
	}
	all, err := s.hooks(ctx)
	if err != nil {
		return []rollout.ApprovalHook{{Name: "hooks that cannot be read: " + err.Error()}}
	}
	return all
}

// hooksOf are the hooks at points that the runbook comes to.
func hooksOf(book rollout.Runbook, all []rollout.ApprovalHook) []rollout.ApprovalHook {
	var of []rollout.ApprovalHook
	for _, h := range all {
		if h.Point == "" || slices.ContainsFunc(book.Steps, func(s rollout.Step) bool { return s.Hook == h.Point }) {
			of = append(of, h)
		}
	}
	return of
}
