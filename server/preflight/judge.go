package preflight

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

func judge(rules []Rule, s Subject) []Finding {
	var out []Finding
	for _, r := range rules {
		if r.applies(s) {
			out = append(out, r.finding(s))
		}
	}
	return out
}

// applies reports whether the rule is asked of the subject. A rule for some
// versions of Windows is asked where the version is not known.
func (r Rule) applies(s Subject) bool {
	level := s.Package.Target.ServicePack()
	role := func(name string) bool {
		return slices.ContainsFunc(s.Server.Roles, func(have exchange.Role) bool { return string(have) == name })
	}
	switch {
	case len(r.Levels) > 0 && !slices.Contains(r.Levels, level),
		len(r.Kinds) > 0 && !slices.Contains(r.Kinds, s.Kind()),
		len(r.Roles) > 0 && !slices.ContainsFunc(r.Roles, role),
		r.Cluster == Standalone && s.Clustered(),
		r.Cluster == OnNodes && !s.Clustered(),
		len(r.OS) > 0 && s.Facts.OS.Known && !slices.Contains(r.OS, s.Facts.OS.Value):
		return false
	}
	return true
}

func (r Rule) finding(s Subject) Finding {
	f := Finding{Rule: r.Name, Source: r.Source, Waivable: r.Waivable}
	var v verdict
	if missing := r.missing(s); len(missing) > 0 {
		v = unread(fmt.Sprintf("Not known whether this holds: %s", lowerFirst(r.Words)), "not read: "+list(missing), remedyOf(missing))
	} else {
		v = r.test(s)
	}
	if v.unknown {
		v.severity = r.Unknown
	}
	if v.severity == "" {
		v.severity = Pass
	}
	if v.severity == Blocker && r.Begin && s.OwnSetup { // stopping half-way is worse
		v.severity = Warning
		v.text += "; this upgrade's own Setup began already, and resumes"
	}
	f.Severity, f.Text, f.Evidence, f.Remedy, f.Unknown = v.severity, v.text, v.evidence, v.remedy, v.unknown
	if v.severity != Pass {
		f.Fix = r.Fix
	}
	f.Waived = v.severity == Blocker && r.Waivable && slices.Contains(s.Waived, r.Name)
	f.At = r.asOf(s)
	f.Evidence = joined(f.Evidence, r.byHand(s))
	return f
}

// byHand names the facts of the organization on which the rule rests and which
// nobody read: a person entered them.
func (r Rule) byHand(s Subject) string {
	var words []string
	for _, name := range slices.Concat(r.Needs, r.Also) {
		below, ok := strings.CutPrefix(name, OfOrganization)
		if source := s.Organization.ByHand[below]; ok && source != "" {
			words = append(words, below+" "+source)
		}
	}
	return strings.Join(words, "; ")
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

const (
	factsRemedy        = "Have the facts be read again, and see why they are not told."
	organizationRemedy = "Have the organization be read, or enter what is known of it: on its page (Servers, Organization) or by wavekeeper organization look."
)

// remedyOf says what to do where facts are not known.
func remedyOf(missing []string) string {
	if slices.ContainsFunc(missing, func(name string) bool { return !strings.HasPrefix(name, OfOrganization) }) {
		return factsRemedy
	}
	return organizationRemedy
}

// missing lists the facts that the rule needs and nobody told.
func (r Rule) missing(s Subject) []string {
	var out []string
	for _, name := range r.Needs {
		if _, known := s.known(name); !known {
			out = append(out, name)
		}
	}
	return out
}

// asOf is when the oldest of the facts was read on which the rule rests.
func (r Rule) asOf(s Subject) time.Time {
	var oldest time.Time
	for _, name := range slices.Concat(r.Needs, r.Also) {
		if at, known := s.known(name); known && !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest
}

// OfOrganization begins the names under which rules need facts of the organization.
const OfOrganization = "organization/"

// FleetFact is the name under which rules need what is known of other servers.
const FleetFact = "fleet"

// known reports whether a fact is known, and when it was read.
func (s Subject) known(name string) (time.Time, bool) {
	if name == FleetFact {
		return time.Time{}, s.Fleet.Known
	}
	if below, ok := strings.CutPrefix(name, OfOrganization); ok {
		return knownIn(organizationFields, &s.Organization, below)
	}
	return knownIn(fields, &s.Facts, name)
}

func knownIn[F any](fields []field[F], f *F, name string) (time.Time, bool) {
	for _, x := range fields {
		if x.name == name {
			return x.at(f)
		}
	}
	return time.Time{}, false
}

func compare(before, after []Finding) []Change {
	find := func(all []Finding, rule string) *Finding {
		if i := slices.IndexFunc(all, func(f Finding) bool { return f.Rule == rule }); i >= 0 {
			return &all[i]
		}
		return nil
	}
	var out []Change
	for _, a := range after {
		b := find(before, a.Rule)
		if b == nil || b.Severity != a.Severity || b.Text != a.Text || b.Waived != a.Waived {
			out = append(out, Change{Rule: a.Rule, Before: b, After: &a})
		}
	}
	for _, b := range before {
		if find(after, b.Rule) == nil {
			out = append(out, Change{Rule: b.Rule, Before: &b})
		}
	}
	slices.SortStableFunc(out, func(a, b Change) int { return place(a.Rule) - place(b.Rule) })
	return out
}

// place is where a rule stands in the order of Rules; the last for one that is
// not there any more.
func place(rule string) int {
	if i := slices.IndexFunc(Rules(), func(r Rule) bool { return r.Name == rule }); i >= 0 {
		return i
	}
	return len(Rules())
}
