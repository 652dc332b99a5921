package runbook

import (
	"fmt"
	"testing"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

func TestRulesKnowTheirServers(t *testing.T) {
	t.Parallel()
	edge := &Work{Server: exchange.Server{Roles: []exchange.Role{exchange.EdgeTransport}}}
	hub := &Work{Server: exchange.Server{Roles: []exchange.Role{exchange.HubTransport}}}
	um := &Work{Server: exchange.Server{Roles: []exchange.Role{exchange.UnifiedMessaging}, UMLanguages: []string{"de-DE"}}}
	alone := seen{canary: proved{Said: map[string]string{
		"user": `EDGE1\admin`, "sids": "S-1-1-0,S-1-5-32-544", "elevated": "1", "hkcu": "S-1-5-21-1", "ldap": "error x",
	}}}
	w2003 := func(drive string) seen {
		return seen{os: windows.OS{Version: "5.2.3790", ServicePack: 2, SystemDrive: drive}}
	}
	for name, c := range map[string]struct {
		check func(*Work, seen) verdict
		work  *Work
		seen  seen
		want  Severity
	}{
		"an Edge server that reaches no directory":   {ruleCanary, edge, alone, Pass},
		"another server that reaches no directory":   {ruleCanary, hub, alone, Blocker},
		"language packs that the registry hides":     {ruleLanguagePacks, um, seen{}, Warning},
		"no language pack but the one that stays":    {ruleLanguagePacks, um, seen{umPacks: []string{"en-US"}}, Pass},
		"a language pack that is in the way":         {ruleLanguagePacks, um, seen{umPacks: []string{"de-DE", "en-US"}}, Blocker},
		"no Unified Messaging":                       {ruleLanguagePacks, hub, seen{}, Pass},
		"Setup needs MSDTC at work":                  {ruleServices, um, seen{services: []windows.Service{{Name: "MSDTC", State: windows.Stopped, StartMode: windows.StartAuto}}}, Blocker},
		"MSDTC is at work":                           {ruleServices, um, seen{services: []windows.Service{{Name: "MSDTC", State: windows.Running, StartMode: windows.StartManual}}}, Pass},
		"Windows on drive C":                         {ruleWindows, hub, w2003("c:"), Pass},
		"Windows on another drive":                   {ruleWindows, hub, w2003("D:"), Blocker},
		"a late cumulative time zone update":         {ruleTimeZone, hub, seen{os: windows.OS{Version: "5.2.3790"}, hotfixes: []string{"KB2998527"}}, Pass},
		"no time zone update":                        {ruleTimeZone, hub, seen{os: windows.OS{Version: "5.2.3790"}, hotfixes: []string{"KB29985270"}}, Blocker},
		"a later Windows, which needs no such thing": {ruleTimeZone, hub, seen{os: windows.OS{Version: "6.0.6002"}}, Pass},
	} {
		if got := c.check(c.work, c.seen); got.severity != c.want {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
}

func TestAnAlgorithmThatThePolicyForbidsIsSaid(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]Kind{
		"System.InvalidOperationException 80131509": Failed,
		"System.IO.IOException 80070020":            Again,
	} {
		out, err := trouble("write", fmt.Errorf("x: %w", &windows.ScriptError{Script: "file-write", What: what}))
		if err != nil || out.Kind != want || (out.Remedy != "") != (want == Failed) {
			t.Errorf("%s: %+v, %v, want %s", what, out, err, want)
		}
	}
}

func TestAHiddenCommandLineMayBeATasks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p    windows.Process
		want bool
	}{
		{windows.Process{Name: "CMD.EXE"}, true},
		{windows.Process{Name: "cmd.exe", CommandLine: "cmd"}, false},
		{windows.Process{Name: "System"}, false},
	} {
		if got := unreadable([]windows.Process{c.p}); got != c.want {
			t.Errorf("unreadable(%+v) = %t", c.p, got)
		}
	}
}
