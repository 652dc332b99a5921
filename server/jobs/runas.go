package jobs

import (
	"context"
	"fmt"
	"strings"

	"wavekeeper/agentless/winrm"
	"wavekeeper/server/store"
)

// runAsRefused is what keeps the run-as account of a profile from a host: its very
// secret was refused for the account, where it signs in to hosts. Each task that
// is registered with it would count at the domain once more.
func (e *Engine) runAsRefused(ctx context.Context, p store.Profile, host string) (*barred, error) {
	c, err := e.store.CredentialFor(ctx, p.ID, store.PurposeRunAs)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	secret, err := e.keys.Open(c.Sealed, c.KeyID, c.ProfileID, c.Purpose)
	if err != nil {
		return nil, fmt.Errorf("credential %s of profile %s: %w", c.Purpose, p.Name, err)
	}
	if c, err = e.digested(ctx, p, c, secret); err != nil || c.Digest == "" {
		return nil, err
	}
	against, err := e.store.StandingAt(ctx, c, 0)
	if err != nil {
		return nil, err
	}
	r, ok := against.Against(0)
	if !ok {
		return nil, nil
	}
	return &barred{
		outcome: winrm.OutcomeDenied,
		message: fmt.Sprintf("Nothing runs on %s as %s: this very password of the account was refused on %s UTC, where it signs in to hosts: %s",
			host, c.Account, r.At.UTC().Format("2006-01-02 15:04"), strings.TrimRight(secrets{string(secret)}.redact(r.Reason), ". ")),
		remedy: fmt.Sprintf("An admin sets the right password (wavekeeper credential set --profile %s --purpose runas), or, when the cause was another and is cured, has it tried again (wavekeeper credential retry --profile %s --purpose runas). Then this goes on by itself.", p.Name, p.Name),
	}, nil
}
