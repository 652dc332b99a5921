package windows_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

func TestConstantsSayHowSureTheyAreAndHowTheyAreAsked(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range windows.Constants() {
		if seen[c.Name] {
			t.Errorf("%s is there twice", c.Name)
		}
		seen[c.Name] = true
		if c.Value == "" || c.What == "" || c.Source == "" || c.Probe.At == "" && c.Probe.By != windows.ProbeIdentify || c.Probe.Words() == "" {
			t.Errorf("%s is not complete: %+v", c.Name, c)
		}
		if !slices.Contains(windows.Standings(), c.Standing) {
			t.Errorf("%s stands as %q", c.Name, c.Standing)
		}
		if strings.HasPrefix(c.Source, "general knowledge") && c.Standing != windows.Remembered {
			t.Errorf("%s is %s by general knowledge", c.Name, c.Standing)
		}
	}
	if len(seen) < 60 {
		t.Errorf("%d constants", len(seen))
	}
}

// What exchange knows of services and roles is in the list.
func TestEachServiceAndRoleOfExchangeIsAConstant(t *testing.T) {
	t.Parallel()
	known := map[string]windows.Constant{}
	for _, c := range windows.Constants() {
		known[c.Name] = c
	}
	for _, s := range exchange.Services(exchange.Roles()) {
		c, ok := known["service."+s.Name]
		if !ok {
			t.Errorf("service %s is no constant", s.Name)
		}
		for _, r := range s.Roles {
			if !slices.Contains(strings.Split(c.Needs.Role, "|"), r.RegistryKey()) {
				t.Errorf("service %s needs %s, and belongs to %s", s.Name, c.Needs.Role, r)
			}
		}
	}
	for _, r := range exchange.Roles() {
		if _, ok := known["registry.role."+r.RegistryKey()]; !ok {
			t.Errorf("key %s is no constant", r.RegistryKey())
		}
	}
}

// The simulated hosts are built from the same documents, so that nothing here
// proves a constant; it proves the questions, and that the simulation agrees.
func TestConstantsAreHeldAgainstAHostAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*twin.Options)
		moot   []string
	}{
		"2003": {func(*twin.Options) {}, []string{"scheduler.com", "schtasks.new", "registry.role.UnifiedMessagingRole", "registry.rebootrequired", "service.MpsSvc", "winrm.stack.2008"}},
		"2008": {func(o *twin.Options) { o.Servers[0].OS, o.Language = "2008", "de-DE" }, []string{"schtasks.old", "scheduler.folder", "service.SharedAccess", "winrm.stack.2003"}},
		"1.1":  {func(o *twin.Options) { o.WinRM, o.Language = "1.1", "ja-JP" }, nil},
		"roles": {func(o *twin.Options) {
			o.Servers[0].Roles = []exchange.Role{exchange.ClientAccess, exchange.HubTransport, exchange.UnifiedMessaging}
		}, []string{"service.MSExchangeIS", "registry.role.MailboxRole"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port, fleet := startFleet(t, c.change)
			before := inside(t, fleet)
			checks, err := dialled(t, port).Constants(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if after := inside(t, fleet); !reflect.DeepEqual(before, after) {
				t.Errorf("asking changed the host:\n%v\n%v", before, after)
			}
			if len(checks) != len(windows.Constants()) {
				t.Errorf("%d checks, want %d", len(checks), len(windows.Constants()))
			}
			moot := 0
			for _, k := range checks {
				switch {
				case k.Verdict == windows.Moot:
					moot++
				case k.Verdict != windows.Holds:
					t.Errorf("%s %s: %s", k.Name, k.Verdict, k.Found)
				}
				if slices.Contains(c.moot, k.Name) && k.Verdict != windows.Moot {
					t.Errorf("%s %s (%s), want moot", k.Name, k.Verdict, k.Found)
				}
				if k.At.IsZero() || k.Expected == "" || k.Found == "" {
					t.Errorf("check %+v is not complete", k)
				}
			}
			if moot > len(checks)/2 {
				t.Errorf("%d of %d are moot", moot, len(checks))
			}
		})
	}
}

// inside is all that the host holds, in an order of its own.
func inside(t *testing.T, fleet *twin.Fleet) twin.Inspection {
	t.Helper()
	in, err := fleet.Inspect("MBX1")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(in.Tasks)
	slices.Sort(in.Files)
	in.Programs = nil // shells come and go
	return in
}

func TestConstantThatIsNotSoIsSaid(t *testing.T) {
	t.Parallel()
	h := host(t)
	ctx := context.Background()
	if err := h.SetString(ctx, windows.LocalMachine, `SOFTWARE\Microsoft\Exchange\v8.0\AdminTools`, "ConfiguredVersion", "2007"); err != nil {
		t.Fatal(err)
	}
	if err := h.DeleteValue(ctx, windows.LocalMachine, `SOFTWARE\Microsoft\Exchange\v8.0\AdminTools`, "UnpackedVersion"); err != nil {
		t.Fatal(err)
	}
	checks, err := h.Constants(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range checks {
		if c.Verdict == windows.Differs {
			got[c.Name] = c.Found
		}
	}
	if want := map[string]string{"registry.configured": "2007", "registry.unpacked": "not there"}; !reflect.DeepEqual(got, want) {
		t.Errorf("differs: %v, want %v", got, want)
	}
}

// What stands as recorded stands in the recorded answers.
func TestRecordedConstantsStandInTheRecords(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..", "shared", "corpus", "wql")
	files, err := filepath.Glob(filepath.Join(root, "*", "Win32_*.xml"))
	if err != nil || len(files) == 0 {
		t.Skipf("no recorded answers in %s", root)
	}
	said := map[string]string{} // by class
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		class, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(f), "Win32_"), "_")
		said["Win32_"+class] += string(text)
	}
	recorded := 0
	for _, c := range windows.Constants() {
		if c.Standing != windows.Recorded {
			continue
		}
		recorded++
		class, word := c.Probe.At, ":"+c.Probe.Property+">"
		if c.Probe.By == windows.ProbeService {
			class, word = "Win32_Service", ":Name>"+c.Value+"<"
		}
		if !strings.Contains(strings.ToLower(said[class]), strings.ToLower(word)) && !strings.Contains(strings.ToLower(said[class]), strings.ToLower(strings.TrimPrefix(word, ":"))) {
			t.Errorf("%s is recorded, and no answer of %s holds %q", c.Name, class, word)
		}
	}
	if recorded < 10 {
		t.Errorf("%d recorded constants", recorded)
	}
}

// What UNPROVEN.md says a first contact settles is a constant.
func TestUnprovenNamesConstantsThatAreThere(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("UNPROVEN.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, c := range windows.Constants() {
		known[c.Name] = true
	}
	for _, m := range regexp.MustCompile(`explain: ((?:[a-z]+\.[A-Za-z0-9.]+(?:, )?)+)`).FindAllStringSubmatch(string(text), -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			if name != "" && !known[name] {
				t.Errorf("UNPROVEN.md names %s, which is no constant", name)
			}
		}
	}
}
