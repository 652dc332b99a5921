package preflight

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// without are the facts of a subject but one.
func (s Subject) without(t *testing.T, fact string) Subject {
	t.Helper()
	switch {
	case fact == FleetFact:
		s.Fleet.Known = false
	case strings.HasPrefix(fact, OfOrganization):
		forget(t, reflect.ValueOf(&s.Organization).Elem(), slices.Index(OrganizationNames(), strings.TrimPrefix(fact, OfOrganization)))
	default:
		forget(t, reflect.ValueOf(&s.Facts).Elem(), slices.Index(FactNames(), fact))
	}
	if _, known := s.known(fact); known {
		t.Fatalf("fact %s is known still", fact)
	}
	return s
}

// forget makes the field of a fact unknown: fields stand in the order of names.
func forget(t *testing.T, v reflect.Value, i int) {
	t.Helper()
	if i < 0 || i >= v.NumField() {
		t.Fatalf("no field %d", i)
	}
	v.Field(i).SetZero()
}

// TestWhatIsNotKnownNeverPasses: each fact that a rule needs, taken away, makes a
// finding that says so.
func TestWhatIsNotKnownNeverPasses(t *testing.T) {
	t.Parallel()
	for _, c := range trips {
		rule := ruleNamed(t, c.rule)
		near, _ := c.subjects()
		for _, fact := range rule.Needs {
			f, ok := found(Judge(near.without(t, fact)), c.rule)
			if !ok || f.Severity == Pass || !f.Unknown || f.Severity != rule.Unknown || !strings.Contains(f.Evidence, fact) {
				t.Errorf("%s without %s: %+v", c.rule, fact, f)
			}
		}
	}
}

// TestRulesLookOnlyAtWhatTheyName: all other facts taken away change nothing, so
// that the age of a finding is the age of what it rests on.
func TestRulesLookOnlyAtWhatTheyName(t *testing.T) {
	t.Parallel()
	for _, c := range trips {
		rule := ruleNamed(t, c.rule)
		if c.rule == "facts-fresh" {
			continue // looks at all of them
		}
		near, trip := c.subjects()
		for _, s := range []Subject{near, trip} {
			want, _ := found(Judge(s), c.rule)
			bare := s
			for _, name := range FactNames() {
				if !slices.Contains(rule.Needs, name) && !slices.Contains(rule.Also, name) {
					bare = bare.without(t, name)
				}
			}
			for _, name := range OrganizationNames() {
				if !slices.Contains(rule.Needs, OfOrganization+name) && !slices.Contains(rule.Also, OfOrganization+name) {
					bare = bare.without(t, OfOrganization+name)
				}
			}
			if got, _ := found(Judge(bare), c.rule); got != want {
				t.Errorf("%s: %+v with all facts, %+v with its own", c.rule, want, got)
			}
		}
	}
}

// TestABackupOfUnknownStateIsNoBackupThatDoesNotRun: what the server did not tell
// of one database is said, unless a backup of another one runs.
func TestABackupOfUnknownStateIsNoBackupThatDoesNotRun(t *testing.T) {
	t.Parallel()
	for running, want := range map[string]Finding{
		`null`:  {Severity: Warning, Unknown: true, Text: "Whether a backup runs could not be read of DB1"},
		`true`:  {Severity: Blocker, Text: "A backup runs: DB1"},
		`false`: {Severity: Pass, Text: "No backup runs"},
	} {
		f, _ := found(Judge(subject(with(healthy, swap("backups", `"running":false`, `"running":`+running)))), "no-backup-running")
		if f.Severity != want.Severity || f.Unknown != want.Unknown || f.Text != want.Text {
			t.Errorf("running %s: %+v", running, f)
		}
		if f, _ := found(Judge(subject(with(healthy, swap("backups", `"running":false`, `"running":`+running)))), "backup-recent"); f.Severity != Pass {
			t.Errorf("running %s: the last full backup is lost: %+v", running, f)
		}
	}
}

// TestIISThatWasNotAskedIsNotSaidToBeIn64Bits: a metabase that could not be read
// proves nothing; IIS 7 is not asked, since it has the switch for each pool.
func TestIISThatWasNotAskedIsNotSaidToBeIn64Bits(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]Finding{
		`{"version":6,"components":[],"wow32":null}`:  {Severity: Warning, Unknown: true},
		`{"version":6,"components":[],"wow32":true}`:  {Severity: Blocker},
		`{"version":6,"components":[],"wow32":false}`: {Severity: Pass},
		`{"version":7,"components":[],"wow32":null}`:  {Severity: Pass},
	} {
		if f, _ := found(Judge(subject(with(healthy, said{"iis": value}))), "iis-64bit"); f.Severity != want.Severity || f.Unknown != want.Unknown {
			t.Errorf("%s: %+v", value, f)
		}
	}
}

// TestPacksOfMediaThatNobodySawAreNotSaidToBeThere, nor to lack: the host has no
// media yet, or nobody asked it.
func TestPacksOfMediaThatNobodySawAreNotSaidToBeThere(t *testing.T) {
	t.Parallel()
	s := subject(with(healthy, said{"um_packs": `["de-DE","en-US"]`}))
	s.Media.Packs = Told[[]string]{}
	if f, _ := found(Judge(s), "um-packs-in-media"); f.Severity != Info || !f.Unknown || !strings.Contains(f.Evidence, "de-DE") {
		t.Errorf("%+v", f)
	}
	s = subject(healthy) // en-US alone stays where it is
	s.Media.Packs = Told[[]string]{}
	if f, _ := found(Judge(s), "um-packs-in-media"); f.Severity != Pass {
		t.Errorf("%+v", f)
	}
}

// TestOfflineAddressBooksAreNamedOnce, in their order, however often they are told.
func TestOfflineAddressBooksAreNamedOnce(t *testing.T) {
	t.Parallel()
	books := said{"oab": `{"generates":["Sales","Default","Sales"],"orphaned":["Old","Older","Old"]}`}
	for rule, want := range map[string]string{"offline-address-books": "Default, Sales", "offline-address-book-server": "Old, Older"} {
		if f, _ := found(Judge(subject(with(healthy, books))), rule); !strings.HasSuffix(f.Text, " "+want) {
			t.Errorf("%s: %q, want %q", rule, f.Text, want)
		}
	}
}
