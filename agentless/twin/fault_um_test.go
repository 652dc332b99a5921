package twin_test

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// TestALanguagePackThatStays is taken out by the second Setup, not by the first:
// only that of the installed build is asked.
func TestALanguagePackThatStays(t *testing.T) {
	t.Parallel()
	s := server(t, "um1", "UM")
	s.UMLanguages = []string{"de-DE"}
	f, _ := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 20000, Faults: []twin.Fault{{Host: "*", Name: "um-pack-stays"}}})
	c := dial(t, s)
	for _, try := range []struct {
		task, want string
		there      bool
	}{{"wk-t-u1-um-out-de-de-a1", "1", true}, {"wk-t-u1-um-out-de-de-a2", "0", false}} {
		c.prepare(try.task, runAsArguments, `"C:\Program Files\Microsoft\Exchange Server\bin\Setup.com" /RemoveUmLanguagePack:de-DE >out.txt 2>&1`)
		c.start(try.task)
		if rc := c.result(try.task, 20*time.Second); rc != try.want {
			t.Errorf("%s ended with %s, want %s", try.task, rc, try.want)
		}
		in, err := f.Inspect("UM1")
		if err != nil {
			t.Fatal(err)
		}
		there := false
		for key := range in.Registry {
			there = there || strings.HasSuffix(key, `languagepacks\de-de`)
		}
		if there != try.there {
			t.Errorf("after %s the pack is there: %v", try.task, there)
		}
	}
	if _, log, _ := c.run(`type C:\ExchangeSetupLogs\ExchangeSetup.log`); !strings.Contains(log, "1612") {
		t.Errorf("the log does not say why: %s", log)
	}
}

// TestEnableUMServerThatDoesNothing has no complaint, and the server takes no
// calls until it is told again.
func TestEnableUMServerThatDoesNothing(t *testing.T) {
	t.Parallel()
	s := server(t, "um1", "UM")
	_, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 20000, Faults: []twin.Fault{{Host: "*", Name: "um-stays-disabled"}}})
	h := host(t, s)
	for n, c := range []struct {
		verb    string
		changes int
	}{{"disable-um", 1}, {"enable-um", 1}, {"enable-um", 2}} {
		task, err := windows.ScriptTask(windows.TaskName("t", int64(n+1), c.verb, 1), windows.ExchangeAct, runAs, runAsPass, c.verb, "UM1")
		if err != nil {
			t.Fatal(err)
		}
		if look := ranTask(t, h, task); look.Exit != 0 {
			t.Errorf("%s (%d) ended with %d", c.verb, n+1, look.Exit)
		}
		if got := len(truth.entries(t, "exchange-changed")); got != c.changes {
			t.Errorf("%d changes after %s (%d), want %d", got, c.verb, n+1, c.changes)
		}
	}
}
