package store

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// Profile says how hosts are reached, and which hosts it may be used for.
type Profile struct {
	ID         int64
	Name       string
	Auth       string // AuthBasic, AuthNTLM, AuthKerberos or AuthCertificate
	HTTPS      bool
	TLS10      bool     // also TLS 1.0 and the cipher suites of 2003 and 2008
	Trust      string   // TrustCA, TrustPin or TrustFirstUse: what a host's certificate is checked against
	Pins       []string // SHA-256 of certificates, lower-case hex, that any of its hosts may show
	Realm      string   // Kerberos realm; "" = of the account's name
	KDCs       []string // host or host:port
	Krb5Conf   string   // the text of a krb5.conf, beside or instead of Realm and KDCs
	SPNService string   // first part of the hosts' service principal names; "" = HTTP
	CAPEM      string   // authorities that hosts' certificates are checked against; "" = the system's
	PlainBasic bool     // an admin said by name that passwords may go unencrypted
	Ranges     []string // CIDR
	Suffixes   []string // DNS
	UpdatedAt  time.Time
	UpdatedBy  string
}

// The ways to prove to a host who we are.
const (
	AuthBasic       = "basic"
	AuthNTLM        = "ntlm"
	AuthKerberos    = "kerberos"
	AuthCertificate = "certificate"
)

// What a host's certificate is checked against.
const (
	TrustCA       = "ca"        // authorities: those of the profile, else the system's
	TrustPin      = "pin"       // SHA-256 of the certificate, known before the first contact
	TrustFirstUse = "first-use" // SHA-256 of the certificate, confirmed by a person when it was first seen
)

func profileOf(r db.Profile) Profile {
	return Profile{
		ID: r.ID, Name: r.Name, Auth: r.Auth, HTTPS: r.Https, CAPEM: r.CaPem, PlainBasic: r.PlainBasic,
		TLS10: r.Tls10, Trust: r.Trust, Pins: r.Pins, Realm: r.Realm, KDCs: r.Kdcs, Krb5Conf: r.Krb5Conf, SPNService: r.SpnService,
		Ranges: r.AddressRanges, Suffixes: r.DnsSuffixes, UpdatedAt: r.UpdatedAt, UpdatedBy: r.UpdatedBy,
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
