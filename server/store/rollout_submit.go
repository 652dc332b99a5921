package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// SubmitRevision freezes a draft revision and makes its rollout: waves,
// upgrades and the steps of the runbook, all in one transaction. hash is what
// the submitter saw. A rollout of an older revision that has not begun is
// stopped and its revision superseded; one that has begun is a conflict.
func (s *Store) SubmitRevision(ctx context.Context, actor Actor, revision int64, hash string, books rollout.Books) (int64, error) {
	return s.SubmitConfirmed(ctx, actor, revision, hash, nil, books)
}

// SubmitConfirmed is SubmitRevision by somebody who confirmed points that must be
// known, each by its text as it was shown: they go on record with his name. A
// preparation of the organization is refused without all of them.
func (s *Store) SubmitConfirmed(ctx context.Context, actor Actor, revision int64, hash string, confirmed []string, books rollout.Books) (int64, error) {
	var id int64
	err := s.inTxBy(ctx, actor, func(t *txn) error {
		v, err := t.lockRevision(ctx, revision)
		if err != nil {
			return err
		}
		if v.AuthorID != actor.PersonID && !slices.Contains(actor.Roles, "planner") {
			return rollout.Conflict("Only its author or a planner can submit a plan.")
		}
		if v.Hash != hash {
			return rollout.Conflict("The plan changed since you looked at it. Look again before you submit.")
		}
		if _, err := rollout.PlanTable.After(rollout.PlanState(v.State), rollout.SubmitPlan); err != nil {
			return err
		}
		if err := t.supersede(ctx, actor, v.PlanID, v.Number); err != nil {
			return err
		}
		n, err := t.q.MarkSubmitted(ctx, db.MarkSubmittedParams{PersonID: &actor.PersonID, ID: revision})
		if err != nil {
			return fmt.Errorf("freeze: %w", err)
		}
		if n == 0 {
			return rollout.Conflict("The plan was submitted meanwhile.")
		}
		plan, err := rollout.ReadPlan([]byte(v.Content))
		if err != nil {
			return err
		}
		if missing := plan.Unconfirmed(confirmed); len(missing) > 0 {
			return rollout.Invalid("Confirm every point first; not confirmed: %s", strings.Join(missing, " "))
		}
		if id, err = t.makeRollout(ctx, revision, plan, books); err != nil {
			return err
		}
		detail := map[string]any{"hash": v.Hash, "waves": len(plan.Waves), "package": plan.Package.Name, "runbooks": runbookVersions(plan, books)}
		if plan.Then != nil {
			detail["then"] = plan.Then.Name
		}
		if plan.Kind == rollout.OfOrganization {
			detail["kind"], detail["confirmed"] = string(plan.Kind), pointsOf(plan)
		}
		t.record(actor, Record{What: "plan.submit", Subject: fmt.Sprintf("plan %d revision %d", v.PlanID, v.Number), Rollout: id, Detail: detail})
		if err := t.requestAdvance(ctx, id); err != nil {
			return err
		}
		return t.tell(ctx, Event{Rollout: id, Kind: EventSubmitted, Text: fmt.Sprintf("%s submitted revision %d of %s", actor.Name, v.Number, v.PlanName)})
	})
	if err != nil {
		return 0, fmt.Errorf("submit revision %d: %w", revision, err)
	}
	return id, nil
}

// lockRevision locks the revision's plan and then the revision: submitting one
// touches the other revisions of the plan, too.
func (t *txn) lockRevision(ctx context.Context, id int64) (db.LockRevisionRow, error) {
	v, err := t.q.RevisionWithAuthor(ctx, id)
	if err != nil {
		return db.LockRevisionRow{}, missing(err, "There is no such revision.")
	}
	if _, err := t.q.LockPlan(ctx, v.PlanID); err != nil {
		return db.LockRevisionRow{}, fmt.Errorf("lock plan %d: %w", v.PlanID, err)
	}
	row, err := t.q.LockRevision(ctx, id)
	if err != nil {
		return row, missing(err, "There is no such revision.")
	}
	return row, nil
}

// supersede ends what an older revision of the plan still has open.
func (t *txn) supersede(ctx context.Context, actor Actor, plan int64, number int) error {
	live, err := t.q.LiveRolloutsOfPlan(ctx, plan)
	if err != nil {
		return fmt.Errorf("find live rollouts: %w", err)
	}
	for _, r := range live {
		if r.State != string(rollout.RolloutWaiting) {
			return rollout.Conflict("Rollout %d of revision %d is in work. Stop it before you submit another revision.", r.ID, r.Number)
		}
		reason := fmt.Sprintf("superseded by revision %d", number)
		if err := t.moveRollout(ctx, r.ID, rollout.StopRollout, actor.Name, reason); err != nil {
			return err
		}
		if err := t.supersedeRevision(ctx, r.RevisionID); err != nil {
			return fmt.Errorf("supersede revision %d: %w", r.Number, err)
		}
		if err := t.tell(ctx, Event{Rollout: r.ID, Kind: EventRollout, Text: "Stopped: " + reason}); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) makeRollout(ctx context.Context, revision int64, plan rollout.Plan, books rollout.Books) (int64, error) {
	if len(plan.Waves) == 0 {
		return 0, rollout.Invalid("The plan has nothing to do: it has no waves.")
	}
	var names []string
	for _, wave := range plan.Waves {
		names = append(names, wave...)
	}
	rows, err := t.q.ServerIDs(ctx, names)
	if err != nil {
		return 0, fmt.Errorf("find servers: %w", err)
	}
	ids := make(map[string]int64, len(rows))
	for _, r := range rows {
		ids[r.Name] = r.ID
	}
	id, err := t.q.InsertRollout(ctx, revision)
	if err != nil {
		return 0, fmt.Errorf("make rollout: %w", err)
	}
	var waves, servers []int64
	var runbooks []string
	for i, members := range plan.Waves {
		wave, err := t.q.InsertWave(ctx, db.InsertWaveParams{RolloutID: id, Number: i + 1, Name: waveName(plan, i)})
		if err != nil {
			return 0, fmt.Errorf("make wave %d: %w", i+1, err)
		}
		for _, name := range members {
			server, ok := ids[name]
			if !ok {
				return 0, rollout.Conflict("%s is in the plan but not in the inventory any more. Plan again.", name)
			}
			book, err := bookFor(plan, name, books)
			if err != nil {
				return 0, err
			}
			waves, servers, runbooks = append(waves, wave), append(servers, server), append(runbooks, book.Name)
		}
	}
	upgrades, err := t.q.InsertUpgrades(ctx, db.InsertUpgradesParams{RolloutID: id, WaveIds: waves, ServerIds: servers, Runbooks: runbooks})
	if err != nil {
		return 0, fmt.Errorf("make upgrades: %w", err)
	}
	var steps []db.InsertStepsParams
	for _, u := range upgrades {
		book, err := bookOf(books, u.Runbook)
		if err != nil {
			return 0, err
		}
		for i, step := range book.Steps {
			steps = append(steps, db.InsertStepsParams{UpgradeID: u.ID, Position: i + 1, Name: step.Name, NoReturn: step.NoReturn})
		}
	}
	if _, err := t.q.InsertSteps(ctx, steps); err != nil {
		return 0, fmt.Errorf("make steps: %w", err)
	}
	return id, nil
}

// pointsOf are the points that were confirmed, with their sources.
func pointsOf(plan rollout.Plan) []any {
	points := []any{}
	for _, p := range plan.Package.MustKnow {
		points = append(points, map[string]any{"text": p.Text, "source": p.Source})
	}
	return points
}

// bookFor finds the runbook by which a server of the plan gets what is planned.
func bookFor(plan rollout.Plan, server string, books rollout.Books) (rollout.Runbook, error) {
	name := rollout.RunbookName(plan.Package, plan.Then, plan.Kind, plan.Unit(server))
	book, ok := books.Book(name)
	switch {
	case (!ok || len(book.Steps) == 0) && plan.Then != nil:
		return rollout.Runbook{}, rollout.Invalid("There is no runbook by which %s gets both packages in one plan (%s). Plan the service pack, and the rollup by a plan after it.", server, name)
	case !ok || len(book.Steps) == 0:
		return rollout.Runbook{}, rollout.Invalid("There is no runbook by which %s gets this package (%s). Take it out of the plan.", server, name)
	}
	return book, nil
}

// runbookVersions lists the runbooks of a plan with their versions.
func runbookVersions(plan rollout.Plan, books rollout.Books) map[string]any {
	versions := map[string]any{}
	for _, wave := range plan.Waves {
		for _, name := range wave {
			if book, err := bookFor(plan, name, books); err == nil {
				versions[book.Name] = book.Version
			}
		}
	}
	return versions
}

// waveName says which roles a wave takes, in the order of the roles.
func waveName(plan rollout.Plan, index int) string {
	held := map[string]bool{}
	for _, s := range plan.Servers {
		if !slices.Contains(plan.Waves[index], s.Name) {
			continue
		}
		for _, r := range s.Roles {
			held[r.Short()] = true
		}
	}
	name := ""
	for _, short := range []string{"CAS", "HT", "MBX", "UM", "ET"} {
		if !held[short] {
			continue
		}
		if name != "" {
			name += ", "
		}
		name += short
	}
	return name
}

// supersedeRevision moves a revision by the table.
func (t *txn) supersedeRevision(ctx context.Context, id int64) error {
	v, err := t.q.LockRevision(ctx, id)
	if err != nil {
		return err
	}
	if _, err := rollout.PlanTable.After(rollout.PlanState(v.State), rollout.SupersedePlan); err != nil {
		return err
	}
	n, err := t.q.MarkSuperseded(ctx, db.MarkSupersededParams{ID: id, FromState: v.State})
	if err != nil {
		return err
	}
	if n == 0 {
		return rollout.Conflict("The revision moved on meanwhile.")
	}
	return nil
}
