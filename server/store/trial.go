package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// trialLasts is how long a trial may take before it counts as one of which
// nothing was heard: longer than a tick or a probe.
const trialLasts = 60 * time.Second

// mostUnanswered is how many trials in a row may end without an answer.
const mostUnanswered = 2

// Trial is the answer to a coordinator that wants to use a version of a
// credential that no host took yet.
type Trial struct {
	Mine bool   // try it, at this host, and say what came of it
	Host string // where it is being tried just now, when it is not ours
}

// BeginTrial lets one coordinator try a version that no host took yet, at one
// host; all others wait. A trial of which nothing was heard (its coordinator
// died) counts: after two in a row the credential is refused. The zero Trial
// means that there is nothing to wait for: it was taken, refused or set anew.
func (s *Store) BeginTrial(ctx context.Context, owner string, c SealedCredential, host int64) (Trial, error) {
	var trial Trial
	err := s.inTx(ctx, func(t *txn) error {
		now, err := t.q.LockCredential(ctx, c.ID)
		if err != nil {
			return missing(err, "There is no such credential.")
		}
		if now.Version != c.Version || now.ProvenAt != nil {
			return nil
		}
		known, err := standing(ctx, t.q, sealedOf(now))
		if err != nil {
			return err
		}
		if _, closed := known.Against(host); closed {
			return nil
		}
		unanswered := 0
		running, err := t.q.TrialOf(ctx, c.ID)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
		case err != nil:
			return fmt.Errorf("load the trial: %w", err)
		case running.Version != c.Version:
		case running.Until.After(t.now) && (running.Owner != owner || running.HostID != host):
			trial.Host = running.Host
			return nil
		case running.Until.After(t.now):
			unanswered = running.Unanswered // ours goes on
		default:
			unanswered = running.Unanswered + 1
		}
		if unanswered >= mostUnanswered {
			return t.refuse(ctx, sealedOf(now), 0, fmt.Sprintf(
				"%d times nothing was heard after it was sent, the last time to %s: whether it is right is not known, and trying on could lock the account", unanswered, running.Host))
		}
		trial.Mine = true
		return t.q.BeginTrial(ctx, db.BeginTrialParams{
			CredentialID: c.ID, Version: c.Version, HostID: host, Owner: owner, Seconds: trialLasts.Seconds(), Unanswered: unanswered,
		})
	})
	if err != nil {
		return Trial{}, fmt.Errorf("try a credential: %w", err)
	}
	return trial, nil
}

// EndTrial gives a trial back of which nothing came, because the host was not
// reached: another host is tried next. What was taken or refused ends it by itself.
func (s *Store) EndTrial(ctx context.Context, owner string, c SealedCredential, host int64) error {
	err := s.inTx(ctx, func(t *txn) error {
		if _, err := t.q.LockCredential(ctx, c.ID); err != nil {
			return missing(err, "There is no such credential.")
		}
		running, err := t.q.TrialOf(ctx, c.ID)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil
		case err != nil:
			return fmt.Errorf("load the trial: %w", err)
		case running.Owner != owner || running.HostID != host || running.Version != c.Version:
			return nil
		case running.Unanswered == 0:
			return t.q.EndTrial(ctx, c.ID)
		}
		// What was counted before stays: the next trial begins at once, and counts this row.
		return t.q.BeginTrial(ctx, db.BeginTrialParams{
			CredentialID: c.ID, Version: c.Version, HostID: host, Owner: owner, Seconds: -1, Unanswered: running.Unanswered - 1,
		})
	})
	if err != nil {
		return fmt.Errorf("end the trial of a credential: %w", err)
	}
	return nil
}

// HostsOfProfile returns the hosts that are reached by the profile, by name: a
// secret that is to take another's place is tried at one of them.
func (s *Store) HostsOfProfile(ctx context.Context, profile string) ([]HostAddress, error) {
	rows, err := s.q.HostsOfProfile(ctx, profile)
	if err != nil {
		return nil, fmt.Errorf("load hosts of profile %s: %w", profile, err)
	}
	var hosts []HostAddress
	for _, r := range rows {
		hosts = append(hosts, HostAddress{ID: r.ID, Name: r.Name, Address: r.Address, Port: r.Port})
	}
	if len(hosts) == 0 {
		return nil, rollout.NotFound("No host is reached by profile %s.", profile)
	}
	return hosts, nil
}

// HostNamed returns a host; the name is compared without case.
func (s *Store) HostNamed(ctx context.Context, name string) (HostAddress, error) {
	h, err := s.q.HostByName(ctx, strings.ToUpper(strings.TrimSpace(name)))
	if err != nil {
		return HostAddress{}, fmt.Errorf("load host: %w", missing(err, "There is no host %s in the inventory.", name))
	}
	return HostAddress{ID: h.ID, Name: h.Name, Address: h.Address, Port: h.Port}, nil
}

// AccountName is how an account knows a host: by the address, or by the full
// name of its server where the address is a number.
type AccountName struct{ Address, FQDN string }

// AccountNames returns the names of the hosts of a profile, by id.
func (s *Store) AccountNames(ctx context.Context, profile string) (map[int64]AccountName, error) {
	rows, err := s.q.HostsOfProfile(ctx, profile)
	if err != nil {
		return nil, fmt.Errorf("load names of hosts of profile %s: %w", profile, err)
	}
	names := map[int64]AccountName{}
	for _, r := range rows {
		names[r.ID] = AccountName{Address: r.Address, FQDN: r.Fqdn}
	}
	return names, nil
}
