package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// TrialLasts is how long a trial may take before it counts as one of which
// nothing was heard: longer than a tick, a probe and a first contact.
const TrialLasts = 2 * time.Minute

// renewalLasts is how long others wait for the trial of a secret that was right
// before.
const renewalLasts = 12 * time.Second

// mostUnanswered is how many trials in a row may end without an answer.
const mostUnanswered = 2

// goodFor is how long a secret that a host took is good without another trial.
const goodFor = 30 * time.Second

// Trial is the answer to a coordinator that wants to use a secret of which it is
// not known that it is right: no host took it yet, or none lately.
type Trial struct {
	Mine bool   // try it, at this host, and say what came of it
	Host string // where it is being tried just now, when it is not ours
}

// Tried is what came of a trial.
type Tried int

// What may come of a trial. That a host refused for good is NoteRefusal's.
const (
	TriedNothing Tried = iota // the secret was not shown
	TriedTaken                // the host took it
	TriedDoubt                // the host had taken it before, and refused it now
	TriedLost                 // it was shown, and no answer came
)

// about names what a trial is of: the same secret of the same account of a domain,
// or else the one credential.
func (c SealedCredential) about() string {
	if c.Digest != "" {
		return c.Digest
	}
	return fmt.Sprintf("credential %d", c.ID)
}

// BeginTrial lets one coordinator try a secret that no host took yet, or none in
// the last 30 s, at one host; all others wait. A trial of a new one of which
// nothing was heard (its coordinator died) counts: after two in a row the
// credential is refused. The zero Trial means that there is nothing to wait for: it
// was taken, refused or set anew.
func (s *Store) BeginTrial(ctx context.Context, owner string, c SealedCredential, host int64) (Trial, error) {
	var trial Trial
	err := s.inTx(ctx, func(t *txn) error {
		now, err := t.q.LockCredential(ctx, c.ID)
		if err != nil {
			return missing(err, "There is no such credential.")
		}
		if now.Version != c.Version || now.GoodAt != nil && now.GoodAt.After(t.now.Add(-goodFor)) {
			return nil
		}
		c := sealedOf(now)
		if err := t.q.LockTrial(ctx, c.about()); err != nil {
			return fmt.Errorf("wait for the trial: %w", err)
		}
		unanswered := 0
		running, err := t.q.TrialOf(ctx, c.about())
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("load the trial: %w", err)
		}
		// Read after the trial, whose end and a refusal are committed together.
		known, again := standing(ctx, t.q, c)
		if again != nil {
			return again
		}
		if _, closed := known.Against(host); closed {
			return nil
		}
		switch {
		case err != nil: // none runs
		case running.CredentialID == c.ID && running.Version != c.Version:
		case running.Ended:
			unanswered = running.Unanswered
		case running.Until.After(t.now) && (running.Owner != owner || running.HostID != host):
			trial.Host = running.Host
			return nil
		case running.Until.After(t.now), c.Proven:
			unanswered = running.Unanswered // ours goes on, or its coordinator was ended
		default:
			unanswered = running.Unanswered + 1
		}
		if unanswered >= mostUnanswered {
			return t.refuse(ctx, c, 0, false, unheardOf(unanswered, running.Host))
		}
		lasts := TrialLasts
		if c.Proven { // it is right most likely: a host that does not answer keeps nobody waiting
			lasts = renewalLasts
		}
		trial.Mine = true
		return t.q.BeginTrial(ctx, db.BeginTrialParams{
			About: c.about(), CredentialID: c.ID, Version: c.Version, HostID: host, Owner: owner, Seconds: lasts.Seconds(), Unanswered: unanswered,
		})
	})
	if err != nil {
		return Trial{}, fmt.Errorf("try a credential: %w", err)
	}
	return trial, nil
}

func unheardOf(times int, host string) string {
	return fmt.Sprintf("%d times nothing was heard after it was sent, the last time to %s: whether it is right is not known, and trying on could lock the account", times, host)
}

// EndTrial ends a trial with what came of it. When it is nothing, another host is
// tried next. One that was shown and not answered counts: two in a row refuse the
// credential. So do two hosts that had taken it and refuse it now, for all hosts.
func (s *Store) EndTrial(ctx context.Context, owner string, c SealedCredential, host int64, came Tried) error {
	err := s.inTx(ctx, func(t *txn) error {
		now, err := t.q.LockCredential(ctx, c.ID)
		if err != nil {
			return missing(err, "There is no such credential.")
		}
		if now.Version != c.Version {
			return nil
		}
		c := sealedOf(now)
		if err := t.q.LockTrial(ctx, c.about()); err != nil {
			return fmt.Errorf("wait for the trial: %w", err)
		}
		running, err := t.q.TrialOf(ctx, c.about())
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil // taken or refused meanwhile
		case err != nil:
			return fmt.Errorf("load the trial: %w", err)
		case running.Owner != owner || running.HostID != host || running.CredentialID != c.ID || running.Version != c.Version:
			return nil
		}
		count := running.Unanswered
		switch came {
		case TriedNothing:
		case TriedTaken:
			if err := t.q.ProveCredential(ctx, db.ProveCredentialParams{ID: c.ID, Host: running.Host}); err != nil {
				return fmt.Errorf("keep that it is proven: %w", err)
			}
			return t.q.EndTrial(ctx, c.about())
		case TriedDoubt:
			if now.DoubtedBy != nil && *now.DoubtedBy != host {
				return t.refuse(ctx, c, 0, true, fmt.Sprintf("two hosts that had taken it refused it, the last was %s: it was changed in the directory, or the account is locked or disabled", running.Host))
			}
			if err := t.q.DoubtCredential(ctx, db.DoubtCredentialParams{ID: c.ID, HostID: host}); err != nil {
				return fmt.Errorf("keep that it is doubtful: %w", err)
			}
		case TriedLost:
			if count++; count >= mostUnanswered {
				return t.refuse(ctx, c, 0, false, unheardOf(count, running.Host))
			}
		}
		if count == 0 {
			return t.q.EndTrial(ctx, c.about())
		}
		// What was counted stays for the next trial, which begins at once.
		return t.q.BeginTrial(ctx, db.BeginTrialParams{
			About: c.about(), CredentialID: c.ID, Version: c.Version, HostID: host, Owner: owner, Ended: true, Unanswered: count,
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
		names[r.ID] = AccountName{Address: r.Address, FQDN: exchange.Server{FQDN: r.Fqdn, Cluster: exchange.ClusterType(r.Cluster)}.HostFQDN(r.Name)}
	}
	return names, nil
}
