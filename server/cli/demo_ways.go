package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/secret"
	"wavekeeper/server/store"
)

// demoWay is one way to reach simulated hosts: the profile that rows of the
// fleet name, and how the hosts of those rows answer.
type demoWay struct {
	profile store.Profile
	access  string // words of twin.ParseAccess
}

// demoWays are the ways of the demo. Rows of other profiles answer as "default"
// does.
var demoWays = []demoWay{
	{store.Profile{Name: "default", PlainBasic: true}, "http,plain"},
	{store.Profile{Name: "branch-https", HTTPS: true, Trust: store.TrustCA}, "https,basic"},
	{store.Profile{Name: "sealed-ntlm", Auth: store.AuthNTLM}, "http,ntlm"},
	{store.Profile{Name: "perimeter-pin", HTTPS: true, TLS10: true, Trust: store.TrustPin}, "https,basic,tls1.0,self-signed"},
	{store.Profile{Name: "perimeter-first-use", HTTPS: true, TLS10: true, Trust: store.TrustFirstUse}, "https,basic,tls1.0,self-signed"},
}

// demoHosts are the hosts of a fleet and the profile of each.
func demoHosts(fleet []byte) (servers []exchange.Server, profiles map[string]string, err error) {
	inventory, faults := exchange.ReadInventory(bytes.NewReader(fleet))
	if len(faults) > 0 {
		all := []error{errors.New("the fleet has faulty lines")}
		for _, f := range faults {
			all = append(all, f)
		}
		return nil, nil, errors.Join(all...)
	}
	profiles = map[string]string{}
	for _, s := range inventory.Servers {
		for _, host := range hostNames([]exchange.Server{s}) {
			profiles[host] = s.Profile
		}
	}
	return inventory.Servers, profiles, nil
}

// demoAccess are the arguments of `twin` that make the hosts answer in the ways
// that their profiles want.
func demoAccess(profiles map[string]string) []string {
	hosts := make([]string, 0, len(profiles))
	for host := range profiles {
		hosts = append(hosts, host)
	}
	slices.Sort(hosts)
	all := []string{"*=" + demoWays[0].access}
	for _, host := range hosts {
		for _, way := range demoWays[1:] {
			if way.profile.Name == profiles[host] {
				all = append(all, host+"="+way.access)
			}
		}
	}
	return all
}

// furnishWays makes the profiles that the fleet names and their accounts, as
// far as they are missing. Certificates are made before the hosts run: their CA
// and the pins are in the profiles.
func furnishWays(ctx context.Context, s *store.Store, actor store.Actor, fleet []byte, keyFile, certificates string, secrets demoSecrets) error {
	servers, profiles, err := demoHosts(fleet)
	if err != nil {
		return err
	}
	o := twin.Options{Servers: servers, TLSDir: certificates}
	for _, text := range demoAccess(profiles) {
		a, err := twin.ParseAccess(text)
		if err != nil {
			return err
		}
		o.Access = append(o.Access, a)
	}
	pins, err := twin.Pins(o)
	if err != nil {
		return err
	}
	ca, err := twin.CA(certificates)
	if err != nil {
		return err
	}
	for _, way := range demoWays {
		p := way.profile
		for host, profile := range profiles {
			if pin, ok := pins[host]; ok && profile == p.Name && p.Trust == store.TrustPin {
				p.Pins = append(p.Pins, hex.EncodeToString(pin[:]))
			}
		}
		used := false
		for _, profile := range profiles {
			used = used || profile == p.Name
		}
		if !used && p.Name != "default" {
			continue
		}
		if _, err := s.ProfileByName(ctx, p.Name); err == nil {
			continue
		} else if !errors.Is(err, rollout.ErrNotFound) {
			return err
		}
		slices.Sort(p.Pins)
		if p.Trust == store.TrustCA {
			p.CAPEM = string(ca)
		}
		if err := furnishProfile(ctx, s, actor, p, keyFile, secrets); err != nil {
			return fmt.Errorf("furnish profile %s: %w", p.Name, err)
		}
	}
	return nil
}

// furnishProfile makes a profile for loopback addresses, and its accounts.
func furnishProfile(ctx context.Context, s *store.Store, actor store.Actor, p store.Profile, keyFile string, secrets demoSecrets) error {
	key, err := secret.Load(keyFile)
	if err != nil {
		return err
	}
	p.Ranges = []string{"127.0.0.0/8"}
	profile, err := s.SaveProfile(ctx, actor, p)
	if err != nil {
		return err
	}
	for _, c := range []struct{ purpose, account, password string }{
		{store.PurposeWinRM, demoUser, secrets.WinRM}, {store.PurposeRunAs, demoRunAs, secrets.RunAs},
	} {
		sealed, err := key.Seal([]byte(c.password), profile, c.purpose)
		if err != nil {
			return err
		}
		if err := s.SetCredential(ctx, actor, store.SealedCredential{
			ProfileID: profile, Purpose: c.purpose, Account: c.account, Sealed: sealed, KeyID: key.ID(),
		}); err != nil {
			return err
		}
	}
	return nil
}
