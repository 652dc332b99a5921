package rollout

import (
	"reflect"
	"slices"
	"testing"
)

func TestApprovalDigestAndDiffCoverEveryField(t *testing.T) {
	t.Parallel()
	base := ApprovalContent{
		Revision: "r", Wave: 1, Server: "MBX1", Hosts: []ApprovalHost{{"MBX1", "10.0.0.1", 5985}}, Roles: []string{"Mailbox"}, Site: "A",
		StartingBuild: "8.0.685.25", Runbook: "standalone-service-pack", Version: 1, Steps: "s", Package: "sp1", SetupSHA256: "h", RunAs: "CONTOSO\\svc",
		FQDN: "mbx1.contoso.com", Language: "en-US", Arch: "x64", Folder: `C:\sp1`, Profile: "default", Services: []string{"Backup"},
		Servers: []string{"MBX1"}, Then: ApprovalThen{Package: "sp1-ru9"}, Hooks: []ApprovalHook{{"drain", "lb", "h"}},
	}
	digest, err := base.Digest()
	const golden = "d105736e9a49a79ce528848ec2663be7a5fd616e9aeeec7dffcfae943b7a32e2"
	if err != nil || digest != golden {
		t.Errorf("digest %s, %v, want %s", digest, err, golden)
	}
	for i := range reflect.TypeFor[ApprovalContent]().NumField() {
		changed := base
		field := reflect.ValueOf(&changed).Elem().Field(i)
		name := reflect.TypeFor[ApprovalContent]().Field(i).Name
		switch field.Kind() {
		case reflect.String:
			field.SetString("other")
		case reflect.Int:
			field.SetInt(99)
		default:
			field.SetZero()
		}
		if name == "Format" {
			continue // always the one format
		}
		other, err := changed.Digest()
		if words := base.Diff(changed); err != nil || other == digest || len(words) != 1 {
			t.Errorf("%s changed: digest %s, words %q, %v", name, other, words, err)
		}
	}
	for i := range reflect.TypeFor[ApprovalThen]().NumField() {
		changed := base
		reflect.ValueOf(&changed.Then).Elem().Field(i).SetString("other")
		if words := base.Diff(changed); len(words) != 1 {
			t.Errorf("the second package's %s changed: words %q", reflect.TypeFor[ApprovalThen]().Field(i).Name, words)
		}
	}
	for _, hook := range []ApprovalHook{{"undrain", "lb", "h"}, {"drain", "other", "h"}, {"drain", "lb", "other"}} {
		changed := base
		changed.Hooks = []ApprovalHook{hook}
		if words := base.Diff(changed); len(words) != 1 {
			t.Errorf("the hook became %v: words %q", hook, words)
		}
	}
	if words := base.Diff(base); len(words) != 0 {
		t.Errorf("nothing changed: %q", words)
	}
}

func TestRunbookHashCoversEveryFieldOfAStep(t *testing.T) {
	t.Parallel()
	base := Runbook{Name: "n", Version: 1, Words: "w", Steps: []Step{{Name: "a"}}}
	want, err := base.Hash()
	if err != nil {
		t.Fatal(err)
	}
	for i := range reflect.TypeFor[Step]().NumField() {
		step := base.Steps[0]
		field := reflect.ValueOf(&step).Elem().Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString("other")
		case reflect.Bool:
			field.SetBool(true)
		default:
			field.SetInt(5e9)
		}
		got, err := Runbook{Name: "n", Version: 1, Words: "w", Steps: []Step{step}}.Hash()
		if err != nil || got == want {
			t.Errorf("%s does not change the hash, %v", reflect.TypeFor[Step]().Field(i).Name, err)
		}
		decided := base
		decided.Decisions = []Step{step}
		if got, err := decided.Hash(); err != nil || got == want {
			t.Errorf("%s of a decision does not change the hash, %v", reflect.TypeFor[Step]().Field(i).Name, err)
		}
	}
}

// TestRetryOfSetupBeginsWithTheFacts: what a second Setup rests on is asked anew.
func TestRetryOfSetupBeginsWithTheFacts(t *testing.T) {
	t.Parallel()
	steps := []Step{
		{Name: "facts", Repeatable: true},
		{Name: "preflight", Repeatable: true},
		{Name: "stop-services", Repeatable: true, Undone: true},
		{Name: "setup", NoReturn: true},
		{Name: "verify", Repeatable: true},
		{Name: "put-back", Repeatable: true, PutBack: true},
	}
	gentle := slices.Clone(steps)
	gentle[3].NoReturn = false
	early := slices.Clone(gentle)
	early[1].NoReturn = true
	for _, c := range []struct {
		steps        []Step
		failed, want string
	}{
		{steps, "facts", "facts"},
		{steps, "preflight", "facts"},
		{steps, "stop-services", "facts"},
		{steps, "setup", "facts"},
		{steps, "verify", "facts"},
		{steps, "put-back", "facts"},
		{gentle, "preflight", "preflight"},
		{gentle, "setup", "stop-services"},
		{gentle, "put-back", "stop-services"},
		{early, "verify", "stop-services"},
		{early, "facts", "facts"},
	} {
		if got := RetryFrom(Runbook{Steps: c.steps}, c.failed); got != c.want {
			t.Errorf("RetryFrom(%s) = %s, want %s", c.failed, got, c.want)
		}
	}
}
