package exchange

import (
	"strings"
	"testing"
)

func TestEveryPackageSaysWhatToKnowAndWhereThatComesFrom(t *testing.T) {
	t.Parallel()
	for _, p := range Packages() {
		if len(p.MustKnow) < 5 || len(p.Needs) == 0 || len(p.Links) == 0 {
			t.Errorf("%s: %d points, %d needs, %d links", p.Name, len(p.MustKnow), len(p.Needs), len(p.Links))
		}
		for _, point := range append(p.MustKnow[:len(p.MustKnow):len(p.MustKnow)], p.Needs...) {
			if point.Text == "" || point.Source == "" {
				t.Errorf("%s: a point without text or source: %+v", p.Name, point)
			}
		}
		for _, l := range p.Links {
			if l.Words == "" || !strings.HasPrefix(l.URL, "http") {
				t.Errorf("%s: link %+v", p.Name, l)
			}
		}
	}
}

func TestOnlyLaterServicePacksNeedWindowsInstaller45(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"sp1": false, "sp2": true, "sp3": true} {
		p, err := PackageByName(name)
		if err != nil {
			t.Fatal(err)
		}
		got := false
		for _, n := range p.Needs {
			got = got || strings.Contains(n.Text, "Windows Installer 4.5")
		}
		if got != want {
			t.Errorf("%s needs Windows Installer 4.5: %t, want %t", name, got, want)
		}
	}
}
