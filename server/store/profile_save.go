package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// SaveProfile adds the profile, or replaces the one of that name, and returns
// its id. An admin does it.
func (s *Store) SaveProfile(ctx context.Context, actor Actor, p Profile) (int64, error) {
	p, err := p.checked()
	if err != nil {
		return 0, fmt.Errorf("save profile: %w", err)
	}
	var id int64
	err = s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "admin"); err != nil {
			return err
		}
		before, err := t.q.LockProfileByName(ctx, p.Name)
		detail := map[string]any{"after": p.detail()}
		switch {
		case err == nil:
			id = before.ID
			detail["before"] = profileOf(before).detail()
			err = t.q.ChangeProfile(ctx, db.ChangeProfileParams{
				Auth: p.Auth, Https: p.HTTPS, CaPem: p.CAPEM, PlainBasic: p.PlainBasic,
				AddressRanges: list(p.Ranges), DnsSuffixes: list(p.Suffixes),
				Tls10: p.TLS10, Trust: p.Trust, Pins: list(p.Pins), Realm: p.Realm, Kdcs: list(p.KDCs), Krb5Conf: p.Krb5Conf,
				SpnService: p.SPNService, UpdatedBy: actor.Name, ID: id,
			})
		case errors.Is(err, pgx.ErrNoRows):
			id, err = t.q.AddProfile(ctx, db.AddProfileParams{
				Name: p.Name, Auth: p.Auth, Https: p.HTTPS, CaPem: p.CAPEM, PlainBasic: p.PlainBasic,
				AddressRanges: list(p.Ranges), DnsSuffixes: list(p.Suffixes),
				Tls10: p.TLS10, Trust: p.Trust, Pins: list(p.Pins), Realm: p.Realm, Kdcs: list(p.KDCs), Krb5Conf: p.Krb5Conf,
				SpnService: p.SPNService, UpdatedBy: actor.Name,
			})
		}
		if err != nil {
			return err
		}
		t.record(actor, Record{What: "profile.save", Subject: p.Name, Detail: detail})
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("save profile %s: %w", p.Name, err)
	}
	return id, nil
}

func (p Profile) detail() map[string]any {
	return map[string]any{
		"auth": p.Auth, "https": p.HTTPS, "ca": p.CAPEM, "plain_basic": p.PlainBasic,
		"ranges": list(p.Ranges), "suffixes": list(p.Suffixes),
		"tls10": p.TLS10, "trust": p.Trust, "pins": list(p.Pins),
		"realm": p.Realm, "kdcs": list(p.KDCs), "krb5_conf": p.Krb5Conf, "spn_service": p.SPNService,
	}
}

// checked returns the profile with its lists normalized.
func (p Profile) checked() (Profile, error) {
	p.Name = strings.TrimSpace(p.Name)
	if p.Name == "" {
		return p, rollout.Invalid("A profile has a name.")
	}
	for _, part := range []func() error{p.checkWay, p.checkTrust, p.checkKerberos, p.checkScope} {
		if err := part(); err != nil {
			return p, err
		}
	}
	return p, nil
}
