package store

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// Profile says how hosts are reached, and which hosts it may be used for.
type Profile struct {
	ID         int64
	Name       string
	Auth       string // "basic"
	HTTPS      bool
	CAPEM      string   // authorities that hosts' certificates are checked against; "" = the system's
	PlainBasic bool     // an admin said by name that passwords may go unencrypted
	Ranges     []string // CIDR
	Suffixes   []string // DNS
	UpdatedAt  time.Time
}

func profileOf(r db.Profile) Profile {
	return Profile{
		ID: r.ID, Name: r.Name, Auth: r.Auth, HTTPS: r.Https, CAPEM: r.CaPem, PlainBasic: r.PlainBasic,
		Ranges: r.AddressRanges, Suffixes: r.DnsSuffixes, UpdatedAt: r.UpdatedAt,
	}
}

// Port returns where WinRM answers by default: 5986 for https, 5985 for http.
func (p Profile) Port() int {
	if p.HTTPS {
		return 5986
	}
	return 5985
}

// Allows reports, as an error that says the rule, whether a host may be
// contacted: by an address (an IP address or a name) and its full name. Each
// list that is not empty must fit; a profile without lists fits no host. When
// address is a name and there are ranges, whoever dials checks the resolved
// address with AllowsIP and dials that very address.
func (p Profile) Allows(address, fqdn string) error {
	ip, err := netip.ParseAddr(strings.Trim(address, "[]"))
	isIP := err == nil
	switch {
	case len(p.Ranges) == 0 && len(p.Suffixes) == 0:
		return rollout.Invalid("Profile %s may not be used for any host: it names neither address ranges nor DNS suffixes.", p.Name)
	case isIP && !p.AllowsIP(ip):
		return rollout.Invalid("Profile %s may not be used for %s: it is for %s.", p.Name, address, p.scope())
	case len(p.Suffixes) == 0:
		return nil
	}
	name := fqdn
	if !isIP {
		name = address
	}
	if !p.allowsName(name) {
		return rollout.Invalid("Profile %s may not be used for %s: it is for %s.", p.Name, name, p.scope())
	}
	return nil
}

// AllowsIP reports whether the address is in one of the ranges. Without ranges
// a name alone decides, which an IP address cannot.
func (p Profile) AllowsIP(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	for _, r := range p.Ranges {
		if prefix, err := netip.ParsePrefix(r); err == nil && prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// AllowsResolved is AllowsIP for the address that an allowed name resolved to:
// without ranges the name's suffix was the whole rule.
func (p Profile) AllowsResolved(ip netip.Addr) bool { return len(p.Ranges) == 0 || p.AllowsIP(ip) }

func (p Profile) allowsName(name string) bool {
	name = "." + strings.ToLower(strings.TrimSuffix(name, "."))
	for _, suffix := range p.Suffixes {
		if strings.HasSuffix(name, "."+strings.ToLower(strings.Trim(suffix, "."))) {
			return true
		}
	}
	return false
}

func (p Profile) scope() string {
	var parts []string
	if len(p.Ranges) > 0 {
		parts = append(parts, "addresses in "+strings.Join(p.Ranges, ", "))
	}
	if len(p.Suffixes) > 0 {
		parts = append(parts, "names in "+strings.Join(p.Suffixes, ", "))
	}
	return strings.Join(parts, " and ")
}

// Profiles returns all profiles by name.
func (s *Store) Profiles(ctx context.Context) ([]Profile, error) {
	rows, err := s.q.Profiles(ctx)
	if err != nil {
		return nil, fmt.Errorf("load profiles: %w", err)
	}
	var profiles []Profile
	for _, r := range rows {
		profiles = append(profiles, profileOf(r))
	}
	return profiles, nil
}

// ProfileByName returns one profile; the name is compared without case.
func (s *Store) ProfileByName(ctx context.Context, name string) (Profile, error) {
	r, err := s.q.ProfileByName(ctx, name)
	if err != nil {
		return Profile{}, fmt.Errorf("load profile: %w", missing(err, "There is no profile %s.", name))
	}
	return profileOf(r), nil
}

// ProfileByID returns one profile.
func (s *Store) ProfileByID(ctx context.Context, id int64) (Profile, error) {
	r, err := s.q.ProfileByID(ctx, id)
	if err != nil {
		return Profile{}, fmt.Errorf("load profile %d: %w", id, missing(err, "There is no such profile."))
	}
	return profileOf(r), nil
}

// SaveProfile adds the profile, or replaces the one of that name, and returns
// its id.
func (s *Store) SaveProfile(ctx context.Context, actor Actor, p Profile) (int64, error) {
	p, err := p.checked()
	if err != nil {
		return 0, fmt.Errorf("save profile: %w", err)
	}
	var id int64
	err = s.inTxBy(ctx, actor, func(t *txn) error {
		before, err := t.q.ProfileByName(ctx, p.Name)
		detail := map[string]any{"after": p.detail()}
		switch {
		case err == nil:
			id = before.ID
			detail["before"] = profileOf(before).detail()
			err = t.q.ChangeProfile(ctx, db.ChangeProfileParams{
				Auth: p.Auth, Https: p.HTTPS, CaPem: p.CAPEM, PlainBasic: p.PlainBasic,
				AddressRanges: list(p.Ranges), DnsSuffixes: list(p.Suffixes), ID: id,
			})
		case errors.Is(err, pgx.ErrNoRows):
			id, err = t.q.AddProfile(ctx, db.AddProfileParams{
				Name: p.Name, Auth: p.Auth, Https: p.HTTPS, CaPem: p.CAPEM, PlainBasic: p.PlainBasic,
				AddressRanges: list(p.Ranges), DnsSuffixes: list(p.Suffixes),
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
	}
}

// checked returns the profile with its lists normalized.
func (p Profile) checked() (Profile, error) {
	p.Name = strings.TrimSpace(p.Name)
	if p.Name == "" {
		return p, rollout.Invalid("A profile has a name.")
	}
	if p.Auth == "" {
		p.Auth = "basic"
	}
	if !p.HTTPS && !p.PlainBasic {
		return p, rollout.Invalid("Basic authentication without https sends the password in the clear: use https, or say so by name (plain basic).")
	}
	var ranges []string
	for _, r := range p.Ranges {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(r))
		if err != nil {
			ip, err := netip.ParseAddr(strings.TrimSpace(r))
			if err != nil {
				return p, rollout.Invalid("%q is no address range; 10.1.0.0/16 would be one.", r)
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		ranges = append(ranges, prefix.Masked().String())
	}
	p.Ranges = ranges
	var suffixes []string
	for _, suffix := range p.Suffixes {
		clean := strings.ToLower(strings.Trim(strings.TrimSpace(suffix), "."))
		if clean == "" || strings.ContainsAny(clean, " */\\") {
			return p, rollout.Invalid("%q is no DNS suffix; contoso.com would be one.", suffix)
		}
		suffixes = append(suffixes, clean)
	}
	p.Suffixes = suffixes
	return p, nil
}
