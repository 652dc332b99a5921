package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// PolicyValue is a value of preflight that an admin set in place of the rule's own.
type PolicyValue struct {
	Name   string
	Value  int
	SetBy  string
	SetAt  time.Time
	Reason string
}

// policyPrefix begins the names of settings that are values of preflight.
const policyPrefix = "preflight."

// PolicyValues returns what was set, by name.
func (s *Store) PolicyValues(ctx context.Context) ([]PolicyValue, error) {
	rows, err := s.q.Settings(ctx)
	if err != nil {
		return nil, fmt.Errorf("load settings: %w", err)
	}
	var all []PolicyValue
	for _, r := range rows {
		name, ok := strings.CutPrefix(r.Name, policyPrefix)
		if !ok {
			continue
		}
		v := PolicyValue{Name: name, SetBy: r.SetBy, SetAt: r.SetAt, Reason: r.Reason}
		if err := json.Unmarshal(r.Value, &v.Value); err != nil {
			return nil, fmt.Errorf("read setting %s: %w", r.Name, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// Policy returns the values that rules compare with, as far as they were set.
func (s *Store) Policy(ctx context.Context) (preflight.Policy, error) {
	all, err := s.PolicyValues(ctx)
	if err != nil {
		return nil, err
	}
	policy := preflight.Policy{}
	for _, v := range all {
		policy[v.Name] = v.Value
	}
	return policy, nil
}

// SetPolicy sets a value of preflight; the caller knows that there is one of the
// name and that the value is in its range.
func (s *Store) SetPolicy(ctx context.Context, actor Actor, name string, value int, reason string) error {
	return s.setPolicy(ctx, actor, name, &value, reason)
}

// ResetPolicy lets a value of preflight be the rule's own again.
func (s *Store) ResetPolicy(ctx context.Context, actor Actor, name, reason string) error {
	return s.setPolicy(ctx, actor, name, nil, reason)
}

func (s *Store) setPolicy(ctx context.Context, actor Actor, name string, value *int, reason string) error {
	reason = strings.TrimSpace(reason)
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "admin"); err != nil {
			return err
		}
		if reason == "" {
			return rollout.Invalid("Say why: the reason is kept on record.")
		}
		before := "the rule's own"
		rows, err := t.q.Settings(ctx)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Name == policyPrefix+name {
				before = string(r.Value)
			}
		}
		after := "the rule's own"
		if value == nil {
			n, err := t.q.DropSetting(ctx, policyPrefix+name)
			if err != nil {
				return err
			}
			if n == 0 {
				return rollout.NotFound("%s is the rule's own already.", name)
			}
		} else {
			after = fmt.Sprint(*value)
			if err := t.q.SetSetting(ctx, db.SetSettingParams{Name: policyPrefix + name, Value: json.RawMessage(after), SetBy: actor.Name, Reason: reason}); err != nil {
				return err
			}
		}
		t.record(actor, Record{What: "policy.set", Subject: name, Reason: reason, Detail: map[string]any{"before": before, "after": after}})
		return t.ring(ctx, "policy", 0)
	})
	if err != nil {
		return fmt.Errorf("set policy %s: %w", name, err)
	}
	return nil
}
