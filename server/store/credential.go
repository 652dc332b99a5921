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

// The kinds of a credential's secret.
const (
	KindPassword    = "password"
	KindKeytab      = "keytab"      // MIT keytab, for Kerberos
	KindCCache      = "ccache"      // MIT credential cache, for Kerberos; ends with its tickets
	KindCertificate = "certificate" // PEM, certificate and key, for a client certificate
)

// Credential is an account without its secret.
type Credential struct {
	ID        int64
	ProfileID int64
	Profile   string
	Purpose   string
	Account   string
	Kind      string
	Version   int // rises with each secret that is set
	KeyID     string
	SetAt     time.Time
	SetBy     string
	ProvenAt  *time.Time // when a host first took this version; nil = none did yet
	ProvenBy  string     // that host
}

// SealedCredential is an account with its sealed secret, for jobs, which open
// it with the key file.
type SealedCredential struct {
	ID        int64 // 0 when it is to be set
	ProfileID int64
	Purpose   string
	Account   string
	Kind      string // "" = password
	Version   int    // 0 when it is to be set
	Sealed    []byte
	KeyID     string
	Proven    bool   // a host took this version
	ProvenBy  string // that host
	Digest    string // see KeepDigest
}

func sealedOf(r db.Credential) SealedCredential {
	return SealedCredential{
		ID: r.ID, ProfileID: r.ProfileID, Purpose: r.Purpose, Account: r.Account, Kind: r.Kind, Version: r.Version,
		Sealed: r.Sealed, KeyID: r.KeyID, Proven: r.ProvenAt != nil, ProvenBy: r.ProvenBy, Digest: r.Digest,
	}
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
			ID: r.ID, ProfileID: r.ProfileID, Profile: r.Profile, Purpose: r.Purpose, Account: r.Account, Kind: r.Kind, Version: r.Version,
			KeyID: r.KeyID, SetAt: r.SetAt, SetBy: r.SetBy, ProvenAt: r.ProvenAt, ProvenBy: r.ProvenBy,
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
	return sealedOf(r), nil
}

// KeepDigest keeps a digest of the account and its secret, made under a key that
// the database does not have: what a domain refused is kept from it for whichever
// profile and purpose the same secret is stored once more. Empty for accounts that
// each host has for itself.
func (s *Store) KeepDigest(ctx context.Context, c SealedCredential) error {
	if err := s.q.KeepDigest(ctx, db.KeepDigestParams{ID: c.ID, Version: c.Version, Digest: c.Digest}); err != nil {
		return fmt.Errorf("keep the digest of a credential: %w", err)
	}
	return nil
}

// SetCredential keeps a sealed credential in place of the one before, as a new
// version, of which nothing is known yet. The secret was sealed for exactly this
// profile's id and purpose. An admin does it.
func (s *Store) SetCredential(ctx context.Context, actor Actor, c SealedCredential) error {
	c.Proven, c.ProvenBy = false, ""
	err := s.inTx(ctx, func(t *txn) error { return t.setCredential(ctx, actor, "credential.set", "", c) })
	if err != nil {
		return fmt.Errorf("set credential: %w", err)
	}
	return nil
}

// RotateCredential keeps a sealed credential that a host has just taken in place
// of the one of version before; when that is not the present one any more it is
// a conflict. An admin does it.
func (s *Store) RotateCredential(ctx context.Context, actor Actor, c SealedCredential, before int, host, reason string) error {
	c.Proven, c.ProvenBy = true, host
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "admin"); err != nil {
			return err
		}
		now, err := t.q.LockCredentialFor(ctx, db.LockCredentialForParams{ProfileID: c.ProfileID, Purpose: c.Purpose})
		if err != nil {
			return missing(err, "The profile has no %s credential that could be rotated; set one.", c.Purpose)
		}
		if now.Version != before {
			return rollout.Conflict("The credential was set anew by %s meanwhile. Nothing was changed.", now.SetBy)
		}
		return t.setCredential(ctx, actor, "credential.rotate", reason, c)
	})
	if err != nil {
		return fmt.Errorf("rotate credential: %w", err)
	}
	return nil
}

func (t *txn) setCredential(ctx context.Context, actor Actor, what, reason string, c SealedCredential) error {
	if err := t.acts(ctx, actor, "admin"); err != nil {
		return err
	}
	if c.Kind == "" {
		c.Kind = KindPassword
	}
	if err := c.check(); err != nil {
		return err
	}
	profile, err := t.q.ProfileByID(ctx, c.ProfileID)
	if err != nil {
		return missing(err, "There is no such profile.")
	}
	if c.Purpose == PurposeWinRM {
		if err := fits(profile.Auth, c.Kind); err != nil {
			return err
		}
	}
	detail := map[string]any{"account": c.Account, "key": c.KeyID, "kind": c.Kind}
	before, err := t.q.LockCredentialFor(ctx, db.LockCredentialForParams{ProfileID: c.ProfileID, Purpose: c.Purpose})
	switch {
	case err == nil:
		detail["before"] = map[string]any{"account": before.Account, "key": before.KeyID, "kind": before.Kind, "version": before.Version}
	case !errors.Is(err, pgx.ErrNoRows):
		return err
	}
	set := db.SetCredentialParams{
		ProfileID: c.ProfileID, Purpose: c.Purpose, Account: c.Account, Sealed: c.Sealed, KeyID: c.KeyID, Kind: c.Kind,
		SetBy: actor.Name, ProvenBy: c.ProvenBy,
	}
	if c.Proven {
		set.ProvenAt = &t.now
		detail["proven_by"] = c.ProvenBy
	}
	row, err := t.q.SetCredential(ctx, set)
	if err != nil {
		return err
	}
	ended := SealedCredential{ID: row.ID, Digest: before.Digest}
	if err := t.q.EndTrial(ctx, ended.about()); err != nil {
		return fmt.Errorf("end the trial of the version before: %w", err)
	}
	detail["version"] = row.Version
	t.record(actor, Record{What: what, Subject: credentialSubject(profile.Name, c.Purpose), Reason: reason, Detail: detail})
	return nil
}

func credentialSubject(profile, purpose string) string { return "profile " + profile + ", " + purpose }

func (c SealedCredential) check() error {
	if c.Purpose != PurposeWinRM && c.Purpose != PurposeRunAs {
		return rollout.Invalid("There is no purpose %s; there are winrm and runas.", c.Purpose)
	}
	if strings.TrimSpace(c.Account) == "" || strings.ContainsAny(c.Account, "\r\n\"") {
		return rollout.Invalid("A credential names an account, such as CONTOSO\\wavekeeper.")
	}
	if len([]rune(c.Account)) > 272 { // UNLEN with a domain before it (lmcons.h)
		return rollout.Invalid("An account's name has at most 272 characters.")
	}
	switch c.Kind {
	case KindPassword, KindKeytab, KindCCache, KindCertificate:
	default:
		return rollout.Invalid("There is no credential of kind %s; there are password, keytab, ccache and certificate.", c.Kind)
	}
	if c.Purpose == PurposeRunAs && c.Kind != KindPassword {
		return rollout.Invalid("The run-as account runs host tasks, which Windows registers with a password: a %s cannot do that.", c.Kind)
	}
	return nil
}

// fits reports, as an error that says the rule, whether a secret of the kind can
// be used for the authentication.
func fits(auth, kind string) error {
	want := map[string][]string{
		AuthBasic: {KindPassword}, AuthNTLM: {KindPassword},
		AuthKerberos:    {KindPassword, KindKeytab, KindCCache},
		AuthCertificate: {KindCertificate},
	}[auth]
	for _, k := range want {
		if k == kind {
			return nil
		}
	}
	return rollout.Invalid("The profile signs in by %s, which takes a %s, not a %s. Set the profile's authentication first.", auth, strings.Join(want, " or a "), kind)
}
