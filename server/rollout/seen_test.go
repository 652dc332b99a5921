package rollout

import (
	"strings"
	"testing"
)

func TestWhatWasShownIsComparedAndNamed(t *testing.T) {
	t.Parallel()
	one := ApprovalContent{Revision: "r", Wave: 1, Server: "CAS1", Hosts: []ApprovalHost{{"CAS1", "10.0.0.1", 5985}}, SetupSHA256: "h", Services: []string{"Backup", "Scan"}}
	two := one
	two.Server, two.Hosts = "CAS2", []ApprovalHost{{"CAS2", "10.0.0.2", 5985}}
	seen := func(contents ...ApprovalContent) string {
		t.Helper()
		s, err := Seen(contents)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	base := seen(one, two)
	turned := one
	turned.Services = []string{"Scan", "Backup"}
	if words := Unlike(base, seen(two, turned)); words != "" {
		t.Errorf("the same in another order: %q", words)
	}
	moved := two
	moved.Hosts = []ApprovalHost{{"CAS2", "10.0.0.9", 5985}}
	other := one
	other.SetupSHA256, other.RunAs = "x", `A\\b`
	sum, _, _ := strings.Cut(base, " ")
	for name, c := range map[string]struct{ shown, now, want string }{
		"moved":        {base, seen(one, moved), "hosts changed (CAS2)"},
		"other media":  {base, seen(other, two), "hash of setup.com, run-as account changed (CAS1)"},
		"one left out": {base, seen(one), "the servers changed, 1 of them are not in the wave any more"},
		"one more":     {seen(one), base, "(CAS2)"},
		"nothing sent": {"", base, "what it would do changed"},
		"only marks":   {strings.Replace(base, sum, strings.Repeat("0", 64), 1), base, "what it would do changed"},
		"only the sum": {sum, seen(one, moved), "what it would do changed"},
	} {
		if got := Unlike(c.shown, c.now); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
