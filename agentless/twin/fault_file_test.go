package twin_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

func TestAFileOfFaultsIsRead(t *testing.T) {
	t.Parallel()
	got, err := twin.ReadFaults(strings.NewReader(`{"faults":[
		{"host":"MBX1","fault":"power-loss","step":"setup","at":"phase:7","times":1,"lasts":"40m"},
		{"host":"*","fault":"clock-off","offset":"-5h"}
	]}`))
	want := []twin.Fault{
		{Host: "MBX1", Name: "power-loss", Step: "setup", At: "phase:7", Times: 1, Lasts: 40 * time.Minute},
		{Host: "*", Name: "clock-off", Offset: -5 * time.Hour},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("ReadFaults = %+v, %v, want %+v", got, err, want)
	}
}

func TestAFileOfFaultsIsReadStrictly(t *testing.T) {
	t.Parallel()
	one := func(text string) string { return `{"faults":[` + "\n" + text + "\n]}" }
	for text, want := range map[string][]string{
		one(`{"host":"A","fault":"power-los"}`):                                             {"line 2, fault 1", `unknown fault "power-los"`, `"power-loss"`},
		one(`{"host":"A","fault":"hang","stepp":"setup"}`):                                  {"line 2", `unknown field "stepp"`, `"step"`},
		one(`{"host":"A","fault":"hang","step":"set-up"}`):                                  {`unknown step "set-up"`, `"setup"`},
		one(`{"host":"A","fault":"hang","step":"xxxxxxx"}`):                                 {`unknown step "xxxxxxx"`, "known:", "put-back"},
		one(`{"host":"A","fault":"hang"},` + "\n" + `{"host":"A","fault":"hang","at":"7"}`): {"line 3, fault 2", `at "7"`},
		one(`{"host":"A","fault":"setup-fails","at":"phase:10"}`):                           {"1 to 9"},
		one(`{"host":"A","fault":"setup-fails","at":"request:1"}`):                          {`"request:1" cannot be used`, "known: phase"},
		one(`{"host":"A","fault":"hang","step":"verify","at":"phase:7"}`):                   {"a phase is in step setup"},
		one(`{"host":"A","fault":"setup-fails","step":"tidy"}`):                             {"Setup runs in step setup"},
		one(`{"host":"A","fault":"hang","lasts":40}`):                                       {"field lasts", `"40m"`},
		one(`{"host":"A","fault":"hang","lasts":"-1m"}`):                                    {"negative"},
		one(`{"host":"A","fault":"hang","offset":"1h"}`):                                    {"clock-off"},
		one(`{"fault":"hang"}`):                                                             {"host is missing"},
		`{"fault":[]}`:                                                                      {`unknown field "fault"`, `"faults"`},
		`{"faults":[`:                                                                       {"line 1"},
		`{"faults":[]} x`:                                                                   {"faults: line 1"},
		``:                                                                                  {"the file ends"},
	} {
		_, err := twin.ReadFaults(strings.NewReader(text))
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("ReadFaults(%s) = %v, want %q in it", text, err, w)
			}
		}
	}
}

// TestAFileOfFaultsKnowsItsHosts: with the fleet's hosts a file is judged whole
// before anything starts, and a slip in writing is found on its own line.
func TestAFileOfFaultsKnowsItsHosts(t *testing.T) {
	t.Parallel()
	text := "{\"faults\":[\n{\"host\":\"mbx1\",\"fault\":\"hang\"},\n{\"host\":\"*\",\"fault\":\"hang\"},\n{\"host\":\"MBX11\",\"fault\":\"hang\"}\n]}"
	_, err := twin.ReadFaults(strings.NewReader(text), "HT1", "MBX1")
	if err == nil || err.Error() != `faults: line 4, fault 3: no host named MBX11; the nearest known is "MBX1"` {
		t.Errorf("ReadFaults: %v", err)
	}
	_, err = twin.ReadFaults(strings.NewReader("{\"faults\":[\n{\"host\":\"A\",\n\"fault\" \"hang\"}\n]}"))
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("a missing colon on line 3: %v", err)
	}
}

func TestAFaultOfAnUnknownHostIsRefused(t *testing.T) {
	t.Parallel()
	o := twin.Options{Servers: []exchange.Server{server(t, "mbx1", "HT")}, User: winrmUser, Password: password}
	o.Faults = []twin.Fault{{Host: "mbx1", Name: "hang"}, {Host: "mbx11", Name: "hang"}}
	f, err := twin.Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "fault 2") || !strings.Contains(err.Error(), `"MBX1"`) {
		t.Errorf("Start: %v", err)
	}
	if err == nil {
		_ = f.Close()
	}
	o.Servers = []exchange.Server{server(t, "mbx1", "HT")}
	o.Faults = nil
	f, err = twin.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Inject(twin.Fault{Host: "mbx2", Name: "hang"}); err == nil {
		t.Error("Inject takes an unknown host")
	}
	if err := f.Inject(twin.Fault{Host: "mbx1", Name: "hangs"}); err == nil {
		t.Error("Inject takes an unknown fault")
	}
}

func TestWhatIsLeftOfAFaultOutlivesTheTwin(t *testing.T) {
	t.Parallel()
	s := server(t, "mbx1", "HT")
	o := twin.Options{
		Servers: []exchange.Server{s}, User: winrmUser, Password: password, StateDir: t.TempDir(), Speed: 600,
		Faults: []twin.Fault{{Host: "MBX1", Name: "unauthorized", Times: 3}},
	}
	refused := 0
	ask := func(c *client, n int) {
		t.Helper()
		for range n {
			status, _, err := c.post(message("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", shellURI+"/cmd", "", "", `<rsp:Shell/>`))
			if err != nil {
				t.Fatal(err)
			}
			if status == 401 {
				refused++
			}
		}
	}
	f, err := twin.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ask(dial(t, s), 2)
	if err := f.Inject(twin.Fault{Host: "MBX1", Name: "address-lost", Lasts: 20 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err = twin.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := dial(t, s)
	if _, _, err := c.post(identifyBody); err == nil {
		t.Error("the lost address came back with the twin")
	}
	c.answers(10 * time.Second)
	ask(c, 3)
	if refused != 3 {
		t.Errorf("%d requests were refused in all, want the 3 declared", refused)
	}
}

func TestEveryFaultIsDescribed(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("FAULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for _, line := range strings.Split(string(page), "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if name := strings.TrimSpace(cells[0]); strings.HasPrefix(line, "| `") && len(cells) == 5 {
			described[strings.Trim(name, "`")] = true
			for i, cell := range cells {
				if strings.TrimSpace(cell) == "" {
					t.Errorf("%s: cell %d is empty", name, i)
				}
			}
		}
	}
	for _, name := range twin.FaultNames() {
		if !described[name] {
			t.Errorf("FAULTS.md does not describe %s", name)
		}
		delete(described, name)
	}
	for name := range described {
		t.Errorf("FAULTS.md describes %s, which is no fault", name)
	}
}

// TestEveryFaultHasATest looks for each name in this package's tests.
func TestEveryFaultHasATest(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("fault*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	text := ""
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text += string(raw)
	}
	for _, name := range twin.FaultNames() {
		if !strings.Contains(text, fmt.Sprintf("Name: %q", name)) && !strings.Contains(text, fmt.Sprintf("%q: ", name)) {
			t.Errorf("no test declares %s", name)
		}
	}
}

// One fault for each step in one walk: each is met once, in its step.
func TestAFaultBeginsInItsStepOnly(t *testing.T) {
	t.Parallel()
	s := server(t, "multi1", "CAS+HT+UM")
	s.Services = []string{"ScanMail_Master"}
	var faults []twin.Fault
	for _, step := range twin.FaultSteps() {
		faults = append(faults, twin.Fault{Host: "*", Name: "connection-reset", Step: step})
	}
	w, truth := walkOf(t, s, 4000, map[string][]string{"MULTI1": {"forefront", "um-pack=de-DE", "restart-wanted"}}, faults...)
	w.disturbed, w.waived = true, []string{"forefront"}
	if ended := w.all("facts"); ended != "" {
		t.Fatal(ended)
	}
	met := map[string]int{}
	for _, hit := range truth.entries(t, "fault") {
		met[fmt.Sprint(hit.Detail["step"])]++
	}
	for _, step := range twin.FaultSteps() {
		if met[step] != 1 {
			t.Errorf("met %d times in %s; all: %v", met[step], step, met)
		}
	}
}
