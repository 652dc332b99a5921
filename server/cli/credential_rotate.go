package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/jobs"
	"wavekeeper/server/rollout"
	"wavekeeper/server/secret"
	"wavekeeper/server/store"
)

// CredentialRotateCmd replaces an account's secret by one that a host has taken.
type CredentialRotateCmd struct {
	DatabaseFlags
	KeyFlags
	SecretFlags
	Profile string        `default:"default" help:"Profile that uses the account."`
	Purpose string        `default:"winrm" enum:"winrm,runas" help:"Which of its accounts: ${enum}. A run-as account is tried by the next host task only, so that it is set, not rotated."`
	Account string        `help:"The account, when that changes, too. Empty: the present one."`
	Host    string        `help:"Host to try the new secret at. Empty: the first of the profile that took the old one." placeholder:"HOST"`
	Reason  string        `help:"Why; kept on record." default:"rotated"`
	Timeout time.Duration `help:"Time for the try (${default})." default:"30s" placeholder:"DURATION"`
}

// Run tries the new secret at one host, once, and stores it when it was taken.
func (c *CredentialRotateCmd) Run(g *Globals) error {
	ctx := context.Background()
	if c.Purpose == store.PurposeRunAs {
		return rollout.Invalid("No host can try a run-as account without running a task: use credential set --purpose runas.")
	}
	content, kind, err := c.secret(g)
	if err != nil {
		return err
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	key, err := c.key(ctx, s, false)
	if err != nil {
		return err
	}
	profile, err := s.ProfileByName(ctx, c.Profile)
	if err != nil {
		return err
	}
	present, err := s.CredentialFor(ctx, profile.ID, c.Purpose)
	if err != nil {
		return fmt.Errorf("profile %s: %w", profile.Name, err)
	}
	next := store.SealedCredential{ProfileID: profile.ID, Purpose: c.Purpose, Account: c.Account, Kind: kind, KeyID: key.ID()}
	if next.Account == "" {
		next.Account = present.Account
	}
	if err := sameAndRefused(ctx, s, key, profile, present, next, content); err != nil {
		return err
	}
	host, err := c.at(ctx, s, profile, present)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	refused, err := jobs.TryCredential(limited, s, host, next, content)
	if err != nil {
		note := s.Note(ctx, commandLine(), store.Record{
			What: "credential.rotate-refused", Subject: "profile " + profile.Name + ", " + c.Purpose, Reason: c.Reason,
			Detail: map[string]any{"account": next.Account, "host": host.Host.Name, "refused": refused},
		})
		if note != nil {
			return fmt.Errorf("%w (nor could that be put on record: %w)", err, note)
		}
		why := "it was not tried to the end"
		if refused {
			why = "it was refused"
		}
		return fmt.Errorf("the new secret of %s is not stored, since %s; the old one stays and nothing changed: %w", next.Account, why, err)
	}
	if next.Sealed, err = key.Seal(content, profile.ID, c.Purpose); err != nil {
		return err
	}
	if err := s.RotateCredential(ctx, commandLine(), next, present.Version, host.Host.Name, c.Reason); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.Stdout, "%s took the new secret of %s; profile %s uses it now\n", host.Host.Name, next.Account, profile.Name)
	return err
}

// at is the host where the new secret is tried: the one named, or one of the
// profile that took the old secret and refused nothing since, else its first.
func (c *CredentialRotateCmd) at(ctx context.Context, s *store.Store, profile store.Profile, present store.SealedCredential) (store.ProbeTarget, error) {
	hosts, err := s.HostsOfProfile(ctx, profile.Name)
	if err != nil {
		return store.ProbeTarget{}, err
	}
	chosen := hosts[0]
	if c.Host != "" {
		if chosen, err = s.HostNamed(ctx, c.Host); err != nil {
			return store.ProbeTarget{}, err
		}
	} else {
		known, err := s.Standing(ctx, present)
		if err != nil {
			return store.ProbeTarget{}, err
		}
		for _, h := range hosts {
			if _, took := known.Taken[h.ID]; took {
				chosen = h
				break
			}
		}
	}
	target, err := s.ProbeTarget(ctx, chosen.ID)
	if err != nil {
		return store.ProbeTarget{}, err
	}
	if !strings.EqualFold(target.Profile, profile.Name) {
		return store.ProbeTarget{}, rollout.Invalid("%s is reached by profile %s, not %s: name another host.", chosen.Name, target.Profile, profile.Name)
	}
	return target, nil
}

// sameAndRefused refuses to send the stored secret once more when something
// stands against it: that is no rotation, and one more failed logon.
func sameAndRefused(ctx context.Context, s *store.Store, key *secret.Key, profile store.Profile, present, next store.SealedCredential, content []byte) error {
	old, err := key.Open(present.Sealed, present.KeyID, profile.ID, present.Purpose)
	if err != nil || !bytes.Equal(old, content) || !strings.EqualFold(present.Account, next.Account) {
		return nil // sealed under a key that is not here, or another secret: a host says
	}
	known, err := s.Standing(ctx, present)
	if err != nil || len(known.Refused) == 0 {
		return err
	}
	return rollout.Invalid("That is the secret of %s that is stored already, and it was refused (%s): nothing was sent. Give the new one, or, when the cause was another and is cured, have it tried again: wavekeeper credential retry --profile %s --reason TEXT.",
		present.Account, strings.TrimRight(known.Refused[0].Reason, ". "), profile.Name)
}
