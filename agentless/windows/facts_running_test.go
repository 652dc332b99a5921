package windows_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
)

// TestRunningProgramsAndServicesAreFacts: every program with its session and
// start and without its command line; of a service the company of a program
// outside Windows' own folder, and who needs it.
func TestRunningProgramsAndServicesAreFacts(t *testing.T) {
	t.Parallel()
	for _, os := range []string{"2003", "2008"} {
		h, ctx := hostWith(t, func(o *twin.Options) {
			o.Servers[0].OS = os
			o.Servers[0].Services = []string{"ScanMail_Master"}
			o.Platforms = map[string]twin.Platform{"MBX1": {OS: os, LoggedOn: []string{`LAB\ann`}}}
		}), t.Context()
		facts, err := h.Facts(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var programs []windows.ProcessFact
		services := map[string]windows.ServiceFact{}
		for _, f := range facts {
			switch value := f.Value.(type) {
			case []windows.ProcessFact:
				programs = value
				raw, err := json.Marshal(value)
				if err != nil || strings.Contains(string(raw), " -") || strings.Contains(string(raw), `\\`) {
					t.Errorf("%s: command lines or paths are in the fact: %s %v", os, raw, err)
				}
			case []windows.ServiceFact:
				for _, s := range value {
					services[s.Name] = s
				}
			}
		}
		desktop := slices.IndexFunc(programs, func(p windows.ProcessFact) bool { return p.Name == "explorer.exe" })
		if desktop < 0 || programs[desktop].ID == 0 || programs[desktop].Started == "" || os == "2008" && programs[desktop].Session == 0 {
			t.Errorf("%s: the desktop of who is logged on is not there as it runs: %+v", os, programs)
		}
		if s := services["MSExchangeIS"]; s.Account == "" || !strings.HasPrefix(s.Company, "Microsoft") || s.State != windows.Running {
			t.Errorf("%s: %+v", os, s)
		}
		if s := services["ScanMail_Master"]; s.Company == "" || strings.HasPrefix(s.Company, "Microsoft") {
			t.Errorf("%s: %+v", os, s)
		}
		if s := services["EventSystem"]; s.Company != "" {
			t.Errorf("%s: a program in Windows' own folder: %+v", os, s)
		}
		if s := services["MSExchangeADTopology"]; !slices.Contains(s.Dependants, "MSExchangeIS") && !slices.Contains(s.Dependants, "MSExchangeSA") {
			t.Errorf("%s: %+v", os, s)
		}
	}
}
