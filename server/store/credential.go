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

// The purposes of a credential.
const (
	PurposeWinRM = "winrm" // signs in to hosts
	PurposeRunAs = "runas" // runs Setup and cmdlets in host tasks; reaches Active Directory
)

// Credential is an account without its secret.
type Credential struct {
	ProfileID int64
	Profile   string
	Purpose   string
	Account   string
	KeyID     string
	SetAt     time.Time
	SetBy     string
}

// SealedCredential is an account with its sealed secret, for jobs, which open
// it with the key file.
type SealedCredential struct {
	ProfileID int64
	Purpose   string
	Account   string
	Sealed    []byte
	KeyID     string
}

// Credentials returns all accounts without their secrets.
func (s *Store) Credentials(ctx context.Context) ([]Credential, error) {
	rows, err := s.q.Credentials(ctx)
	if err != nil {
		return nil, fmt.Errorf("load credentials: %w", err)
	}
	var all []Credential
	for _, r := range rows {
		all = append(all, Credential{
			ProfileID: r.ProfileID, Profile: r.Profile, Purpose: r.Purpose, Account: r.Account, KeyID: r.KeyID, SetAt: r.SetAt, SetBy: r.SetBy,
		})
	}
	return all, nil
}

// CredentialFor returns the sealed credential of a profile for a purpose.
func (s *Store) CredentialFor(ctx context.Context, profile int64, purpose string) (SealedCredential, error) {
	r, err := s.q.CredentialFor(ctx, db.CredentialForParams{ProfileID: profile, Purpose: purpose})
	if errors.Is(err, pgx.ErrNoRows) {
		return SealedCredential{}, rollout.NotFound("The profile has no %s credential.", purpose)
	}
	if err != nil {
		return SealedCredential{}, fmt.Errorf("load credential: %w", err)
	}
	return SealedCredential{ProfileID: r.ProfileID, Purpose: r.Purpose, Account: r.Account, Sealed: r.Sealed, KeyID: r.KeyID}, nil
}

// SetCredential keeps a sealed credential in place of the one before. The
// secret was sealed for exactly this profile's id and purpose.
func (s *Store) SetCredential(ctx context.Context, actor Actor, c SealedCredential) error {
	err := s.inTxBy(ctx, actor, func(t *txn) error {
		if c.Purpose != PurposeWinRM && c.Purpose != PurposeRunAs {
			return rollout.Invalid("There is no purpose %s; there are winrm and runas.", c.Purpose)
		}
		if strings.TrimSpace(c.Account) == "" || strings.ContainsAny(c.Account, "\r\n\"") {
			return rollout.Invalid("A credential names an account, such as CONTOSO\\wavekeeper.")
		}
		profile, err := t.q.ProfileByID(ctx, c.ProfileID)
		if err != nil {
			return missing(err, "There is no such profile.")
		}
		err = t.q.SetCredential(ctx, db.SetCredentialParams{
			ProfileID: c.ProfileID, Purpose: c.Purpose, Account: c.Account, Sealed: c.Sealed, KeyID: c.KeyID, SetBy: actor.Name,
		})
		if err != nil {
			return err
		}
		t.record(actor, Record{
			What: "credential.set", Subject: "profile " + profile.Name + ", " + c.Purpose,
			Detail: map[string]any{"account": c.Account, "key": c.KeyID},
		})
		return nil
	})
	if err != nil {
		return fmt.Errorf("set credential: %w", err)
	}
	return nil
}
