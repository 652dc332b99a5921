package windows_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
)

// TestWhatMattersIsReadWithoutWMI: the second way says what WMI said, as far as
// it can, in every language, and says that it was taken.
// oldHosts are Windows versions in the languages, for what must not depend on
// either.
var oldHosts = []struct{ os, winrm, language string }{{"2003", "1.1", "de-DE"}, {"2008", "2.0", "ja-JP"}, {"2003", "2.0", "en-US"}}

// everything is what a host tells by its nouns.
type everything struct {
	Roles    map[string]windows.Role
	Services []windows.Service
	One      windows.Service
	None     bool
	Delayed  bool
	Names    []string
	Sessions []int
	OS       windows.OS
	Updates  []string
	Disks    []windows.Disk
	Computer string
	Arch     string
	Install  string
	Pending  []string
	NET20    int
	Packs    []string
	Page     int
}

// seenBy reads everything.
func seenBy(t *testing.T, h *windows.Host) (s everything) {
	t.Helper()
	ctx := context.Background()
	_, there, err := h.Service(ctx, "NoSuch")
	if err != nil {
		t.Fatal(err)
	}
	s.None = !there
	for what, ask := range map[string]func() error{
		"roles":    func() (err error) { s.Roles, err = h.Roles(ctx); return },
		"services": func() (err error) { s.Services, err = h.Services(ctx); return },
		"service":  func() (err error) { s.One, _, err = h.Service(ctx, "MSExchangeIS"); return },
		"delayed":  func() (err error) { s.Delayed, err = h.Delayed(ctx, "RemoteRegistry"); return },
		"os":       func() (err error) { s.OS, err = h.OS(ctx); return },
		"updates":  func() (err error) { s.Updates, err = h.Hotfixes(ctx); return },
		"disks":    func() (err error) { s.Disks, err = h.Disks(ctx); return },
		"computer": func() error { c, err := h.Computer(ctx); s.Computer = c.FQDN(); return err },
		"arch":     func() (err error) { s.Arch, err = h.Arch(ctx); return },
		"install":  func() (err error) { s.Install, err = h.InstallPath(ctx); return },
		"pending":  func() (err error) { s.Pending, err = h.PendingRestart(ctx); return },
		"net20":    func() (err error) { s.NET20, _, err = h.NET20ServicePack(ctx); return },
		"packs":    func() (err error) { s.Packs, err = h.UMLanguagePacks(ctx); return },
		"page":     func() (err error) { s.Page, err = h.OEMCodePage(ctx); return },
		"processes": func() error {
			all, err := h.Processes(ctx)
			for _, p := range all {
				if slices.Contains([]string{"explorer.exe", "cmd.exe", "store.exe"}, p.Name) {
					s.Names = append(s.Names, p.Name)
				}
			}
			for _, one := range windows.SessionsOf(all) {
				s.Sessions = append(s.Sessions, one.ID)
			}
			return err
		},
	} {
		if err := ask(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	slices.Sort(s.Names)
	slices.SortFunc(s.Services, func(a, b windows.Service) int { return strings.Compare(a.Name, b.Name) })
	s.Services = slices.DeleteFunc(s.Services, func(one windows.Service) bool { return strings.EqualFold(one.Name, "winmgmt") })
	for i, id := range s.Updates { // one key may lack what the other has behind its number
		s.Updates[i], _, _ = strings.Cut(id, "-")
	}
	slices.Sort(s.Updates)
	for i := range s.Disks {
		s.Disks[i].Free = 0 // logs grow
	}
	return s
}

// same compares what was read with WMI and without: all of it but moments.
func same(t *testing.T, by, without everything) {
	t.Helper()
	if d := without.OS.Boot.Sub(by.OS.Boot); d < -time.Minute || d > time.Minute || without.OS.Via != windows.ViaPrograms || by.OS.Via != "" {
		t.Errorf("boot time is %s off, via %q and %q", d, by.OS.Via, without.OS.Via)
	}
	if d := without.OS.Now.Sub(by.OS.Now); d < -time.Minute || d > time.Minute {
		t.Errorf("the clock is %s off", d)
	}
	for _, s := range []*everything{&by, &without} {
		s.OS.Boot, s.OS.Now, s.OS.Asked, s.OS.Via = time.Time{}, time.Time{}, time.Time{}, ""
		_, offset := time.Unix(0, 0).In(s.OS.Zone).Zone()
		s.OS.Zone = time.FixedZone("", offset)
	}
	if diff := cmp.Diff(by, without, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })); diff != "" {
		t.Errorf("with WMI and without:\n%s", diff)
	}
	if !by.None || by.One.State != windows.Running || len(by.Updates) == 0 || len(by.Disks) != 2 || by.Arch != "x64" || by.Install == "" || by.NET20 == 0 || len(by.Roles) == 0 || by.Page == 0 {
		t.Errorf("too little was read at all: %+v", by)
	}
}

// nounsWithout are the nouns that were read without WMI.
func nounsWithout(h *windows.Host) (nouns []string) {
	for _, line := range h.Without() {
		noun, _, _ := strings.Cut(line, " without WMI: ")
		nouns = append(nouns, noun)
	}
	return nouns
}

var allNouns = []string{"computer", "disks", "processes", "registry", "roles", "services", "system", "updates"}

// TestEverythingIsReadWithoutWMI: the second way says what WMI said, in every
// language, whatever is wrong with WMI, from the beginning or in between; it says
// that it was taken, and WMI is asked again when it answers.
func TestEverythingIsReadWithoutWMI(t *testing.T) {
	t.Parallel()
	for _, c := range oldHosts {
		for _, fault := range []twin.Fault{{Name: "wmi-stopped"}, {Name: "wmi-damaged"}, {Name: "wmi-damaged", At: "empty"}} {
			t.Run(strings.Join([]string{c.os, c.winrm, c.language, fault.Name, fault.At}, " "), func(t *testing.T) {
				t.Parallel()
				fault.Host, fault.Lasts = "MBX1", 10*time.Hour // of the twin's time
				port, fleet := startFleet(t, func(o *twin.Options) {
					o.Servers[0].OS = c.os
					o.Platforms = map[string]twin.Platform{"MBX1": {OS: c.os, WinRM: c.winrm, Language: c.language, LoggedOn: []string{`LAB\ann`}}}
				})
				h := dialled(t, port)
				if c.os == "2008" {
					if err := h.SetStartMode(t.Context(), "RemoteRegistry", windows.StartDelayed); err != nil {
						t.Fatal(err)
					}
				}
				by := seenBy(t, h)
				if said := h.Without(); len(said) != 0 {
					t.Errorf("with WMI: %q", said)
				}
				if err := fleet.Inject(fault); err != nil {
					t.Fatal(err)
				}
				begun := dialled(t, port) // which never saw WMI answer
				for what, h := range map[string]*windows.Host{"in between": h, "from the beginning": begun} {
					t.Log(what)
					same(t, by, seenBy(t, h))
					if diff := cmp.Diff(allNouns, nounsWithout(h)); diff != "" {
						t.Errorf("%s:\n%s", what, diff)
					}
				}
				if fault.Name != "wmi-stopped" {
					return
				}
				if err := h.SetStartMode(t.Context(), "winmgmt", windows.StartAuto); err != nil {
					t.Fatal(err)
				}
				if err := h.StartService(t.Context(), "winmgmt"); err != nil {
					t.Fatal(err)
				}
				within(t, 10*time.Second, "WMI is asked again", func() bool {
					seenBy(t, h)
					return len(h.Without()) == 0
				})
			})
		}
	}
}

// TestAWMIThatHangsCostsOneDeadline: the question that hangs is answered the
// second way, the next ones do not wait, and after a while WMI is asked again.
func TestAWMIThatHangsCostsOneDeadline(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"", "unanswered"} {
		t.Run("at "+at, func(t *testing.T) {
			t.Parallel()
			port, fleet := startFleet(t, func(o *twin.Options) { o.Speed = 1 })
			h := dialledWithin(t, port, time.Second)
			h.RestWMI(time.Hour)
			if err := fleet.Inject(twin.Fault{Host: "MBX1", Name: "wmi-hangs", At: at}); err != nil {
				t.Fatal(err)
			}
			by := seenBy(t, dialled(t, startTwin(t, func(*twin.Options) {})))
			began := time.Now()
			without := seenBy(t, h)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s: each question waits", took)
			}
			if without.OS.Via != windows.ViaPrograms || !cmp.Equal(by.Roles, without.Roles) {
				t.Errorf("%+v", without)
			}
			if said := h.Without(); len(said) != len(allNouns) || !strings.Contains(said[0], "WMI hangs: ") {
				t.Errorf("said %q", said)
			}
			if err := h.SetDWORD(t.Context(), windows.LocalMachine, `SOFTWARE\Microsoft\Exchange\v8.0\MailboxRole`, "Action", 7); err != nil {
				t.Errorf("what WMI is not asked for is not written: %v", err)
			}
			again := h.Round()
			again.RestWMI(0) // it hangs once more, and is asked the next time
			if _, err := again.OS(t.Context()); err != nil || len(again.Without()) != 1 {
				t.Errorf("another round: %q, %v", again.Without(), err)
			}
		})
	}
}

// TestAChangeThatWMIHungOverIsNotMadeTwice: it may still come about.
func TestAChangeThatWMIHungOverIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	port, fleet := startFleet(t, func(o *twin.Options) { o.Speed = 1 })
	h := dialledWithin(t, port, time.Second)
	if err := fleet.Inject(twin.Fault{Host: "MBX1", Name: "wmi-hangs"}); err != nil {
		t.Fatal(err)
	}
	const key = `SOFTWARE\Microsoft\Exchange\v8.0\MailboxRole`
	if err := h.SetDWORD(t.Context(), windows.LocalMachine, key, "Action", 7); !errors.Is(err, winrm.ErrTimeout) {
		t.Errorf("a change that WMI hung over: %v", err)
	}
	if v, err := h.DWORDValue(t.Context(), windows.LocalMachine, key, "Action"); !errors.Is(err, windows.ErrNoKey) {
		t.Errorf("Action is %d, %v", v, err)
	}
}

// TestMarkersAreChangedWithoutWMI: Action and Watermark are deleted and put back
// exactly, nothing else is, and what is not there is said to be so.
func TestMarkersAreChangedWithoutWMI(t *testing.T) {
	t.Parallel()
	for _, c := range oldHosts {
		port, fleet := startFleet(t, func(o *twin.Options) {
			o.Servers[0].OS = c.os
			o.Platforms = map[string]twin.Platform{"MBX1": {OS: c.os, WinRM: c.winrm, Language: c.language}}
		})
		h, ctx := dialled(t, port), context.Background()
		const key = `SOFTWARE\Microsoft\Exchange\v8.0\MailboxRole`
		want := []windows.Marker{
			{Key: "MailboxRole", Name: "Action", Kind: "REG_SZ", Value: `Build "to" %PATH% ^& x`},
			{Key: "MailboxRole", Name: "Watermark", Kind: "REG_DWORD", Value: "4294967295"},
		}
		want[0].Value = `Build to %PATH% ^& x\` // reg.exe cannot be given a double quote
		if err := fleet.Inject(twin.Fault{Host: "MBX1", Name: "wmi-damaged"}); err != nil {
			t.Fatal(err)
		}
		for _, m := range want {
			if err := h.PutMarker(ctx, m); err != nil {
				t.Fatalf("%v: %v", c, err)
			}
		}
		got, err := h.Markers(ctx)
		if err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v:\n%s", c, diff)
		}
		for range 2 { // one that is not there is fine
			for _, m := range want {
				if err := h.DeleteMarker(ctx, m); err != nil {
					t.Errorf("%v: %v", c, err)
				}
			}
		}
		if got, err := h.Markers(ctx); err != nil || len(got) != 0 {
			t.Errorf("%v: %v, %v", c, got, err)
		}
		gone := want[0]
		gone.Key = "NoSuchRole"
		if err := h.PutMarker(ctx, gone); !errors.Is(err, windows.ErrNoKey) {
			t.Errorf("%v: into a key that is not there: %v", c, err)
		}
		if keys, err := h.Keys(ctx, windows.LocalMachine, `SOFTWARE\Microsoft\Exchange\v8.0`); err != nil || slices.Contains(keys, "NoSuchRole") {
			t.Errorf("%v: %v, %v", c, keys, err)
		}
		if v, err := h.DWORDValue(ctx, windows.LocalMachine, key, "ConfiguredVersion"); err == nil || errors.Is(err, windows.ErrNoKey) {
			t.Errorf("%v: a text was read as the number %d, %v", c, v, err)
		}
		for _, path := range []string{key + `\No\Such`, `SOFTWARE\No\Such\At\All`} {
			if _, err := h.Values(ctx, windows.LocalMachine, path); !errors.Is(err, windows.ErrNoKey) {
				t.Errorf("%v: %s: %v", c, path, err)
			}
		}
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

// TestFactsAreToldWithoutWMI: each as with it, and each says so; what only
// preflight wants is unknown, and says so, too.
func TestFactsAreToldWithoutWMI(t *testing.T) {
	t.Parallel()
	for _, c := range oldHosts {
		port, fleet := startFleet(t, func(o *twin.Options) {
			o.Servers[0].OS = c.os
			o.Platforms = map[string]twin.Platform{"MBX1": {OS: c.os, WinRM: c.winrm, Language: c.language}}
		})
		by, err := dialled(t, port).Facts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := fleet.Inject(twin.Fault{Host: "MBX1", Name: "wmi-damaged", At: "empty"}); err != nil {
			t.Fatal(err)
		}
		without, err := dialled(t, port).Facts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		roles := slices.Index(windows.FactNames(), "roles")
		for i, f := range without {
			if i > roles { // what only preflight wants is asked of WMI alone, and then says so
				if f.Name == "um_packs" || f.Name == "ad_site" { // the server has no such role; the row names no site
					continue
				}
				if f.Value != nil || !strings.HasSuffix(f.Source, " (WMI does not answer)") || by[i].Value == nil {
					t.Errorf("%v: %s: %v by %q, with WMI %v", c, f.Name, f.Value, f.Source, by[i].Value)
				}
				continue
			}
			if said := strings.HasSuffix(f.Source, " (without WMI)"); said != (f.Name != "winrm") || strings.Contains(by[i].Source, "without WMI") {
				t.Errorf("%v: %s comes from %q, and with WMI from %q", c, f.Name, f.Source, by[i].Source)
			}
			if slices.Contains([]string{"boot_time", "clock_offset_seconds", "disks", "hotfixes", "services"}, f.Name) { // told otherwise or moving: seenBy compares them
				if f.Value == nil {
					t.Errorf("%v: %s is not told", c, f.Name)
				}
				continue
			}
			if diff := cmp.Diff(by[i].Value, f.Value); diff != "" {
				t.Errorf("%v: %s:\n%s", c, f.Name, diff)
			}
		}
	}
}

// TestConstantsOfWMIAreNotProvenWithoutIt: what reg.exe says proves nothing about
// StdRegProv; what needs no WMI is asked all the same.
func TestConstantsOfWMIAreNotProvenWithoutIt(t *testing.T) {
	t.Parallel()
	port, fleet := startFleet(t, func(*twin.Options) {})
	if err := fleet.Inject(twin.Fault{Host: "MBX1", Name: "wmi-damaged"}); err != nil {
		t.Fatal(err)
	}
	checks, err := dialled(t, port).Constants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]windows.Verdict{}
	for _, c := range checks {
		got[c.Name] = c.Verdict
	}
	for name, want := range map[string]windows.Verdict{
		"wmi.stdregprov": windows.Unasked, "registry.processor": windows.Unasked, "wmi.os": windows.Unasked,
		"reg.query": windows.Holds, "sc.state": windows.Holds, "powershell.encodedcommand": windows.Holds,
	} {
		if got[name] != want {
			t.Errorf("%s %s without WMI, want %s", name, got[name], want)
		}
	}
}
