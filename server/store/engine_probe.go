package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/store/db"
)

// ProbeTarget is how a host is reached for a probe.
type ProbeTarget struct {
	Host    HostAddress
	FQDN    string
	Server  string
	Profile string
}

// ProbeTarget returns how the host is reached.
func (s *Store) ProbeTarget(ctx context.Context, host int64) (ProbeTarget, error) {
	r, err := s.q.ProbeTarget(ctx, host)
	if err != nil {
		return ProbeTarget{}, fmt.Errorf("load host %d: %w", host, missing(err, "There is no such host."))
	}
	return ProbeTarget{
		Host:   HostAddress{ID: r.ID, Name: r.Name, Address: r.Address, Port: r.Port},
		FQDN:   exchange.Server{FQDN: r.Fqdn, Cluster: exchange.ClusterType(r.Cluster)}.HostFQDN(r.Name),
		Server: r.Server, Profile: r.Profile,
	}, nil
}

// RequestProbes asks for the facts of all hosts of the servers. It returns how
// many hosts will be asked.
func (s *Store) RequestProbes(ctx context.Context, actor Actor, servers []int64) (int, error) {
	var hosts []int64
	err := s.inTxBy(ctx, actor, func(t *txn) error {
		var err error
		if hosts, err = t.q.HostsOfServers(ctx, servers); err != nil {
			return err
		}
		for _, h := range hosts {
			if err := s.insertJobs(ctx, t.tx, Probe{Host: h}); err != nil {
				return err
			}
		}
		t.record(actor, Record{What: "host.probe", Subject: fmt.Sprintf("%d hosts", len(hosts))})
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("request probes: %w", err)
	}
	return len(hosts), nil
}

// SaveProbe keeps what came out of a probe of the host where it was asked, and
// asks for the rollouts that wait for it. What a machine said that is not the
// host any more is dropped. It never touches rollout state itself.
func (s *Store) SaveProbe(ctx context.Context, asked HostAddress, outcome, message string, facts []Fact) error {
	host := asked.ID
	err := s.inTx(ctx, func(t *txn) error {
		waiting, err := t.q.RolloutsAwaitingHost(ctx, db.RolloutsAwaitingHostParams{HostID: host, AskedSeconds: t.s.askedFor().Seconds()})
		if err != nil {
			return err
		}
		for _, id := range waiting {
			if err := t.requestAdvance(ctx, id); err != nil {
				return err
			}
		}
		n, err := t.q.HostProbed(ctx, db.HostProbedParams{Outcome: outcome, Error: message, ID: host, Address: asked.Address, Port: asked.Port})
		if err != nil {
			return err
		}
		if n == 0 {
			return errRollBack
		}
		if len(facts) > 0 {
			if err := t.saveFacts(ctx, host, facts); err != nil {
				return err
			}
		}
		return t.ring(ctx, "host", host)
	})
	if err != nil && !errors.Is(err, errRollBack) {
		return fmt.Errorf("save probe of host %d: %w", host, err)
	}
	return nil
}

// ProbeAlive says that this process asks the host just now: a host of which
// nobody says so is asked again (see Sweep).
func (s *Store) ProbeAlive(ctx context.Context, host int64) error {
	if err := s.q.ProbeAlive(ctx, host); err != nil {
		return fmt.Errorf("say that host %d is being asked: %w", host, err)
	}
	return nil
}

// saveFacts keeps the facts of a host; an older one never replaces a newer one.
// Their times become the database's, whatever this process's clock says.
func (t *txn) saveFacts(ctx context.Context, host int64, facts []Fact) error {
	if err := t.q.HostAnswered(ctx, host); err != nil {
		return fmt.Errorf("save time of facts: %w", err)
	}
	if down, ok := servicesDown(facts); ok {
		facts = append(slices.Clip(facts), down)
	}
	for _, f := range facts {
		age := max(0, time.Since(f.At)).Seconds()
		if err := t.q.KeepFact(ctx, db.KeepFactParams{HostID: host, Name: f.Name, Value: f.Value, Source: f.Source, AgeSeconds: age}); err != nil {
			return fmt.Errorf("save fact %s: %w", f.Name, err)
		}
	}
	return nil
}
