package exchange

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoleKeysSayHowFarAServerIs(t *testing.T) {
	t.Parallel()
	sp1 := Build{8, 1, 240, 6}
	both := []Role{ClientAccess, Mailbox}
	for name, c := range map[string]struct {
		fact     string
		lowest   string
		complete bool
		below    []string
		doubts   []string
	}{
		"every role at the target": {
			`{"ClientAccess":{"configured":"8.1.240.6"},"Mailbox":{"configured":"8.1.240.5"}}`, "8.1.240.6", true, nil, nil,
		},
		"one role behind": {
			`{"ClientAccess":{"configured":"8.1.240.6"},"Mailbox":{"configured":"8.0.685.25"}}`,
			"8.0.685.25", true,
			[]string{"Mailbox is at 8.0.685.25"},
			nil,
		},
		"an unfinished Setup": {
			`{"ClientAccess":{"configured":"8.1.240.6","action":"BuildToBuildUpgrade","watermark":"5"},"Mailbox":{"configured":"8.1.240.6"}}`,
			"8.1.240.6", true, nil,
			[]string{`ClientAccess: Action "BuildToBuildUpgrade", Watermark "5"`},
		},
		"a role without a build": {
			`{"ClientAccess":{"configured":"8.1.240.6"},"Mailbox":{"configured":"","unpacked":"8.1.240.6"}}`,
			"8.1.240.6", false,
			[]string{"Mailbox is at no build"},
			[]string{"Mailbox is at no build"},
		},
		"a role that the host does not have": {
			`{"ClientAccess":{"configured":"8.1.240.6"}}`,
			"8.1.240.6", false,
			[]string{"Mailbox has no registry key"},
			[]string{"Mailbox has no registry key"},
		},
		"no roles": {`{}`, "", false, []string{"ClientAccess has no registry key", "Mailbox has no registry key"}, []string{"ClientAccess has no registry key", "Mailbox has no registry key"}},
	} {
		keys, err := ReadRoleKeys([]byte(c.fact))
		if err != nil {
			t.Fatal(err)
		}
		got := ConfiguredOf(keys, both)
		if got.Lowest.String() != c.lowest || got.Complete() != c.complete {
			t.Errorf("%s: lowest %s, complete %t, want %s, %t", name, got.Lowest, got.Complete(), c.lowest, c.complete)
		}
		if diff := cmp.Diff(c.below, got.Below(sp1)); diff != "" {
			t.Errorf("%s: below (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(c.doubts, got.Doubts()); diff != "" {
			t.Errorf("%s: doubts (-want +got):\n%s", name, diff)
		}
	}
}

func TestABuildThatIsNoneIsNotSkipped(t *testing.T) {
	t.Parallel()
	got := ConfiguredOf(map[string]RoleKey{"Mailbox": {Configured: "eight"}, "HubTransport": {Configured: "8.1.240.6"}}, nil)
	if got.Complete() || len(got.Unreadable) != 1 || got.Lowest != (Build{8, 1, 240, 6}) {
		t.Errorf("%+v", got)
	}
	if _, err := ReadRoleKeys([]byte(`["Mailbox"]`)); err == nil {
		t.Error("a list of roles is read as their keys")
	}
}
