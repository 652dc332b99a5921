package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"wavekeeper/server/auth"
)

func TestRolesCarryWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	all := []auth.Permission{
		auth.Read, auth.Export, auth.Inventory, auth.Probe, auth.Plan, auth.Media, auth.Stage, auth.Prepare, auth.Submit, auth.Approve,
		auth.Pause, auth.Resume, auth.Stop, auth.Decide, auth.People, auth.Profiles, auth.Credentials, auth.Settings,
	}
	want := map[auth.Role][]auth.Permission{
		auth.Auditor:  {auth.Read, auth.Export},
		auth.Planner:  {auth.Read, auth.Export, auth.Inventory, auth.Probe, auth.Plan, auth.Media, auth.Stage, auth.Prepare, auth.Submit, auth.Pause, auth.Stop},
		auth.Operator: {auth.Read, auth.Export, auth.Probe, auth.Stage, auth.Prepare, auth.Approve, auth.Pause, auth.Resume, auth.Stop, auth.Decide},
		auth.Admin:    {auth.Read, auth.Export, auth.Media, auth.People, auth.Profiles, auth.Credentials, auth.Settings},
	}
	for _, role := range auth.Roles() {
		has := map[auth.Permission]bool{}
		for _, p := range want[role] {
			has[p] = true
		}
		for _, p := range all {
			if got := auth.May([]string{string(role)}, p); got != has[p] {
				t.Errorf("May(%s, %s) = %v, want %v", role, p, got, has[p])
			}
		}
	}
	if auth.May([]string{"king"}, auth.Read) || auth.May(nil, auth.Read) || auth.May([]string{"admin"}, "unheard-of") {
		t.Error("an unknown role, no role or an unknown permission was let through")
	}
	if !auth.May([]string{"auditor", "operator"}, auth.Approve) {
		t.Error("the second of two roles does not count")
	}
}

func TestPasswordsAreHashedAndChecked(t *testing.T) {
	t.Parallel()
	if _, err := auth.HashPassword("elevenchars"); !errors.Is(err, auth.ErrPassword) {
		t.Errorf("HashPassword of 11 characters: %v, want ErrPassword", err)
	}
	hash, err := auth.HashPassword("twelve chars")
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"twelve chars": true, "twelve charS": false, "": false} {
		got, err := auth.CheckPassword(t.Context(), password, hash)
		if err != nil || got != want {
			t.Errorf("CheckPassword(%q) = %v, %v, want %v", password, got, err, want)
		}
	}
	if one, other := auth.NewPassword(), auth.NewPassword(); len(one) < auth.MinPassword || one == other {
		t.Error("NewPassword is short or repeats itself")
	}
}

func TestNetworkIsTheAddressOrItsSlash64(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"10.1.2.3:4711": "10.1.2.3", "[::ffff:10.1.2.3]:1": "10.1.2.3", "[2001:db8:1:2:3::9]:443": "2001:db8:1:2::/64",
		"2001:db8:1:2::1": "2001:db8:1:2::/64", "[fe80::1%eth0]:1": "fe80::/64", "@": "@",
	} {
		if got := auth.Network(remote); got != want {
			t.Errorf("Network(%q) = %q, want %q", remote, got, want)
		}
	}
}

// records answers as a database with one person would, in memory; the real one
// is tried in store.
type records struct {
	hash     string
	failures map[string]int
	ended    []string
}

func (r *records) Password(_ context.Context, name string) (int64, string, error) {
	if name == "otto" {
		return 1, r.hash, nil
	}
	return 0, "", nil
}

func (r *records) SignInBegins(_ context.Context, name, network string, tooMany func(byName, byNetwork int) bool) (bool, error) {
	if tooMany(r.failures[name+"@"+network], r.failures["@"+network]) {
		return false, nil
	}
	r.failures[name+"@"+network]++
	r.failures["@"+network]++
	return true, nil
}

func (r *records) SignInEnded(_ context.Context, name, _, network string, person int64, refused bool) error {
	switch {
	case refused:
		r.ended = append(r.ended, "refused "+name)
	case person == 0:
		r.ended = append(r.ended, "failed "+name)
	default:
		r.ended = append(r.ended, "in "+name)
		r.failures["@"+network] -= r.failures[name+"@"+network]
		delete(r.failures, name+"@"+network)
	}
	return nil
}

func TestGuessingFromOutsideLocksNobodyOut(t *testing.T) {
	t.Parallel()
	hash, err := auth.HashPassword("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	r := &records{hash: hash, failures: map[string]int{}}
	try := func(name, password, remote string) error {
		_, err := auth.SignIn(t.Context(), r, name, password, remote)
		return err
	}
	for range 5 {
		if err := try("Otto", "wrong", "203.0.113.9:1"); !errors.Is(err, auth.ErrSignIn) {
			t.Fatalf("a wrong password: %v, want ErrSignIn", err)
		}
	}
	if err := try("otto", "correct horse", "203.0.113.9:2"); !errors.Is(err, auth.ErrTooMany) {
		t.Errorf("the sixth attempt from there: %v, want ErrTooMany", err)
	}
	if err := try(" OTTO ", "correct horse", "10.0.0.7:1"); err != nil {
		t.Errorf("the person himself from elsewhere: %v, want in", err)
	}
	if err := try("nobody", "correct horse", "10.0.0.7:1"); !errors.Is(err, auth.ErrSignIn) {
		t.Errorf("an unknown name: %v, want the same answer as to a wrong password", err)
	}
}

func TestOnlyWhatCanBeANameIsKept(t *testing.T) {
	t.Parallel()
	r := &records{failures: map[string]int{}}
	for _, typed := range []string{"", " ", "two words", "a\x00b", "a\u202eb", "a\u200bb", "\xff", strings.Repeat("x", 65), "line\nbreak"} {
		if _, err := auth.SignIn(t.Context(), r, typed, "whatever it is", "10.0.0.7:1"); !errors.Is(err, auth.ErrSignIn) && !errors.Is(err, auth.ErrTooMany) {
			t.Errorf("SignIn(%q): %v, want the answer to a wrong name", typed, err)
		}
	}
	for _, ended := range r.ended {
		if !strings.HasSuffix(ended, " (no name)") {
			t.Errorf("on record is %q", ended)
		}
	}
}

func TestCheckWaitsNoLongerThanItsCaller(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 { // the way may be free by chance
		if _, err := auth.CheckPassword(ctx, "x", "not a hash"); err == nil {
			t.Fatal("a check without a caller was done")
		}
	}
}
