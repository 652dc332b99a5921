package preflight

import (
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// cutOffRules ask for what cuts Setup off: virus scanner, firewall, revocation checks.
var cutOffRules = []Rule{
	{
		Name: "forefront", Words: "Forefront is not there, or is of a version that goes with the package", Source: "founding document (\"Forefront Update erforderlich\"); Exchange team blog on fscutility; KB929081 and technet ee707328 for clusters",
		Severity: Blocker, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack, Rollup}, Needs: []string{"forefront"}, test: ruleForefront,
	},
	{
		Name: "firewall", Words: "The firewall's service runs, or would not filter when it is started", Source: "founding document (\"Firewall starten\"); 0x800706D9 in Setup's log where it does not run",
		Severity: Blocker, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack}, Needs: []string{"firewall"}, test: ruleFirewall,
	},
	{
		Name: "revocation", Words: "Certificate revocation lists answer under the run-as account and SYSTEM", Source: "founding document (\"Authenticode\"); KB944752 (crl.microsoft.com)",
		Severity: Warning, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack, Rollup}, Needs: []string{"revocation"},
		test: func(s Subject) verdict {
			r := s.Facts.Revocation.Value
			var slow []string
			for _, one := range []struct {
				who   string
				reach RevocationReach
			}{{"the run-as account", r.RunAs}, {"SYSTEM", r.System}} {
				switch {
				case one.reach.CRL == "":
					return unread("Whether revocation lists answer "+one.who+" is not known", "", "Have the facts be read again.")
				case one.reach.CRL != "ok", one.reach.Milliseconds > s.Policy.Of(RevocationTime):
					slow = append(slow, fmt.Sprintf("%s: %s after %d ms", one.who, one.reach.CRL, one.reach.Milliseconds))
				}
			}
			evidence := fmt.Sprintf("State %d and %d", r.RunAs.State, r.System.State)
			if len(slow) > 0 {
				return warns("Revocation lists do not answer in time; Setup may take hours and services may not start: "+list(slow), evidence,
					"The runbook turns the check off for the while of Setup. For services set generatePublisherEvidence (KB944752), or give the host a way to crl.microsoft.com.")
			}
			return pass("Revocation lists answer", evidence)
		},
	},
}

// forefrontLevels are the policy values of the least version by service pack.
var forefrontLevels = map[int]string{1: ForefrontSP1, 2: ForefrontSP2, 3: ForefrontSP3}

func ruleForefront(s Subject) verdict {
	f := s.Facts.Forefront.Value
	if !f.Installed {
		return pass("Forefront is not installed", "")
	}
	evidence := fmt.Sprintf("version %s, services %s", orNone(f.Version), orNone(list(f.Services)))
	if s.Clustered() {
		return blocks("Forefront is on a cluster: a person decides", evidence,
			"Forefront cannot be updated remotely on a cluster (KB929081), and its own order is the other way round: active nodes first, and no failover meanwhile (technet ee707328), while Exchange wants passive nodes first. Update or disable it by hand on all nodes, then waive this.")
	}
	v, ok := version(f.Version)
	least := s.Policy.Of(forefrontLevels[s.Package.Target.ServicePack()])
	switch {
	case !ok:
		return unread("Forefront is installed; its version was not understood", evidence, "Look at it on the host.")
	case s.Package.Kind != exchange.Rollup && v[0]*100+v[1] < least:
		return blocks(fmt.Sprintf("Forefront is older than %d.%d, which %s wants as far as is known", least/100, least%100, s.Package.Words), evidence, "Update Forefront first, or uninstall it.")
	}
	return pass("Forefront is new enough; the runbook disables it with fscutility for the while of Setup", evidence)
}

func ruleFirewall(s Subject) verdict {
	f := s.Facts.Firewall.Value
	evidence := fmt.Sprintf("%s %s, %s; filters: domain %s, standard %s, public %s", orNone(f.Service), f.State, f.Start, tri(f.Enabled.Domain), tri(f.Enabled.Standard), tri(f.Enabled.Public))
	filters := func(b *bool) bool { return b == nil || *b } // a profile that is not set filters
	profiles := []*bool{f.Enabled.Domain, f.Enabled.Standard}
	if !strings.EqualFold(f.Service, "SharedAccess") { // Windows Server 2003 has no public profile
		profiles = append(profiles, f.Enabled.Public)
	}
	switch {
	case f.Service == "":
		return blocks("There is no firewall service: Setup cannot write its exceptions", evidence, "Find out why it is gone.")
	case f.State == running:
		return pass("The firewall's service runs", evidence)
	case slices.ContainsFunc(profiles, filters):
		return blocks("The firewall's service does not run; Setup wants it, and once started it would filter and may cut the host off", evidence,
			"A person decides: turn filtering off in every profile (netsh firewall set opmode disable on 2003, netsh advfirewall set allprofiles state off on 2008), or add exceptions for WinRM first. Then waive this, or run again.")
	}
	return pass("The firewall's service does not run and would not filter: the runbook starts it for the while of Setup", evidence)
}

func tri(b *bool) string {
	switch {
	case b == nil:
		return "not set"
	case *b:
		return "yes"
	default:
		return "no"
	}
}
