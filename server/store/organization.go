package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// OrganizationFact is one thing known of the whole organization: read once by a
// host task on a host that a person named, or entered by hand.
type OrganizationFact struct {
	Name        string
	Value       json.RawMessage
	Source      string // "read on MBX01", or SourceByHand
	At          time.Time
	EnteredBy   string // who entered it, or asked for the reading
	Reason      string
	ConfirmedBy string // the second person; "" = it needed none, or was read
}

// SourceByHand is the source of a fact that a person entered.
const SourceByHand = preflight.ByHand

// Fact is the fact as rules read it, with whose word it is.
func (f OrganizationFact) Fact() preflight.Fact {
	source := f.Source
	if source == SourceByHand {
		source += " by " + f.EnteredBy
		if f.ConfirmedBy != "" {
			source += ", confirmed by " + f.ConfirmedBy
		}
	}
	return preflight.Fact{Value: f.Value, Source: source, At: f.At}
}

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
// with how it is known. Value is JSON. What was read is not entered over: it has
// to be taken back first. What would release servers that are held waits for
// another operator instead: waits is true then.
func (s *Store) EnterOrganizationFact(ctx context.Context, actor Actor, name string, value json.RawMessage, reason string) (waits bool, err error) {
	name, reason = strings.TrimSpace(name), strings.TrimSpace(reason)
	err = s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator", "planner"); err != nil {
			return err
		}
		switch {
		case reason == "":
			return rollout.Invalid("Say how it is known: the reason is kept on record.")
		case !json.Valid(value):
			return rollout.Invalid("The value of %s is no JSON: a number, true, false, a text in quotes, or a list.", name)
		}
		if err := preflight.CheckOrganization(name, value); err != nil {
			return rollout.Invalid("%v. Correct it and enter it again.", err)
		}
		known, err := t.knownOrganization(ctx)
		if err != nil {
			return err
		}
		before := known[name]
		if before.Source != "" && before.Source != SourceByHand {
			return wasRead(before)
		}
		if waits = releases(known, name, value); waits {
			return t.wishOrganization(ctx, actor, name, value, string(before.Value), reason)
		}
		if err := t.enterFact(ctx, name, value, actor.Name, reason, ""); err != nil {
			return err
		}
		t.record(actor, Record{
			What: "organization.enter", Subject: name, Reason: reason,
			Detail: map[string]any{"before": string(before.Value), "value": string(value)},
		})
		return t.ring(ctx, "organization", 0)
	})
	if err != nil {
		return false, fmt.Errorf("enter fact %s of the organization: %w", name, err)
	}
	return waits, nil
}

// enterFact writes what a person entered, unless it was read meanwhile.
func (t *txn) enterFact(ctx context.Context, name string, value json.RawMessage, by, reason, confirmedBy string) error {
	n, err := t.q.EnterOrganizationFact(ctx, db.EnterOrganizationFactParams{
		Name: name, Value: value, Source: SourceByHand, EnteredBy: by, Reason: reason, ConfirmedBy: confirmedBy,
	})
	if err != nil {
		return err
	}
	if n == 0 {
		return rollout.Conflict("%s was read meanwhile: what was read counts.", name)
	}
	return nil
}

func wasRead(f OrganizationFact) error {
	return rollout.Conflict("%s was %s, %s: what was read is not entered over. Have it read again, or take it back first, with a reason.",
		f.Name, f.Source, f.At.UTC().Format("2006-01-02 15:04 UTC"))
}

// DropOrganizationFact takes a fact back that is not known any more. What would
// release servers that are held waits for another operator: waits is true then.
func (s *Store) DropOrganizationFact(ctx context.Context, actor Actor, name, reason string) (waits bool, err error) {
	reason = strings.TrimSpace(reason)
	err = s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator", "planner"); err != nil {
			return err
		}
		if reason == "" {
			return rollout.Invalid("Say why it is not known any more: the reason is kept on record.")
		}
		known, err := t.knownOrganization(ctx)
		if err != nil {
			return err
		}
		before, ok := known[name]
		if !ok {
			return rollout.NotFound("Nothing is known as %s.", name)
		}
		if waits = releases(known, name, nil); waits {
			return t.wishOrganization(ctx, actor, name, nil, string(before.Value), reason)
		}
		if err := t.dropFact(ctx, name, before.At); err != nil {
			return err
		}
		t.record(actor, Record{What: "organization.drop", Subject: name, Reason: reason, Detail: map[string]any{"before": string(before.Value)}})
		return t.ring(ctx, "organization", 0)
	})
	if err != nil {
		return false, fmt.Errorf("drop fact %s of the organization: %w", name, err)
	}
	return waits, nil
}

// dropFact forgets a fact as it was known at a time.
func (t *txn) dropFact(ctx context.Context, name string, knownAt time.Time) error {
	n, err := t.q.DropOrganizationFact(ctx, db.DropOrganizationFactParams{Name: name, KnownAt: knownAt})
	if err != nil {
		return err
	}
	if n == 0 {
		return rollout.Conflict("%s is not what it was: it was read or entered meanwhile.", name)
	}
	return nil
}

// knownOrganization is what is known of the organization, by name.
func (t *txn) knownOrganization(ctx context.Context) (map[string]OrganizationFact, error) {
	rows, err := t.q.OrganizationFacts(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]OrganizationFact{}
	for _, r := range rows {
		known[r.Name] = OrganizationFact(r)
	}
	return known, nil
}

// factsOf are facts of the organization as rules read them.
func factsOf(known map[string]OrganizationFact) map[string]preflight.Fact {
	facts := map[string]preflight.Fact{}
	for name, f := range known {
		facts[name] = f.Fact()
	}
	return facts
}

// releases reports whether servers that are held now for lack of the
// organization's preparation would be held less with another value of a fact;
// nil = without it.
func releases(known map[string]OrganizationFact, name string, value json.RawMessage) bool {
	before, after := factsOf(known), factsOf(known)
	delete(after, name)
	if value != nil {
		after[name] = preflight.Fact{Value: value}
	}
	return slices.ContainsFunc(preflight.Wanted(before), func(need string) bool { return !slices.Contains(preflight.Wanted(after), need) })
}
