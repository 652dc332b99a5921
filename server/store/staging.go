package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// The phases of a staging. "" = not begun.
const (
	PhaseCheck  = "check"  // whether the tree is there already
	PhaseFetch  = "fetch"  // the bundle comes
	PhaseUnpack = "unpack" // and is unpacked
	PhaseVerify = "verify" // every file is compared
)

// Staging is one medium on its way to one host. Its states and moves are those
// of an upgrade.
type Staging struct {
	ID         int64
	Host       HostAddress
	Media      int64
	Arch       string
	Folder     string // of the tree, on the host
	Upgrade    int64  // that does it as a step of its own; 0 = ahead of it
	State      rollout.State
	Phase      string
	Attempt    int
	Generation int64
	Source     string // "console", or the share's or mirror's address
	Done       int64  // bytes fetched
	Total      int64
	Rate       int64 // bytes a second between the last two looks
	Memory     map[string]string
	Message    string
	Remedy     string
	Refused    string // what the listener refused to the host last
	RefusedAt  *time.Time
	AskedBy    string
	Reason     string
	AskedAt    time.Time
	NotBefore  time.Time
	OutputAt   *time.Time // bytes or a phase came
	StartedAt  *time.Time
	EndedAt    *time.Time
	ProvenAt   *time.Time // every file of the tree was right then
}

// Open reports whether the staging has not ended.
func (g Staging) Open() bool {
	return g.State != rollout.Done && g.State != rollout.Skipped && g.State != rollout.Failed
}

// Percent is how much of the bundle the host has, 0 to 100.
func (g Staging) Percent() int {
	if g.Total <= 0 {
		return 0
	}
	return int(min(100, g.Done*100/g.Total))
}

// StagingByID returns one staging.
func (s *Store) StagingByID(ctx context.Context, id int64) (Staging, error) {
	r, err := s.q.StagingByID(ctx, id)
	if err != nil {
		return Staging{}, fmt.Errorf("load staging %d: %w", id, missing(err, "There is no staging %d.", id))
	}
	return stagingOf(db.StagingsRow(r))
}

// LoadStaging loads a staging for a tick. It reports false when it has ended,
// belongs to an upgrade, or the generation is not the row's: the tick ends
// without acting.
func (s *Store) LoadStaging(ctx context.Context, id, generation int64) (Staging, bool, error) {
	g, err := s.StagingByID(ctx, id)
	if errors.Is(err, rollout.ErrNotFound) {
		return Staging{}, false, nil
	}
	if err != nil {
		return Staging{}, false, err
	}
	live := g.Generation == generation && g.Upgrade == 0 && (g.State == rollout.Waiting || g.State == rollout.Held || inWork(g.State))
	return g, live, nil
}

// BeginStaging lets a staging that waits begin, fenced by the lease on its host.
// ErrOvertaken says that it is not to begin any more, or not yet.
func (s *Store) BeginStaging(ctx context.Context, lease Lease, id, generation int64) error {
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.hold(ctx, lease); err != nil {
			return err
		}
		n, err := t.q.BeginStaging(ctx, db.BeginStagingParams{ID: id, Generation: generation})
		if err != nil {
			return err
		}
		if n == 0 {
			return overtaken("staging %d does not wait any more, or not until now", id)
		}
		return t.ring(ctx, "staging", id)
	})
	if err != nil {
		return fmt.Errorf("begin staging %d: %w", id, err)
	}
	return nil
}

// StagingForUpgrade returns the open staging of a host and medium as a step of
// the upgrade, which holds the lease: the one that was asked for ahead, from
// whoever worked on it, or a new one. It is running.
func (s *Store) StagingForUpgrade(ctx context.Context, lease Lease, upgrade, host, media int64, folder string) (Staging, error) {
	var id int64
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.hold(ctx, lease); err != nil {
			return err
		}
		var err error
		id, err = t.q.TakeStagingForUpgrade(ctx, db.TakeStagingForUpgradeParams{UpgradeID: upgrade, HostID: host, MediaID: media})
		if errors.Is(err, pgx.ErrNoRows) {
			id, err = t.q.InsertStagingForUpgrade(ctx, db.InsertStagingForUpgradeParams{
				HostID: host, Folder: folder, UpgradeID: upgrade, AskedBy: fmt.Sprintf("upgrade %d", upgrade), MediaID: media,
			})
		}
		return err
	})
	if err != nil {
		return Staging{}, fmt.Errorf("stage for upgrade %d: %w", upgrade, err)
	}
	return s.StagingByID(ctx, id)
}

// StagingSave is everything that one tick changes of a staging. It is saved in
// one transaction that checks the lease, the generation and the state it began with.
type StagingSave struct {
	Staging    int64
	Generation int64
	From, To   rollout.State
	Phase      string
	Attempt    int
	Source     string
	Done       int64
	Total      int64
	Rate       int64
	Memory     map[string]string
	Message    string
	Remedy     string
	DueAt      time.Time // zero = as before
	Output     bool      // bytes or a phase came
	Proven     bool      // every file of the tree is right now
	Facts      []Fact    // learned about the host
}

// Save is what a tick begins with: nothing changed yet.
func (g Staging) Save() StagingSave {
	return StagingSave{
		Staging: g.ID, Generation: g.Generation, From: g.State, To: g.State, Phase: g.Phase, Attempt: g.Attempt, Source: g.Source,
		Done: g.Done, Total: g.Total, Rate: g.Rate, Memory: g.Memory, Message: g.Message, Remedy: g.Remedy,
	}
}

// SaveStaging writes what a tick did. ErrLeaseLost or ErrOvertaken means that
// nothing was written. A move that the state tables do not have is refused. What
// has ended takes its grant with it.
func (s *Store) SaveStaging(ctx context.Context, lease Lease, k StagingSave) error {
	err := s.inTx(ctx, func(t *txn) error {
		if k.From != k.To {
			if err := t.advanceAwaiting(ctx, k.Staging); err != nil {
				return err
			}
		}
		if err := t.hold(ctx, lease); err != nil {
			return err
		}
		host, err := t.saveStaging(ctx, k)
		if err != nil {
			return err
		}
		if len(k.Facts) > 0 {
			return t.saveFacts(ctx, host, k.Facts)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save staging %d: %w", k.Staging, err)
	}
	return nil
}

// advanceAwaiting asks for the rollouts that may wait for the staging's host. Their rows come before the lease in the order of locks.
func (t *txn) advanceAwaiting(ctx context.Context, staging int64) error {
	row, err := t.q.StagingByID(ctx, staging)
	if err != nil {
		return err
	}
	waiting, err := t.q.RolloutsStartingHost(ctx, row.HostID)
	if err != nil {
		return err
	}
	for _, id := range waiting {
		if err := t.requestAdvance(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// saveStaging is the part of a tick's transaction that is a staging's; the lease
// is held. It returns the host.
func (t *txn) saveStaging(ctx context.Context, k StagingSave) (int64, error) {
	if err := rollout.Ticked(k.From, k.To); err != nil {
		return 0, fmt.Errorf("staging %d: %w", k.Staging, err)
	}
	memory := []byte("{}")
	if len(k.Memory) > 0 {
		var err error
		if memory, err = json.Marshal(k.Memory); err != nil {
			return 0, fmt.Errorf("encode memory: %w", err)
		}
	}
	n, err := t.q.SaveStaging(ctx, db.SaveStagingParams{
		ToState: string(k.To), Phase: k.Phase, Attempt: max(1, k.Attempt), Source: k.Source, DoneBytes: max(0, k.Done), TotalBytes: max(0, k.Total),
		Rate: max(0, k.Rate), Memory: memory, Message: k.Message, Remedy: k.Remedy, DueAt: momentOf(k.DueAt), Output: k.Output, Proven: k.Proven,
		ID: k.Staging, FromState: string(k.From), Generation: k.Generation,
	})
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, overtaken("staging %d moved on meanwhile", k.Staging)
	}
	if k.To == rollout.Done || k.To == rollout.Failed || k.To == rollout.Skipped {
		if err := t.q.RevokeGrants(ctx, k.Staging); err != nil {
			return 0, err
		}
	}
	row, err := t.q.StagingByID(ctx, k.Staging)
	if err != nil {
		return 0, err
	}
	if err := t.ring(ctx, "staging", k.Staging); err != nil {
		return 0, err
	}
	return row.HostID, t.ring(ctx, "host", row.HostID)
}

// CancelStaging ends what was asked for and is no step of an upgrade, and what
// failed: no upgrade waits for it any more, its own step brings the media. What
// came to the host already stays there and is used the next time.
func (s *Store) CancelStaging(ctx context.Context, actor Actor, id int64, reason string) error {
	if reason = strings.TrimSpace(reason); reason == "" {
		return fmt.Errorf("cancel staging: %w", rollout.Invalid("Say why."))
	}
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator", "planner"); err != nil {
			return err
		}
		if err := t.advanceAwaiting(ctx, id); err != nil {
			return missing(err, "There is no staging %d.", id)
		}
		host, err := t.q.EndStaging(ctx, db.EndStagingParams{ID: id, Message: actor.Name + " cancelled it: " + reason})
		if err != nil {
			return missing(err, "Staging %d is over, or an upgrade does it: nothing was cancelled.", id)
		}
		if err := t.q.RevokeGrants(ctx, id); err != nil {
			return err
		}
		t.record(actor, Record{What: "media.cancel", Subject: fmt.Sprintf("staging %d", id), Reason: reason})
		if err := t.ring(ctx, "staging", id); err != nil {
			return err
		}
		return t.ring(ctx, "host", host)
	})
	if err != nil {
		return fmt.Errorf("cancel staging %d: %w", id, err)
	}
	return nil
}

// Stagings returns the newest staging of each host and medium, by the hosts'
// names; media 0 and host 0 = all.
func (s *Store) Stagings(ctx context.Context, media, host int64) ([]Staging, error) {
	rows, err := s.q.Stagings(ctx, db.StagingsParams{MediaID: media, HostID: host})
	if err != nil {
		return nil, fmt.Errorf("load stagings: %w", err)
	}
	all := make([]Staging, 0, len(rows))
	for _, r := range rows {
		g, err := stagingOf(r)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

// MediumStagings returns the newest staging of one medium on the first hosts by
// name, at most so many, without their memory, and on how many hosts there is one.
func (s *Store) MediumStagings(ctx context.Context, media int64, most int) ([]Staging, int, error) {
	rows, err := s.q.MediumStagings(ctx, db.MediumStagingsParams{MediaID: media, Most: int64(most)})
	if err != nil {
		return nil, 0, fmt.Errorf("load stagings of media %d: %w", media, err)
	}
	n, err := s.q.StagedHosts(ctx, media)
	if err != nil {
		return nil, 0, fmt.Errorf("count stagings of media %d: %w", media, err)
	}
	all := make([]Staging, 0, len(rows))
	for _, r := range rows {
		g, err := stagingOf(db.StagingsRow(r))
		if err != nil {
			return nil, 0, err
		}
		all = append(all, g)
	}
	return all, int(n), nil
}

func stagingOf(r db.StagingsRow) (Staging, error) {
	g := Staging{
		ID: r.ID, Host: HostAddress{ID: r.HostID, Name: r.Host, Address: r.Address, Port: r.Port}, Media: r.MediaID, Arch: r.Arch, Folder: r.Folder,
		State: rollout.State(r.State), Phase: r.Phase, Attempt: r.Attempt, Generation: r.Generation, Source: r.Source, Done: r.DoneBytes,
		Total: r.TotalBytes, Rate: r.Rate, Message: r.Message, Remedy: r.Remedy, Refused: r.Refused, RefusedAt: r.RefusedAt, AskedBy: r.AskedBy,
		Reason: r.Reason, AskedAt: r.AskedAt, NotBefore: r.NotBefore, OutputAt: r.OutputAt, StartedAt: r.StartedAt, EndedAt: r.EndedAt, ProvenAt: r.ProvenAt,
	}
	if r.UpgradeID != nil {
		g.Upgrade = *r.UpgradeID
	}
	if err := json.Unmarshal(r.Memory, &g.Memory); err != nil {
		return Staging{}, fmt.Errorf("read the memory of staging %d: %w", r.ID, err)
	}
	return g, nil
}
