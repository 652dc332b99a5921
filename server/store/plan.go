package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/canon"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// Plan is a plan with its revisions, the newest first.
type Plan struct {
	ID        int64
	Name      string
	Kind      rollout.PlanKind
	Package   string // "sp1"
	Then      string // "sp1-ru9", installed after it; "" = nothing
	CreatedBy string
	CreatedAt time.Time
	Revisions []Revision
}

// Revision is one immutable version of a plan. Only its state changes.
type Revision struct {
	ID          int64
	PlanID      int64
	Number      int
	State       rollout.PlanState
	Content     []byte // canonical JSON, rollout.ReadPlan reads it
	Hash        string
	AuthorID    int64
	Author      string
	CreatedAt   time.Time
	SubmittedAt *time.Time
	RolloutID   int64 // 0 = none
}

// PlanLine is a plan with its newest revision, for a list.
type PlanLine struct {
	ID                       int64
	Name, Package, CreatedBy string
	Kind                     rollout.PlanKind
	Then                     string // the second package; "" = none
	CreatedAt                time.Time
	RevisionID               int64
	Number                   int
	State                    rollout.PlanState
	Hash, Author             string
	RevisedAt                time.Time
	RolloutID                int64 // 0 = none
}

// CreatePlan makes a plan with its first revision, a draft.
func (s *Store) CreatePlan(ctx context.Context, actor Actor, name string, content rollout.Plan) (plan, revision int64, err error) {
	if name = strings.TrimSpace(name); name == "" {
		return 0, 0, fmt.Errorf("create plan: %w", rollout.Invalid("A plan has a name."))
	}
	err = s.inTxBy(ctx, actor, func(t *txn) error {
		var err error
		plan, err = t.q.AddPlan(ctx, db.AddPlanParams{
			Name: name, Package: content.Package.Name, CreatedBy: actor.PersonID, Kind: string(content.Kind), ThenPackage: thenName(content),
		})
		if err != nil {
			return err
		}
		revision, err = t.addRevision(ctx, actor, plan, 1, content, "plan.create")
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("create plan: %w", err)
	}
	return plan, revision, nil
}

func thenName(content rollout.Plan) string {
	if content.Then == nil {
		return ""
	}
	return content.Then.Name
}

// AddRevision gives the plan a newer draft and supersedes the draft before it;
// basedOn is the revision that its author saw, so that of two authors the
// second is told. A submitted revision stays as it is until the newer one is
// submitted.
func (s *Store) AddRevision(ctx context.Context, actor Actor, plan, basedOn int64, content rollout.Plan) (int64, error) {
	var id int64
	err := s.inTxBy(ctx, actor, func(t *txn) error {
		row, err := t.q.LockPlan(ctx, plan)
		if err != nil {
			return missing(err, "There is no such plan.")
		}
		if row.Package != content.Package.Name {
			return rollout.Invalid("The plan is for %s; make another plan for %s.", row.Package, content.Package.Name)
		}
		if row.Kind != string(content.Kind) || row.ThenPackage != thenName(content) {
			return rollout.Invalid("A plan keeps what it is about; make another plan.")
		}
		latest, err := t.q.LatestRevision(ctx, plan)
		if err != nil {
			return err
		}
		if latest.ID != basedOn {
			return rollout.Conflict("Somebody made revision %d meanwhile. Look at it before you change the plan.", latest.Number)
		}
		if latest.State == string(rollout.Draft) {
			n, err := t.q.MoveRevision(ctx, db.MoveRevisionParams{ToState: string(rollout.Superseded), ID: latest.ID, FromState: latest.State})
			if err != nil {
				return err
			}
			if n == 0 {
				return rollout.Conflict("Revision %d was submitted meanwhile.", latest.Number)
			}
		}
		id, err = t.addRevision(ctx, actor, plan, latest.Number+1, content, "plan.revise")
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("revise plan %d: %w", plan, err)
	}
	return id, nil
}

func (t *txn) addRevision(ctx context.Context, actor Actor, plan int64, number int, content rollout.Plan, what string) (int64, error) {
	bytes, err := content.Canonical()
	if err != nil {
		return 0, err
	}
	hash := canon.Sum(bytes)
	id, err := t.q.AddRevision(ctx, db.AddRevisionParams{PlanID: plan, Number: number, Content: string(bytes), Hash: hash, AuthorID: actor.PersonID})
	if err != nil {
		return 0, err
	}
	t.record(actor, Record{
		What: what, Subject: fmt.Sprintf("plan %d revision %d", plan, number),
		Detail: map[string]any{"hash": hash, "package": content.Package.Name, "servers": len(content.Servers), "waves": len(content.Waves)},
	})
	return id, t.ring(ctx, "plan", plan)
}

// PlanByID returns a plan with all its revisions.
func (s *Store) PlanByID(ctx context.Context, id int64) (Plan, error) {
	r, err := s.q.PlanByID(ctx, id)
	if err != nil {
		return Plan{}, fmt.Errorf("load plan %d: %w", id, missing(err, "There is no such plan."))
	}
	p := Plan{
		ID: r.ID, Name: r.Name, Kind: rollout.PlanKind(r.Kind), Package: r.Package, Then: r.ThenPackage, CreatedBy: r.Creator, CreatedAt: r.CreatedAt,
	}
	rows, err := s.q.RevisionsOfPlan(ctx, id)
	if err != nil {
		return Plan{}, fmt.Errorf("load revisions of plan %d: %w", id, err)
	}
	for _, v := range rows {
		p.Revisions = append(p.Revisions, revisionOf(db.RevisionWithAuthorRow(v)))
	}
	return p, nil
}

// RevisionByID returns one revision.
func (s *Store) RevisionByID(ctx context.Context, id int64) (Revision, error) {
	r, err := s.q.RevisionWithAuthor(ctx, id)
	if err != nil {
		return Revision{}, fmt.Errorf("load revision %d: %w", id, missing(err, "There is no such revision."))
	}
	return revisionOf(r), nil
}

func revisionOf(r db.RevisionWithAuthorRow) Revision {
	return Revision{
		ID: r.ID, PlanID: r.PlanID, Number: r.Number, State: rollout.PlanState(r.State), Content: []byte(r.Content), Hash: r.Hash,
		AuthorID: r.AuthorID, Author: r.Author, CreatedAt: r.CreatedAt, SubmittedAt: r.SubmittedAt, RolloutID: r.RolloutID,
	}
}

// Plans returns all plans with their newest revision, the newest plan first.
func (s *Store) Plans(ctx context.Context) ([]PlanLine, error) {
	rows, err := s.q.Plans(ctx)
	if err != nil {
		return nil, fmt.Errorf("load plans: %w", err)
	}
	var all []PlanLine
	for _, r := range rows {
		all = append(all, PlanLine{
			ID: r.ID, Name: r.Name, Kind: rollout.PlanKind(r.Kind), Package: r.Package, Then: r.ThenPackage, CreatedBy: r.Creator, CreatedAt: r.CreatedAt, RevisionID: r.RevisionID,
			Number: r.Number, State: rollout.PlanState(r.State), Hash: r.Hash, Author: r.Author, RevisedAt: r.RevisedAt, RolloutID: r.RolloutID,
		})
	}
	return all, nil
}
