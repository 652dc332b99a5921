package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// ApproveWave approves a wave as the approver saw it: seen is the Seen of the
// WaveContent that was shown; what it would do now is compared with it. The
// author, the submitter and the last editor of the plan cannot approve. One row
// per server keeps what was approved; it is compared again in the transaction
// that starts the server.
func (s *Store) ApproveWave(ctx context.Context, actor Actor, wave int64, seen, reason string, books rollout.Books) error {
	err := s.inTxBy(ctx, actor, func(t *txn) error {
		if strings.TrimSpace(reason) == "" {
			return rollout.Invalid("Say why you approve: the reason is kept on record.")
		}
		w, err := t.lockWave(ctx, wave)
		if err != nil {
			return err
		}
		r, err := t.q.RolloutByID(ctx, w.RolloutID)
		if err != nil {
			return fmt.Errorf("load rollout: %w", err)
		}
		if err := t.mayApprove(ctx, actor, r); err != nil {
			return err
		}
		contents, now, err := t.waveContent(ctx, r, wave, books)
		if err != nil {
			return err
		}
		if err := t.replaceApproval(ctx, w, r, books); err != nil {
			return err
		}
		if changed := rollout.Unlike(seen, now.Seen); changed != "" {
			return rollout.Conflict("It is not as you saw it: %s. Look again before you approve.", changed)
		}
		if err := knownMedia(now); err != nil {
			return err
		}
		approval, err := t.q.InsertApproval(ctx, db.InsertApprovalParams{
			WaveID: wave, RevisionHash: r.RevisionHash, ApprovedBy: actor.PersonID, Reason: reason,
		})
		if err != nil {
			return fmt.Errorf("write approval: %w", err)
		}
		digests := map[string]any{}
		for _, c := range contents {
			content, err := c.content.Canonical()
			if err != nil {
				return err
			}
			digest, err := c.content.Digest()
			if err != nil {
				return err
			}
			if err := t.q.InsertApprovalServer(ctx, db.InsertApprovalServerParams{
				ApprovalID: approval, ServerID: c.server, Digest: digest, Content: string(content),
			}); err != nil {
				return fmt.Errorf("write approval of %s: %w", c.name, err)
			}
			digests[c.name] = digest
		}
		if len(digests) == 0 {
			return rollout.Conflict("The wave has no servers.")
		}
		if err := t.moveWave(ctx, w, rollout.ApproveWave, ""); err != nil {
			return err
		}
		t.record(actor, Record{
			What: "wave.approve", Subject: fmt.Sprintf("rollout %d wave %d", r.ID, w.Number), Rollout: r.ID, Reason: reason,
			Detail: map[string]any{"hash": r.RevisionHash, "servers": digests},
		})
		if hasMedia(now) {
			if _, err := t.askStaging(ctx, actor, StagingAsk{Wave: wave, Reason: fmt.Sprintf("Wave %d is approved: %s", w.Number, strings.TrimSpace(reason))}); err != nil {
				return fmt.Errorf("ask for its media: %w", err)
			}
		}
		if err := t.tell(ctx, Event{
			Rollout: r.ID, Kind: EventApproved, Wave: w.Number, Text: sentence(fmt.Sprintf("%s approved wave %d", actor.Name, w.Number), reason),
		}); err != nil {
			return err
		}
		return t.requestAdvance(ctx, r.ID)
	})
	if err != nil {
		return fmt.Errorf("approve wave %d: %w", wave, err)
	}
	return nil
}

// ErrOwnWork says that a person would have decided about work of his own.
var ErrOwnWork = errors.New("own work")

func ownWork(text string) error {
	return fmt.Errorf("%w (%w)", rollout.Conflict("%s", text), ErrOwnWork)
}

// hasMedia reports whether hosts of the wave fetch their package.
func hasMedia(content WaveContent) bool {
	return slices.ContainsFunc(content.Servers, func(c rollout.ApprovalContent) bool { return c.Manifest != "" || c.Then.Manifest != "" })
}

// knownMedia refuses to approve a Setup that nobody can recognize.
func knownMedia(content WaveContent) error {
	for _, c := range content.Servers {
		if c.SetupSHA256 == "" || c.Folder == "" {
			return rollout.Conflict("No media of %s is known for %s (language %s, architecture %s): register the package first.", c.Package, c.Server, c.Language, c.Arch)
		}
		if c.Then.Package != "" && (c.Then.SetupSHA256 == "" || c.Then.Folder == "") {
			return rollout.Conflict("No media of %s is known for %s (language %s, architecture %s): register the package first.", c.Then.Package, c.Server, c.Language, c.Arch)
		}
	}
	return nil
}

// mayApprove holds the four-eyes rule.
func (t *txn) mayApprove(ctx context.Context, actor Actor, r db.RolloutByIDRow) error {
	switch rollout.RolloutState(r.State) {
	case rollout.RolloutStopped, rollout.RolloutDone:
		return rollout.Conflict("The rollout has ended: nothing can be approved in it any more.")
	case rollout.RolloutWaiting, rollout.RolloutRunning, rollout.RolloutPaused:
	}
	if !slices.Contains(actor.Roles, "operator") {
		return rollout.Conflict("Only an operator can approve.")
	}
	editor, err := t.q.LastEditorOfPlan(ctx, r.PlanID)
	if err != nil {
		return fmt.Errorf("find the last editor: %w", err)
	}
	switch {
	case actor.PersonID == r.AuthorID:
		return ownWork("You wrote this plan: somebody else has to approve it.")
	case r.SubmittedBy != nil && actor.PersonID == *r.SubmittedBy:
		return ownWork("You submitted this plan: somebody else has to approve it.")
	case actor.PersonID == editor:
		return ownWork("You edited this plan last: somebody else has to approve it.")
	}
	return nil
}

// replaceApproval lets a wave be approved anew only when the standing approval
// does not fit its content any more.
func (t *txn) replaceApproval(ctx context.Context, w db.WaveByIDRow, r db.RolloutByIDRow, books rollout.Books) error {
	standing, err := t.q.StandingApprovals(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("load approvals: %w", err)
	}
	fits, err := t.matchApprovals(ctx, r, books, 0)
	if err != nil {
		return err
	}
	var old int64
	who := ""
	stale := false
	for _, a := range standing {
		if a.WaveID != w.ID {
			continue
		}
		old, who = a.ApprovalID, a.ApprovedBy
		for _, f := range fits {
			stale = stale || f.server == a.ServerID && f.match == rollout.ApprovalStale
		}
	}
	if old == 0 {
		return nil
	}
	if !stale {
		return rollout.Conflict("%s approved this wave already.", who)
	}
	if _, err := t.q.WithdrawApproval(ctx, old); err != nil {
		return fmt.Errorf("withdraw the stale approval: %w", err)
	}
	return nil
}

// WithdrawApproval takes an approval back before the wave has opened.
func (s *Store) WithdrawApproval(ctx context.Context, actor Actor, wave int64, reason string) error {
	err := s.inTxBy(ctx, actor, func(t *txn) error {
		if strings.TrimSpace(reason) == "" {
			return rollout.Invalid("Say why you take the approval back: the reason is kept on record.")
		}
		w, err := t.lockWave(ctx, wave)
		if err != nil {
			return err
		}
		if err := t.moveWave(ctx, w, rollout.WithdrawWave, reason); err != nil {
			return err
		}
		standing, err := t.q.StandingApprovals(ctx, w.RolloutID)
		if err != nil {
			return fmt.Errorf("load approvals: %w", err)
		}
		for _, a := range standing {
			if a.WaveID == wave {
				if _, err := t.q.WithdrawApproval(ctx, a.ApprovalID); err != nil {
					return fmt.Errorf("withdraw: %w", err)
				}
			}
		}
		t.record(actor, Record{
			What: "wave.withdraw", Subject: fmt.Sprintf("rollout %d wave %d", w.RolloutID, w.Number), Rollout: w.RolloutID, Reason: reason,
		})
		return t.tell(ctx, Event{
			Rollout: w.RolloutID, Kind: EventVoided, Wave: w.Number,
			Text: sentence(fmt.Sprintf("%s took back the approval of wave %d", actor.Name, w.Number), reason),
		})
	})
	if err != nil {
		return fmt.Errorf("withdraw approval of wave %d: %w", wave, err)
	}
	return nil
}
