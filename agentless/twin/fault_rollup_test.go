package twin_test

import (
	"bytes"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// patched installs a rollup with the product's own body as SYSTEM and returns the
// exit code and the log of Windows Installer.
func patched(t *testing.T, rollup []byte, change func(*exchange.Server), faults []twin.Fault, traits ...string) (int, string, *windows.Host) {
	t.Helper()
	s := server(t, "mbx1", "MBX")
	s.Build = exchange.Build{Major: 8, Minor: 1, Build: 240, Revision: 6}
	if change != nil {
		change(&s)
	}
	const folder = `C:\Wavekeeper\media\rollup`
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 3000, Rollups: map[string][]byte{folder: rollup}, Faults: faults, Traits: map[string][]string{"MBX1": traits}})
	h := host(t, s)
	const name = "wk-test-u1-rollup-a1"
	body, err := windows.RollupBody(windows.TaskFolder(name), folder+`\rollup.msp`, "")
	if err != nil {
		t.Fatal(err)
	}
	look := ranTask(t, h, windows.Task{Name: name, Body: body})
	chunk, err := h.ReadFile(t.Context(), windows.TaskFolder(name)+`\`+windows.RollupLog, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if chunk.Exists && !bytes.HasPrefix(chunk.Data, []byte{0xff, 0xfe}) {
		t.Errorf("the log is not UTF-16: %q", chunk.Data[:min(20, len(chunk.Data))])
	}
	return look.Exit, strings.ReplaceAll(string(chunk.Data), "\x00", ""), h
}

// TestWindowsInstallerEndsAsItDoes for every reason that the sources name.
func TestWindowsInstallerEndsAsItDoes(t *testing.T) {
	t.Parallel()
	right := twin.RollupBytes("sp1-ru8", "x64")
	for _, c := range []struct {
		words  string
		rollup []byte
		faults []twin.Fault
		traits []string
		exit   int
		log    string
	}{
		{"installed", right, nil, nil, 0, "installed successfully"},
		{"of 32 bit", twin.RollupBytes("sp1-ru8", "x86"), nil, nil, 1603, "not compatible with the version of Exchange Server 2007"},
		{"of another service pack", twin.RollupBytes("sp2-ru1", "x64"), nil, nil, 1642, "may update a different version"},
		{"no patch", []byte("MZ"), nil, nil, 1636, "not a valid Windows Installer patch package"},
		{"with Windows Management Framework 3.0", right, nil, []string{"wmf3"}, 1603, "Setup ended prematurely because of an error"},
		{"with an interim update", right, nil, []string{"interim-update"}, 1603, "interim update"},
		{"with a cached package gone", right, nil, []string{"patch-not-cached=Update Rollup 7 for Exchange Server 2007 Service Pack 1 (KB960384)"}, 1635, "Couldn't find local patch"},
		{"with a cached package lost meanwhile", right, []twin.Fault{{Host: "MBX1", Name: "cached-patch-lost"}}, nil, 1635, "-2147287038"},
		{"while another installs", right, []twin.Fault{{Host: "MBX1", Name: "installer-busy"}}, nil, 1618, ""},
		{"that fails", right, []twin.Fault{{Host: "MBX1", Name: "rollup-fails"}}, nil, 1603, "Return value 3"},
		{"that leaves services disabled", right, []twin.Fault{{Host: "MBX1", Name: "services-left-disabled"}}, nil, 0, "installed successfully"},
	} {
		t.Run(c.words, func(t *testing.T) {
			t.Parallel()
			exit, log, h := patched(t, c.rollup, nil, c.faults, c.traits...)
			if exit != c.exit || !strings.Contains(log, c.log) {
				t.Errorf("ended with %d, want %d with %q in its log:\n%s", exit, c.exit, c.log, log)
			}
			all, err := h.Services(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			store, _ := windows.FindService(all, "MSExchangeIS")
			if left := store.StartMode == windows.StartDisabled; left != (c.words == "that fails" || c.words == "that leaves services disabled") {
				t.Errorf("MSExchangeIS is %s", store.StartMode)
			}
		})
	}
}
