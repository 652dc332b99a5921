package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// OrganizationFact is one thing known of the whole organization: read once by a
// host task on a host that a person named, or entered by hand.
type OrganizationFact struct {
	Name      string
	Value     json.RawMessage
	Source    string // "read on MBX01", or SourceByHand
	At        time.Time
	EnteredBy string // who entered it, or asked for the reading
	Reason    string
}

// SourceByHand is the source of a fact that a person entered.
const SourceByHand = "entered by hand"

// OrganizationFacts returns what is known of the organization, by name. Unknown
// is no row.
func (s *Store) OrganizationFacts(ctx context.Context) ([]OrganizationFact, error) {
	rows, err := s.q.OrganizationFacts(ctx)
	if err != nil {
		return nil, fmt.Errorf("load facts of the organization: %w", err)
	}
	all := make([]OrganizationFact, 0, len(rows))
	for _, r := range rows {
		all = append(all, OrganizationFact(r))
	}
	return all, nil
}

// EnterOrganizationFact keeps a fact of the organization that a person knows,
// with how it is known. Value is JSON.
func (s *Store) EnterOrganizationFact(ctx context.Context, actor Actor, name string, value json.RawMessage, reason string) error {
	name, reason = strings.TrimSpace(name), strings.TrimSpace(reason)
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator", "planner"); err != nil {
			return err
		}
		switch {
		case reason == "":
			return rollout.Invalid("Say how it is known: the reason is kept on record.")
		case !json.Valid(value):
			return rollout.Invalid("The value of %s is no JSON: a number, true, false, a text in quotes, or a list.", name)
		}
		before, err := t.organizationFact(ctx, name)
		if err != nil {
			return err
		}
		if err := t.q.SetOrganizationFact(ctx, db.SetOrganizationFactParams{
			Name: name, Value: value, Source: SourceByHand, EnteredBy: actor.Name, Reason: reason,
		}); err != nil {
			return err
		}
		t.record(actor, Record{
			What: "organization.enter", Subject: name, Reason: reason,
			Detail: map[string]any{"before": before, "value": string(value)},
		})
		return t.ring(ctx, "organization", 0)
	})
	if err != nil {
		return fmt.Errorf("enter fact %s of the organization: %w", name, err)
	}
	return nil
}

// DropOrganizationFact takes a fact back that is not known any more.
func (s *Store) DropOrganizationFact(ctx context.Context, actor Actor, name, reason string) error {
	reason = strings.TrimSpace(reason)
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator", "planner"); err != nil {
			return err
		}
		if reason == "" {
			return rollout.Invalid("Say why it is not known any more: the reason is kept on record.")
		}
		before, err := t.organizationFact(ctx, name)
		if err != nil {
			return err
		}
		n, err := t.q.DropOrganizationFact(ctx, name)
		if err != nil {
			return err
		}
		if n == 0 {
			return rollout.NotFound("Nothing is known as %s.", name)
		}
		t.record(actor, Record{What: "organization.drop", Subject: name, Reason: reason, Detail: map[string]any{"before": before}})
		return t.ring(ctx, "organization", 0)
	})
	if err != nil {
		return fmt.Errorf("drop fact %s of the organization: %w", name, err)
	}
	return nil
}

// organizationFact is a fact's value for the record; "" = it was not known.
func (t *txn) organizationFact(ctx context.Context, name string) (string, error) {
	rows, err := t.q.OrganizationFacts(ctx)
	if err != nil {
		return "", err
	}
	for _, r := range rows {
		if r.Name == name {
			return string(r.Value), nil
		}
	}
	return "", nil
}
