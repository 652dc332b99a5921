package preflight

import (
	"slices"

	"wavekeeper/server/exchange"
)

// Rule is one thing that is asked before the work: to what it applies, how grave
// it is, where it comes from. A list that is empty means all.
type Rule struct {
	Name     string
	Words    string // what it asks for, in one sentence
	Source   string
	Severity Severity // the gravest it can say
	Unknown  Severity // what it says when a fact that it needs is not known
	Waivable bool
	Begin    bool     // it protects the beginning: once this upgrade's own Setup broke and resumes, it warns
	Levels   []int    // service pack levels of the target; of a rollup, the level it is for
	Kinds    []string // ServicePack, Rollup, PrepareOrganization
	Roles    []string // any of these is enough
	OS       []string // "2003", "2008", "2008R2"
	Cluster  Scope
	Needs    []string // names of the facts without which it cannot be answered
	Also     []string // names of facts that it looks at where they are known
	Fix      string
	test     func(Subject) verdict
}

// Scope says whether a rule is for standalone servers, for nodes, or for both.
type Scope string

// The scopes.
const (
	Anywhere   Scope = ""
	Standalone Scope = "standalone"
	OnNodes    Scope = "node"
)

// Rules lists the rules in the order in which they are judged and shown.
func Rules() []Rule {
	rules := slices.Concat(
		hostRules, windowsRules, softwareRules, serviceRules, stateRules, nameRules, mediaRules,
		organizationRules, buildRules, mailboxRules, transportRules, clientRules, umRules, cutOffRules, accessRules, clusterRules,
	)
	for i := range rules {
		rules[i].Source = exchange.Cite(rules[i].Source)
	}
	return rules
}

// Judge asks every rule that applies to the subject. The findings are in the
// order of Rules.
func Judge(s Subject) []Finding { return judge(Rules(), s) }

// Compare lists what two judgements of one host have different, in the order of
// the rules: another severity, another text, or a rule that only one has.
func Compare(before, after []Finding) []Change { return compare(before, after) }
