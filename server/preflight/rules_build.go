package preflight

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"wavekeeper/server/exchange"
)

func sortedRoles(roles map[string]Role) []string { return slices.Sorted(maps.Keys(roles)) }

var (
	article     = regexp.MustCompile(`(?i)KB(\d{6,7})`)
	dottedBuild = regexp.MustCompile(`\d{1,2}\.\d{1,2}\.\d{1,5}\.\d{1,5}`)
)

// ruleInterim: what is applied and is no rollup of the catalogue, by its article
// or by its build. Names of patches are those of the package, in its language.
func ruleInterim(s Subject) verdict {
	var odd []string
	for _, p := range s.Facts.Patches.Value {
		if p.State == 1 && !isRollup(p.Name) {
			odd = append(odd, p.Name)
		}
	}
	if len(odd) > 0 {
		return blocks("Updates of Exchange are installed that are no update rollups: "+list(odd), count(len(s.Facts.Patches.Value), "patch", "patches"),
			"Uninstall them first: an interim update keeps a service pack and a rollup with the same fix from being installed.")
	}
	return pass("No interim update is installed", count(len(s.Facts.Patches.Value), "patch", "patches"))
}

func isRollup(name string) bool {
	kb := article.FindStringSubmatch(name)
	build, err := exchange.ParseBuild(dottedBuild.FindString(name))
	return slices.ContainsFunc(exchange.Packages(), func(p exchange.Package) bool {
		return p.Kind == exchange.Rollup && (len(kb) > 1 && kb[1] == p.KB || err == nil && !build.IsZero() && p.Target.Compare(build) == 0)
	})
}

// buildRules ask whether the package fits what is installed.
var buildRules = []Rule{
	{
		Name: "build", Words: "The host is not newer than the package", Source: "role keys of Exchange (founding document); file version of ExSetup.exe (KB2173280)",
		Severity: Blocker, Unknown: Blocker, Kinds: []string{ServicePack, Rollup}, Needs: []string{"roles"}, Also: []string{"exsetup_version"}, test: ruleBuild,
	},
	{
		Name: "rollup-level", Words: "The rollup is for the service pack that is installed", Source: "KB953469 (the series of RTM and SP1 are independent)",
		Severity: Blocker, Unknown: Blocker, Kinds: []string{Rollup}, Needs: []string{"roles"},
		test: func(s Subject) verdict {
			lowest := configured(s).Lowest
			evidence := fmt.Sprintf("lowest configured build %s, rollup of %s", orNone(lowest.String()), levelWords(s.Package.Target.ServicePack()))
			if lowest.ServicePack() != s.Package.Target.ServicePack() {
				return blocks("The rollup is for another service pack than the one that is installed", evidence, "Install the service pack first, or choose a rollup of the one that is there.")
			}
			return pass("The rollup is for the service pack that is installed", evidence)
		},
	},
	{
		Name: "second-package", Words: "The plan's second package is a rollup of the first one's service pack", Source: "KB953469; Exchange team practice: after a service pack its own newest rollup",
		Severity: Blocker, Unknown: Blocker, Kinds: []string{ServicePack, Rollup},
		test: func(s Subject) verdict {
			if s.Then == nil {
				return pass("There is no second package", "")
			}
			if s.Package.Kind != exchange.ServicePack || s.Then.Kind != exchange.Rollup || s.Then.Target.ServicePack() != s.Package.Target.ServicePack() {
				return blocks(s.Then.Words+" does not follow "+s.Package.Words, "", "Choose a rollup of the service pack of the first package.")
			}
			return pass("The second package is a rollup of the first one's service pack", s.Then.Words)
		},
	},
	{
		Name: "package-withdrawn", Words: "Microsoft did not take the package back", Source: "Microsoft's list of builds (SP3 RU3 was replaced by its version 2)",
		Severity: Blocker, Unknown: Blocker, Waivable: true, Kinds: []string{ServicePack, Rollup},
		test: func(s Subject) verdict {
			for _, p := range []*exchange.Package{&s.Package, s.Then} {
				if p != nil && p.Withdrawn {
					return blocks("Microsoft took "+p.Words+" back", "KB"+p.KB, "Choose the version that replaced it.")
				}
			}
			return pass("The package was not taken back", "")
		},
	},
	{
		Name: "roles", Words: "The host holds the roles of the inventory", Source: "role keys of Exchange and inventory",
		Severity: Blocker, Unknown: Blocker, Kinds: []string{ServicePack, Rollup}, Needs: []string{"roles"}, test: ruleRoles,
	},
	{
		Name: "edge-alone", Words: "An Edge Transport server holds no other role", Source: "Setup's rule InstallWatermark's article (MicrosoftDocs): Edge Transport cannot coexist with other roles",
		Severity: Blocker, Unknown: Blocker, Roles: []string{edge},
		test: func(s Subject) verdict {
			if len(s.Server.Roles) > 1 {
				return blocks("The server holds Edge Transport beside other roles, which there cannot be", fmt.Sprint(s.Server.Roles), "Correct the inventory.")
			}
			return pass("The server holds Edge Transport alone", "")
		},
	},
}

func levelWords(sp int) string {
	if sp == 0 {
		return "RTM"
	}
	return fmt.Sprintf("SP%d", sp)
}

func ruleBuild(s Subject) verdict {
	c := configured(s)
	if len(c.Unreadable) > 0 {
		return blocks("A role's build cannot be read", list(c.Unreadable), "Look at the role keys of the host.")
	}
	evidence := "lowest configured build " + orNone(c.Lowest.String())
	if c.Lowest.IsZero() {
		return blocks("No role of Exchange is configured on the host", evidence, "Check the server's address.")
	}
	build := c.Lowest
	if s.Package.Kind == exchange.Rollup {
		build = exchange.InstalledBuild(c.Lowest, s.Facts.ExSetupVersion.Value)
		evidence += ", ExSetup.exe " + orNone(s.Facts.ExSetupVersion.Value)
	}
	switch n := build.Compare(s.Package.Target); {
	case n > 0:
		return blocks("The host is newer than the package", evidence+", package "+s.Package.Target.String(), "Take the server out of the plan.")
	case n == 0:
		return pass("The package is installed already", evidence)
	}
	return pass("The package is newer than what is installed", evidence)
}

func ruleRoles(s Subject) verdict {
	evidence := list(sortedRoles(s.Facts.Roles.Value))
	known := map[string]bool{}
	for _, r := range s.Server.Roles {
		known[string(r)] = true
		if _, ok := s.Facts.Roles.Value[string(r)]; !ok {
			return blocks(fmt.Sprintf("The inventory's role %s is not on the host", r), evidence, "Correct the inventory or the server's address.")
		}
	}
	for _, r := range exchange.Roles() {
		if _, ok := s.Facts.Roles.Value[string(r)]; ok && !known[string(r)] {
			return blocks(fmt.Sprintf("The host holds the role %s, which the inventory does not know: the order would be wrong", r), evidence, "Correct the inventory and plan again.")
		}
	}
	return pass("The host holds the roles of the inventory", evidence)
}
