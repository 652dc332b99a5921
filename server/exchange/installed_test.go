package exchange

import "testing"

func TestInstalledBuildBelievesTheFileOfTheSameLevelOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lowest, file, want string }{
		{"8.1.240.6", "08.01.0263.001", "8.1.263.1"}, // a rollup that the keys do not know
		{"8.1.240.6", "8.1.240.6", "8.1.240.6"},
		{"8.1.240.6", "8.1.240.5", "8.1.240.6"},   // one release, written in two ways
		{"8.1.263.1", "8.1.240.6", "8.1.263.1"},   // the file is older than the keys
		{"8.0.685.25", "8.1.240.6", "8.0.685.25"}, // files replaced, keys not configured
		{"8.1.240.6", "8.0.685.25", "8.1.240.6"},
		{"8.1.240.6", "", "8.1.240.6"},
		{"8.1.240.6", "not a version", "8.1.240.6"},
		{"8.1.240.6", "15.1.2106.2", "8.1.240.6"},
		{"", "8.1.240.6", ""},
	} {
		lowest, err := ParseBuild(c.lowest)
		if err != nil {
			t.Fatal(err)
		}
		if got := InstalledBuild(lowest, c.file).String(); got != c.want {
			t.Errorf("InstalledBuild(%s, %q) = %s, want %s", c.lowest, c.file, got, c.want)
		}
	}
}
