package windows_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
)

// TestWhatMattersIsReadWithoutWMI: the second way says what WMI said, as far as
// it can, in every language, and says that it was taken.
func TestWhatMattersIsReadWithoutWMI(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ os, winrm, language string }{{"2003", "1.1", "de-DE"}, {"2008", "2.0", "ja-JP"}, {"2003", "2.0", "en-US"}} {
		h, ctx := hostWith(t, func(o *twin.Options) {
			o.Servers[0].OS = c.os
			o.Platforms = map[string]twin.Platform{"MBX1": {OS: c.os, WinRM: c.winrm, Language: c.language, LoggedOn: []string{`LAB\ann`}}}
		}), context.Background()
		type seen struct {
			Roles    map[string]windows.Role
			Services []windows.Service
			Names    []string
			Sessions []int
			OS       windows.OS
			One      windows.Service
			Delayed  bool
		}
		if c.os == "2008" {
			if err := h.SetStartMode(ctx, "RemoteRegistry", windows.StartDelayed); err != nil {
				t.Fatal(err)
			}
		}
		look := func() (s seen) {
			t.Helper()
			var err error
			check := func() {
				t.Helper()
				if err != nil {
					t.Fatalf("%v: %v", c, err)
				}
			}
			s.Roles, err = h.Roles(ctx)
			check()
			s.Services, err = h.Services(ctx)
			check()
			s.One, _, err = h.Service(ctx, "msexchangeis")
			check()
			s.Delayed, err = h.Delayed(ctx, "RemoteRegistry")
			check()
			if s.Delayed != (c.os == "2008") {
				t.Errorf("%v: RemoteRegistry starts with a delay: %t", c, s.Delayed)
			}
			s.OS, err = h.OS(ctx)
			check()
			all, err := h.Processes(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range all {
				s.Names = append(s.Names, p.Name)
			}
			for _, one := range windows.SessionsOf(all) {
				s.Sessions = append(s.Sessions, one.ID)
			}
			slices.Sort(s.Names)
			slices.SortFunc(s.Services, func(a, b windows.Service) int { return strings.Compare(a.Name, b.Name) })
			return s
		}
		by := look()
		if said := h.Without(); len(said) != 0 {
			t.Errorf("%v: with WMI: %q", c, said)
		}
		if err := h.StopService(ctx, "winmgmt"); err != nil {
			t.Fatal(err)
		}
		within(t, 10*time.Second, "WMI is stopped", func() bool {
			s, _, err := h.Service(ctx, "winmgmt")
			return err == nil && s.State == windows.Stopped && len(h.Without()) > 0
		})
		without := look()
		if d := without.OS.Boot.Sub(by.OS.Boot); d < -time.Minute || d > time.Minute || without.OS.Via != windows.ViaPrograms || by.OS.Via != "" {
			t.Errorf("%v: boot time is %s off, via %q", c, d, without.OS.Via)
		}
		if d := without.OS.Now.Sub(by.OS.Now); d < -time.Minute || d > time.Minute {
			t.Errorf("%v: the clock is %s off", c, d)
		}
		for _, s := range []*seen{&by, &without} { // what must differ
			s.OS.Boot, s.OS.Now, s.OS.Asked, s.OS.Via = time.Time{}, time.Time{}, time.Time{}, ""
			_, offset := time.Unix(0, 0).In(s.OS.Zone).Zone()
			s.OS.Zone = time.FixedZone("", offset)
			s.Services = slices.DeleteFunc(s.Services, func(one windows.Service) bool { return strings.EqualFold(one.Name, "winmgmt") })
			s.Names = slices.DeleteFunc(s.Names, func(name string) bool { return name != "explorer.exe" && name != "cmd.exe" && name != "store.exe" })
		}
		if diff := cmp.Diff(by, without, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })); diff != "" {
			t.Errorf("%v: with WMI and without:\n%s", c, diff)
		}
		if said := h.Without(); len(said) != 4 || !strings.HasPrefix(said[0], "processes without WMI: ") {
			t.Errorf("%v: said %q", c, said)
		}
		if err := h.StartService(ctx, "winmgmt"); err != nil {
			t.Fatal(err)
		}
		within(t, 10*time.Second, "WMI is asked again", func() bool {
			look()
			return len(h.Without()) == 0
		})
	}
}

func TestWhoIsLoggedOnIsToldByName(t *testing.T) {
	t.Parallel()
	h, ctx := hostWith(t, func(o *twin.Options) {
		o.Platforms = map[string]twin.Platform{"MBX1": {OS: "2008", LoggedOn: []string{`LAB\ann`, `LAB\bob`}}}
	}), context.Background()
	sessions, err := h.Sessions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]windows.Session{{User: `LAB\ann`, ID: 1}, {User: `LAB\bob`, ID: 2}}, sessions); diff != "" {
		t.Error(diff)
	}
}
