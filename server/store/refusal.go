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

// Refusal is a credential that was not taken, and has not been set anew or
// asked to be tried again since.
type Refusal struct {
	ID           int64
	CredentialID int64
	Version      int
	Profile      string
	Purpose      string
	Account      string
	HostID       int64  // 0 = the account itself: no host that has not taken it gets it any more
	Host         string // "" = the account itself
	At           time.Time
	Reason       string
	HadTaken     bool // the host had taken this very version before
	ForAll       bool // not even hosts that took it get it any more
}

// Refusals returns what stands against the present versions of all credentials,
// by profile.
func (s *Store) Refusals(ctx context.Context) ([]Refusal, error) {
	rows, err := s.q.Refusals(ctx)
	if err != nil {
		return nil, fmt.Errorf("load refused credentials: %w", err)
	}
	var all []Refusal
	for _, r := range rows {
		one := Refusal{
			ID: r.ID, CredentialID: r.CredentialID, Version: r.Version, Profile: r.Profile, Purpose: r.Purpose, Account: r.Account,
			Host: r.Host, At: r.At, Reason: r.Reason, ForAll: r.ForAll,
		}
		if r.HostID != nil {
			one.HostID = *r.HostID
		}
		all = append(all, one)
	}
	return all, nil
}

// Standing is what is known of one version of a credential.
type Standing struct {
	Refused []Refusal           // oldest first; with those of the same secret of the same account elsewhere
	Taken   map[int64]time.Time // hosts, by id
}

// Against returns the refusal that keeps the credential from a host: the host's
// own, or the account's where the host has not taken it or that does not help.
func (v Standing) Against(host int64) (Refusal, bool) {
	for _, r := range v.Refused {
		if r.HostID == host || r.ForAll {
			return r, true
		}
	}
	if _, took := v.Taken[host]; took {
		return Refusal{}, false
	}
	for _, r := range v.Refused {
		if r.HostID == 0 {
			return r, true
		}
	}
	return Refusal{}, false
}

// Standing returns what is known of the credential's version.
func (s *Store) Standing(ctx context.Context, c SealedCredential) (Standing, error) {
	return standing(ctx, s.q, c)
}

// StandingAt is Standing for the use at one host, however many took the
// credential: of Taken it holds that host alone.
func (s *Store) StandingAt(ctx context.Context, c SealedCredential, host int64) (Standing, error) {
	v, err := refusals(ctx, s.q, c)
	if err != nil {
		return v, err
	}
	at, err := s.q.TookIt(ctx, db.TookItParams{CredentialID: c.ID, Version: c.Version, HostID: host})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return v, nil
	case err != nil:
		return v, fmt.Errorf("load whether the host took a credential: %w", err)
	}
	v.Taken[host] = at
	return v, nil
}

func standing(ctx context.Context, q *db.Queries, c SealedCredential) (Standing, error) {
	v, err := refusals(ctx, q, c)
	if err != nil {
		return v, err
	}
	taken, err := q.TakenBy(ctx, db.TakenByParams{CredentialID: c.ID, Version: c.Version})
	if err != nil {
		return v, fmt.Errorf("load the hosts that took a credential: %w", err)
	}
	for _, t := range taken {
		v.Taken[t.HostID] = t.At
	}
	return v, nil
}

// refusals is Standing without who took the credential.
func refusals(ctx context.Context, q *db.Queries, c SealedCredential) (Standing, error) {
	v := Standing{Taken: map[int64]time.Time{}}
	refused, err := q.RefusalsOf(ctx, db.RefusalsOfParams{CredentialID: c.ID, Version: c.Version})
	if err != nil {
		return v, fmt.Errorf("load refusals of a credential: %w", err)
	}
	for _, r := range refused {
		one := Refusal{
			ID: r.ID, CredentialID: r.CredentialID, Version: c.Version, Purpose: c.Purpose, Account: c.Account,
			Host: r.Host, At: r.At, Reason: r.Reason, HadTaken: r.HadTaken, ForAll: r.ForAll,
		}
		if r.HostID != nil {
			one.HostID = *r.HostID
		}
		v.Refused = append(v.Refused, one)
	}
	return v, nil
}

// NoteRefusal keeps, and puts on record, that a host did not take this version
// of the credential; host 0 is the account itself. The second host in a row that
// refuses closes it for all that have not taken it, whichever coordinators asked
// them; when both had taken it before, it is good for none any more.
func (s *Store) NoteRefusal(ctx context.Context, c SealedCredential, host int64, reason string) error {
	return s.noteRefusal(ctx, c, host, false, reason)
}

// NoteRefusalForAll is NoteRefusal of the account's directory: not even hosts that
// took this version get it any more, whichever coordinator asks and whichever
// profile or purpose has the same secret of the same account.
func (s *Store) NoteRefusalForAll(ctx context.Context, c SealedCredential, reason string) error {
	return s.noteRefusal(ctx, c, 0, true, reason)
}

func (s *Store) noteRefusal(ctx context.Context, c SealedCredential, host int64, forAll bool, reason string) error {
	err := s.inTx(ctx, func(t *txn) error {
		now, err := t.q.LockCredential(ctx, c.ID)
		if err != nil {
			return missing(err, "There is no such credential.")
		}
		if now.Version != c.Version {
			return nil // it was set anew meanwhile
		}
		return t.refuse(ctx, sealedOf(now), host, forAll, reason)
	})
	if err != nil {
		return fmt.Errorf("note a refused credential: %w", err)
	}
	return nil
}

// refuse keeps a refusal under the lock of the credential's row.
func (t *txn) refuse(ctx context.Context, c SealedCredential, host int64, forAll bool, reason string) error {
	if host == 0 { // that of one host goes on until its coordinator ends it: the account may be closed right after
		if err := t.q.EndTrial(ctx, c.about()); err != nil {
			return fmt.Errorf("end the trial: %w", err)
		}
	}
	row := db.KeepRefusalParams{CredentialID: c.ID, Version: c.Version, Reason: reasonOf(reason), ForAll: forAll}
	if host != 0 {
		n, err := t.q.DropTaken(ctx, db.DropTakenParams{CredentialID: c.ID, Version: c.Version, HostID: host})
		if err != nil {
			return fmt.Errorf("forget that the host took it: %w", err)
		}
		row.HostID, row.HadTaken = &host, n > 0
	}
	n, err := t.q.KeepRefusal(ctx, row)
	if err != nil {
		return fmt.Errorf("keep the refusal: %w", err)
	}
	if n == 0 {
		return nil // it stands already
	}
	if err := t.recordRefusal(ctx, c, host, row.Reason); err != nil {
		return err
	}
	if host == 0 {
		return t.ring(ctx, "credential", c.ID)
	}
	profile, err := t.q.ProfileByID(ctx, c.ProfileID)
	if err != nil {
		return fmt.Errorf("load the credential's profile: %w", err)
	}
	v, err := standing(ctx, t.q, c)
	if err != nil {
		return err
	}
	other, ok := v.inARow(host)
	if !ok || profile.Auth == AuthKerberos { // a ticket that a host does not take says nothing of the password
		return t.ring(ctx, "credential", c.ID)
	}
	if other.HadTaken && row.HadTaken {
		if err := t.q.DropAllTaken(ctx, db.DropAllTakenParams{CredentialID: c.ID, Version: c.Version}); err != nil {
			return fmt.Errorf("forget who took it: %w", err)
		}
	}
	return t.refuse(ctx, c, 0, other.HadTaken && row.HadTaken, fmt.Sprintf("two hosts in a row refused it; the last: %s", row.Reason))
}

// inARow returns another host's refusal after which no host took the credential.
func (v Standing) inARow(host int64) (Refusal, bool) {
	for i := len(v.Refused) - 1; i >= 0; i-- {
		r := v.Refused[i]
		if r.HostID == host || r.HostID == 0 {
			continue
		}
		for _, at := range v.Taken {
			if at.After(r.At) {
				return Refusal{}, false
			}
		}
		return r, true
	}
	return Refusal{}, false
}

func (t *txn) recordRefusal(ctx context.Context, c SealedCredential, host int64, reason string) error {
	profile, err := t.q.ProfileByID(ctx, c.ProfileID)
	if err != nil {
		return fmt.Errorf("load the credential's profile: %w", err)
	}
	detail := map[string]any{"account": c.Account, "version": c.Version}
	if host != 0 {
		h, err := t.q.HostByID(ctx, host)
		if err != nil {
			return fmt.Errorf("load the host that refused: %w", err)
		}
		detail["host"] = h.Name
	}
	t.record(Actor{Name: "wavekeeper"}, Record{
		What: "credential.refused", Subject: credentialSubject(profile.Name, c.Purpose), Reason: reason, Detail: detail,
	})
	return nil
}

// reasonOf is a refusal's reason as it is kept: not empty, not without end.
func reasonOf(reason string) string {
	reason = strings.ToValidUTF8(strings.ReplaceAll(strings.TrimSpace(reason), "\x00", ""), "\uFFFD")
	if reason == "" {
		return "no reason was given"
	}
	const most = 1000
	if runes := []rune(reason); len(runes) > most {
		reason = string(runes[:most]) + " ..."
	}
	return reason
}

// NoteTaken keeps that a host took this version of the credential.
func (s *Store) NoteTaken(ctx context.Context, c SealedCredential, host int64) error {
	err := s.inTx(ctx, func(t *txn) error {
		now, err := t.q.LockCredential(ctx, c.ID)
		if err != nil {
			return missing(err, "There is no such credential.")
		}
		if now.Version != c.Version {
			return nil
		}
		h, err := t.q.HostByID(ctx, host)
		if err != nil {
			return missing(err, "There is no such host.")
		}
		if _, err := t.q.KeepTaken(ctx, db.KeepTakenParams{CredentialID: c.ID, Version: c.Version, HostID: host}); err != nil {
			return fmt.Errorf("keep that it was taken: %w", err)
		}
		if err := t.q.ProveCredential(ctx, db.ProveCredentialParams{ID: c.ID, Host: h.Name}); err != nil {
			return fmt.Errorf("keep that it is proven: %w", err)
		}
		return t.q.EndTrial(ctx, sealedOf(now).about())
	})
	if err != nil {
		return fmt.Errorf("note that a host took a credential: %w", err)
	}
	return nil
}

// RetryCredential has all refusals of the credential forgotten: the same secret
// becomes another version and is tried again, at one host first where none took it. An admin does it and says why.
// It returns how many refusals were forgotten.
func (s *Store) RetryCredential(ctx context.Context, actor Actor, profile, purpose, reason string) (int, error) {
	var forgotten int64
	err := s.inTx(ctx, func(t *txn) error {
		if strings.TrimSpace(reason) == "" {
			return rollout.Invalid("Say why it is tried again: the reason is kept on record.")
		}
		if err := t.acts(ctx, actor, "admin"); err != nil {
			return err
		}
		p, err := t.q.ProfileByName(ctx, profile)
		if err != nil {
			return missing(err, "There is no profile %s.", profile)
		}
		c, err := t.q.LockCredentialFor(ctx, db.LockCredentialForParams{ProfileID: p.ID, Purpose: purpose})
		if err != nil {
			return missing(err, "The profile %s has no %s credential.", p.Name, purpose)
		}
		v, err := standing(ctx, t.q, sealedOf(c))
		if err != nil {
			return err
		}
		if len(v.Refused) == 0 {
			return rollout.Conflict("Nothing stands against the %s credential of profile %s: it is in use.", purpose, p.Name)
		}
		forgotten, err = t.q.ForgetRefusals(ctx, db.ForgetRefusalsParams{CredentialID: c.ID, Version: c.Version, ForgottenBy: actor.Name})
		if err != nil {
			return fmt.Errorf("forget refusals: %w", err)
		}
		version, err := t.renew(ctx, c)
		if err != nil {
			return err
		}
		// What stands against the same secret elsewhere would keep it from all hosts.
		alike, err := t.q.LockCredentialsAlike(ctx, db.LockCredentialsAlikeParams{Digest: c.Digest, ID: c.ID})
		if err != nil {
			return fmt.Errorf("find the same secret elsewhere: %w", err)
		}
		for _, other := range alike {
			n, err := t.q.ForgetRefusals(ctx, db.ForgetRefusalsParams{CredentialID: other.ID, Version: other.Version, ForgottenBy: actor.Name})
			if err != nil {
				return fmt.Errorf("forget refusals elsewhere: %w", err)
			}
			forgotten += n
			if _, err := t.renew(ctx, other); err != nil {
				return err
			}
			if err := t.ring(ctx, "credential", other.ID); err != nil {
				return err
			}
		}
		if err := t.q.EndTrial(ctx, sealedOf(c).about()); err != nil {
			return fmt.Errorf("end the trial: %w", err)
		}
		t.record(actor, Record{
			What: "credential.retry", Subject: credentialSubject(p.Name, purpose), Reason: reason,
			Detail: map[string]any{"account": c.Account, "version": version, "before": refusalDetail(v.Refused)},
		})
		return t.ring(ctx, "credential", c.ID)
	})
	if err != nil {
		return 0, fmt.Errorf("have a credential tried again: %w", err)
	}
	return int(forgotten), nil
}

// renew makes the same secret another version; the hosts that took it stay known.
func (t *txn) renew(ctx context.Context, c db.Credential) (version int, err error) {
	if err := t.q.CarryTaken(ctx, db.CarryTakenParams{CredentialID: c.ID, Version: c.Version}); err != nil {
		return 0, fmt.Errorf("keep the hosts that took it: %w", err)
	}
	if version, err = t.q.RenewCredential(ctx, c.ID); err != nil {
		return 0, fmt.Errorf("make it another version: %w", err)
	}
	return version, nil
}

func refusalDetail(refused []Refusal) []any {
	var all []any
	for _, r := range refused {
		all = append(all, map[string]any{"host": r.Host, "at": r.At.UTC().Format(time.RFC3339), "reason": r.Reason})
	}
	return all
}
