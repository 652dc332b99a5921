package exchange

import (
	"strconv"
	"testing"
)

func TestBuildsAreReadInEveryForm(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"8.0.685.25": "8.0.685.25", "8.00.0685.025": "8.0.685.25", "Version 8.0 (Build 30685.25)": "8.0.685.25",
		"version 8.1 (build 240.6)": "8.1.240.6", "": "", " 8.3.83.6 ": "8.3.83.6", "1912701168": "8.1.240.6", "1912832279": "8.3.279.3", "1912832517": "8.3.517.0", "1912701169": "8.1.241.0", "Version 8.3 (Build 30083.6)": "8.3.83.6",
	} {
		got, err := ParseBuild(in)
		if err != nil || got.String() != want {
			t.Errorf("ParseBuild(%q) = %s, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"8", "8.0.685", "a.b.c.d", "8.0.685.25.1", "SP1", "Version 8.0", "1912701", "4294967295", "1912668400", "9999999999"} {
		if got, err := ParseBuild(in); err == nil {
			t.Errorf("ParseBuild(%q) = %s, want a refusal", in, got)
		}
	}
}

func TestTheNumberOfEachReleaseIsRead(t *testing.T) {
	t.Parallel()
	for _, p := range releases {
		number := 7<<28 | p.Target.Major<<22 | p.Target.Minor<<16 | 1<<15 | p.Target.Build
		got, err := ParseBuild(strconv.Itoa(number))
		if err != nil || got.Compare(p.Target) > 0 || got.Build != p.Target.Build || got.ServicePack() != p.Target.ServicePack() {
			t.Errorf("%s: %d is read as %s, %v; want %s", p.Words, number, got, err, p.Target)
		}
	}
}

func TestBuildsCompareWithTolerance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"8.1.240.5", "8.1.240.6", 0},
		{"8.0.685.24", "8.0.685.25", 0},
		{"8.1.311.2", "8.1.311.3", 0},
		{"8.3.348.1", "8.3.348.2", 0},
		{"8.1.240.6", "8.0.813.0", 1},
		{"8.1.99.0", "8.1.240.6", -1},
		{"", "8.0.685.25", -1},
		{"8.3.159.0", "8.3.159.2", -1},
	} {
		a, errA := ParseBuild(c.a)
		b, errB := ParseBuild(c.b)
		if got := a.Compare(b); got != c.want || errA != nil || errB != nil {
			t.Errorf("Compare(%s, %s) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestBuildsAreSaidInWords(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"8.0.685.25": "RTM", "8.0.685.24": "RTM", "8.1.240.6": "SP1", "8.1.311.2": "SP1 RU4", "8.3.517.0": "SP3 RU23", "8.3.159.2": "SP3 RU3-v2", "8.1.250.1": "SP1 (8.1.250.1)", "": "unknown",
	} {
		if b, err := ParseBuild(in); err != nil || b.Words() != want {
			t.Errorf("%q in words is %q, want %q", in, b.Words(), want)
		}
	}
}

func TestPackagesAreFoundByName(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]string{"sp1": "8.1.240.6", "SP2": "8.2.176.2", "sp3": "8.3.83.6", "SP1 RU4": "8.1.311.3", "sp3-ru23": "8.3.517.0"} {
		if p, err := PackageByName(name); err != nil || p.Target.String() != target {
			t.Errorf("PackageByName(%q) = %s, %v, want %s", name, p.Target, err, target)
		}
	}
	for _, name := range []string{"rtm", "sp4", ""} {
		if p, err := PackageByName(name); err == nil {
			t.Errorf("PackageByName(%q) = %s, want an error", name, p.Name)
		}
	}
	previous := Build{}
	for _, p := range releases {
		if p.Target.Compare(previous) < 0 {
			t.Errorf("%s is older than the release before it", p.Words)
		}
		previous = p.Target
	}
	sp1ru4, _ := PackageByName("sp1-ru4")
	rtm, sp1 := Build{8, 0, 685, 25}, Build{8, 1, 240, 6}
	if sp1ru4.Applies(rtm) || !sp1ru4.Applies(sp1) {
		t.Error("a rollup applies to its own service pack level only")
	}
}
