package cli

import (
	"strings"
	"testing"

	"wavekeeper/server/store/storetest"
)

func TestMediaAreRegisteredAndListed(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	hash := strings.Repeat("0123456789abcdef", 4)
	database := []string{"--database-url", d.URL}
	set := append([]string{"package", "set", "--package", "SP1", "--setup-sha256", strings.ToUpper(hash)}, database...)
	if got := must(t, "", set...); got != "registered SP1 en-US x64 in C:\\Wavekeeper\\media\\sp1-en-US-x64\n" {
		t.Errorf("package set says %q", got)
	}
	must(t, "", append(set, "--language", "de-de", "--folder", `D:\media\sp1\`)...)
	list := must(t, "", append([]string{"package", "list"}, database...)...)
	for _, want := range []string{"sp1", "en-US", `C:\Wavekeeper\media\sp1-en-US-x64`, "de-DE", `D:\media\sp1 `, hash, "command line"} {
		if !strings.Contains(list, want) {
			t.Errorf("package list has no %q:\n%s", want, list)
		}
	}
	all, err := d.Store.Packages(t.Context())
	if err != nil || len(all) != 2 {
		t.Errorf("%d packages are stored, %v, want 2", len(all), err)
	}
	for _, tc := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--package", "sp9", "--setup-sha256", hash}, 1, `unknown package "sp9": the nearest is`},
		{[]string{"--package", "sp1", "--setup-sha256", "abc"}, 1, "64 hex digits"},
		{[]string{"--package", "sp1"}, 2, "missing flags: --setup-sha256=HEX"},
		{[]string{"--package", "sp1", "--setup-sha256", hash, "--language", "german"}, 1, `--language: "german" is no Windows culture`},
		{[]string{"--package", "sp1", "--setup-sha256", hash, "--arch", "x86"}, 2, "--arch"},
		{[]string{"--package", "sp1", "--setup-sha256", hash, "--folder", "media"}, 1, "full path on the hosts"},
	} {
		status, _, problems := run(t, "", append(append([]string{"package", "set"}, tc.args...), database...)...)
		if status != tc.status || !strings.Contains(problems, tc.want) {
			t.Errorf("package set %v: status %d, %q, want %d and %q", tc.args, status, problems, tc.status, tc.want)
		}
	}
}
