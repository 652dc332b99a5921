package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// run is one call of the program; stdin may be empty.
func run(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	status = Main(args, strings.NewReader(stdin), &out, &problems)
	return status, out.String(), problems.String()
}

// must is a call that has to succeed.
func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	status, out, problems := run(t, stdin, args...)
	if status != 0 {
		t.Fatalf("%v: status %d, %s", args, status, problems)
	}
	return out
}

func TestMigrateIsRepeatableAndGrants(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	out := must(t, "", "migrate", "--database-url", d.URL, "--migrate-database-url", d.OwnerURL)
	if !strings.Contains(out, "up to date") || !strings.Contains(out, "granted role wavekeeper") {
		t.Errorf("a second migrate says %q, want that nothing was to do and what was granted", out)
	}
	out = must(t, "", "migrate", "--database-url", d.OwnerURL)
	if !strings.Contains(out, "rights do not protect the record") {
		t.Errorf("migrate with one role says %q, want that rights do not protect the record", out)
	}
	if status, _, problems := run(t, "", "migrate", "--database-url", "", "--migrate-database-url", ""); status != 1 || !strings.Contains(problems, "MIGRATE_DATABASE_URL") {
		t.Errorf("migrate without a database: status %d, %q, want 1 and the names of the settings", status, problems)
	}
}

func TestPeopleAreAddedListedAndDisabled(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	out := must(t, "", "user", "add", "Anna", "--role", "admin,auditor", "--generate", "--database-url", d.URL)
	if !strings.HasPrefix(out, "added anna, password ") {
		t.Errorf("user add --generate says %q, want the password", out)
	}
	out = must(t, "correct horse battery\n", "user", "add", "otto", "--role", "operator", "--database-url", d.URL)
	if strings.Contains(out, "horse") {
		t.Errorf("user add shows the password: %q", out)
	}
	must(t, "another horse battery\n", "user", "passwd", "otto", "--database-url", d.URL)
	must(t, "", "user", "disable", "OTTO", "--database-url", d.URL)
	want := "anna\tadmin,auditor\notto\toperator\tdisabled\n"
	if got := must(t, "", "user", "list", "--database-url", d.URL); got != want {
		t.Errorf("user list = %q, want %q", got, want)
	}
	if got := must(t, "", "user", "roles", "OTTO", "--role", "planner,auditor", "--database-url", d.URL); got != "otto is now planner,auditor, was operator\n" {
		t.Errorf("user roles says %q", got)
	}
	must(t, "", "user", "enable", "otto", "--database-url", d.URL)
	want = "anna\tadmin,auditor\notto\tplanner,auditor\n"
	if got := must(t, "", "user", "list", "--database-url", d.URL); got != want {
		t.Errorf("after the roles changed user list = %q, want %q", got, want)
	}
	record, err := d.Store.History(t.Context(), store.HistoryFilter{Kind: "person.roles", Limit: 9})
	if err != nil || len(record) != 1 || record[0].Subject != "otto" || !strings.HasPrefix(record[0].Who, "command line") || !strings.Contains(record[0].Detail, "operator") {
		t.Errorf("on record of the roles: %+v, %v", record, err)
	}
	for _, tc := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"roles", "anna", "--role", "auditor"}, "last admin"},
		{"", []string{"roles", "otto", "--role", "king"}, "There is no role king"},
		{"", []string{"roles", "nobody", "--role", "auditor"}, "nobody named"},
		{"short\n", []string{"add", "x", "--role", "admin"}, "at least 12"},
		{"\n", []string{"add", "x", "--role", "admin"}, "empty"},
		{"long enough password\n", []string{"add", "x", "--role", "king"}, "There is no role king"},
		{"long enough password\n", []string{"add", "ANNA", "--role", "admin"}, "somebody named anna"},
		{"", []string{"disable", "anna"}, "last admin"},
		{"", []string{"disable", "nobody"}, "nobody named"},
	} {
		status, _, problems := run(t, tc.stdin, append(append([]string{"user"}, tc.args...), "--database-url", d.URL)...)
		if status != 1 || !strings.Contains(problems, tc.want) {
			t.Errorf("user %v: status %d, %q, want 1 and %q", tc.args, status, problems, tc.want)
		}
	}
}

func TestCredentialsGoInAndNeverOut(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	key := filepath.Join(t.TempDir(), "keys", "wk.key")
	must(t, "", "profile", "set", "berlin", "--range", "10.1.0.0/16,10.2.3.4", "--suffix", ".Contoso.com", "--database-url", d.URL)
	set := []string{"credential", "set", "--profile", "Berlin", "--account", `CONTOSO\wk`, "--key-file", key, "--database-url", d.URL}
	out := must(t, "sesame 1\n", append(set, "--purpose", "winrm")...)
	out += must(t, "sesame 2\n", append(set, "--purpose", "runas")...)
	out += must(t, "sesame 3\n", append(set, "--purpose", "winrm")...)
	out += must(t, "", "credential", "list", "--database-url", d.URL)
	if strings.Contains(out, "sesame") {
		t.Errorf("a password was shown: %q", out)
	}
	if strings.Count(out, `berlin   winrm`) != 1 || strings.Count(out, `berlin   runas`) != 1 {
		t.Errorf("credential list shows %q, want one winrm and one runas account", out)
	}
	if list := must(t, "", "profile", "list", "--database-url", d.URL); !strings.Contains(list, "10.1.0.0/16,10.2.3.4/32") || !strings.Contains(list, "contoso.com") {
		t.Errorf("profile list shows %q, want ranges and suffixes", list)
	}
	info, err := os.Stat(key)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the key file has mode %o, want 600", info.Mode().Perm())
	}
	if err := os.Chmod(key, 0o640); err != nil {
		t.Fatal(err)
	}
	if status, _, problems := run(t, "sesame\n", append(set, "--purpose", "winrm")...); status != 1 || !strings.Contains(problems, "0600") {
		t.Errorf("a key file that others can read: status %d, %q, want a refusal", status, problems)
	}
	if status, _, _ := run(t, "", append(set, "--purpose", "other")...); status != 2 {
		t.Errorf("an unknown purpose: status %d, want 2", status)
	}
}

// Not parallel: it sets the environment.
func TestCommandLineWinsOverEnvironmentAndThatOverTheFile(t *testing.T) {
	d := storetest.New(t)
	must(t, "", "user", "add", "anna", "--role", "admin", "--generate", "--database-url", d.URL)
	settings := func(url string) string {
		path := filepath.Join(t.TempDir(), "settings.yaml")
		if err := os.WriteFile(path, []byte("database-url: "+url+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	nowhere := "postgres://x@127.0.0.1:1/x"
	if out := must(t, "", "user", "list", "--config", settings(d.URL)); !strings.HasPrefix(out, "anna") {
		t.Errorf("with the file alone: %q, want anna", out)
	}
	t.Setenv("DATABASE_URL", d.URL)
	if out := must(t, "", "user", "list", "--config", settings(nowhere)); !strings.HasPrefix(out, "anna") {
		t.Errorf("with the environment over the file: %q, want anna", out)
	}
	t.Setenv("DATABASE_URL", nowhere)
	if out := must(t, "", "user", "list", "--config", settings(nowhere), "--database-url", d.URL); !strings.HasPrefix(out, "anna") {
		t.Errorf("with the command line over both: %q, want anna", out)
	}
}
