package twin_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// TestBatchFilesRunAsInCmd holds batch files, line by line, and what they print.
func TestBatchFilesRunAsInCmd(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	for _, tc := range []struct{ name, batch, exit, want string }{
		{"exit code", "exit /b 3", "3", ""},
		{"digit before redirection is a handle", "echo 0>rc.txt|type rc.txt|if exist rc.txt echo empty", "0", "ECHO is off.|empty|"},
		{"redirection in front", "set code=0|>rc.txt echo %code%|type rc.txt", "0", "0|"},
		{"blank keeps", "set code=0|echo %code% >rc.txt|type rc.txt", "0", "0 |"},
		{"md guard", `md "C:\g\started" 2>nul ^^ echo first|md "C:\g\started" 2>nul ~~ exit /b 0|echo twice`, "0", "first|"},
		{"errorlevel", "nosuch 2>nul|echo %ERRORLEVEL%|if errorlevel 9009 echo unknown", "0", "9009|unknown|"},
		{"cmd c errorlevel", "cmd /c exit 5|set code=%ERRORLEVEL%|echo [%code%]|if not %code%==0 echo bad", "0", "[5]|bad|"},
		{"set /a", "set /a x=0x23c00 ^| 0x200|set /a y=(x+1)*2|echo %x% %y%", "0", "146944 293890|"},
		{"set /a quoted", `set OLD=0x23c00|set /a NEW="%OLD% ! 0x200"|echo %NEW%`, "0", "146944|"},
		{"goto", "goto there|echo no|:there|echo yes", "0", "yes|"},
		{"call", "call :sub one two|echo %r%|exit /b 0|:sub|set r=%2-%1|goto :eof", "0", "two-one|"},
		{"block", "set a=1|if %a%==1 (|set a=2|echo %a%|) else (|echo else|)|echo %a%", "0", "1|2|"},
		{"else", "if defined nosuch (echo a) else (echo b)", "0", "b|"},
		{"if i", `if /i "ABC"=="abc" echo same`, "0", "same|"},
		{"numbers", "if 10 GTR 9 echo more", "0", "more|"},
		{"for set", "for %%a in (one two) do echo %%a", "0", "one|two|"},
		{"for l", "for /l %%i in (1,1,3) do echo %%i", "0", "1|2|3|"},
		{"for f reg", `for /f "tokens=3" %%a in ('reg query "HKLM\SOFTWARE\Microsoft\PowerShell\1" /v Install 2^>nul ^! find "REG_DWORD"') do set OLD=%%a|echo %OLD%`, "0", "0x1|"},
		{"for f none", `set OLD=|for /f "tokens=3" %%a in ('reg query "HKLM\SOFTWARE\None" /v X 2^>nul ^! find "REG_DWORD"') do set OLD=%%a|if not defined OLD echo absent`, "0", "absent|"},
		{"for f string", `for /f "tokens=1,2* delims=," %%a in ("x,y,z w") do echo %%b %%a %%c`, "0", "y x z w|"},
		{"set p", ">v.txt echo 0x23c00|set /p OLD=<v.txt|echo %OLD%", "0", "0x23c00|"},
		{"own path", "echo %~dp0 %~nx0", "0", `C:\t\ t.cmd|`},
		{"substring", "set s=abcdef|echo %s:~1,3% %s:cd=X%", "0", "bcd abXef|"},
		{"delayed", "setlocal enabledelayedexpansion|set a=1|if 1==1 (|set a=2|echo !!a!!|)", "0", "2|"},
		{"move over", ">a.txt echo new|>b.txt echo old|move /y a.txt b.txt >nul|type b.txt|if not exist a.txt echo gone", "0", "new|gone|"},
		{"caret", "echo a ^& b ^> c", "0", "a & b > c|"},
		{"both streams", "(echo out&nosuch) >o.txt 2>&1|find /c \"o\" o.txt", "0", "3|"},
		{"chained batch does not return", `>C:\t\other.cmd echo @echo other|C:\t\other.cmd|echo never`, "0", "other|"},
		{"dir", `md C:\d\x|>C:\d\f.txt echo 1|dir /b C:\d`, "0", "f.txt|x|"},
		{"and or", "ver >nul ^^ (echo and) ~~ (echo or)", "0", "and|"},
	} {
		text := strings.ReplaceAll(tc.batch, "^|", "\x00")
		text = strings.ReplaceAll(text, "|", "\r\n")
		text = strings.NewReplacer("\x00", "^|", "^^", "&&", "~~", "||", "^!", "^|", "! 0x200", "| 0x200", "!!", "!").Replace(text)
		c.script("folder-make", `C:\t`)
		c.write(`C:\t\t.cmd`, "@echo off", text)
		exit, out, errs := c.run(`cd /d C:\t&call C:\t\t.cmd`)
		if got := strings.ReplaceAll(out, "\r\n", "|"); exit != tc.exit || got != tc.want {
			t.Errorf("%s: %s %q, want %s %q (stderr %q)\n%s", tc.name, exit, got, tc.exit, tc.want, errs, text)
		}
	}
}

func TestBatchFilesDoNothingInCodePage65001(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	c.script("folder-make", `C:\t`)
	c.write(`C:\t\t.cmd`, "@echo ran", "exit /b 4")
	_, n := c.ask("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", shellURI+"/cmd", "",
		`<w:Option Name="WINRS_CODEPAGE">65001</w:Option>`, `<rsp:Shell/>`)
	shell := n.one("Selector")
	if exit, out, _ := c.output(shell, c.begin(shell, `C:\t\t.cmd`, false)); exit != "0" || len(out) != 0 {
		t.Errorf("batch file in 65001: %s %q", exit, out)
	}
}

func TestServicesTakeTimeAndHoldTheirDependants(t *testing.T) {
	t.Parallel()
	s := server(t, "mbx1", "MBX")
	_, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 50})
	c := dial(t, s)
	for _, tc := range []struct{ line, exit string }{
		{"sc.exe stop nosuch", "1060"},
		{"sc.exe stop MSExchangeSA", "1051"}, // the information store needs it
		{"sc.exe start MSExchangeIS", "1056"},
		{"sc.exe stop MSExchangeRepl", "0"},
		{"sc.exe stop MSExchangeRepl", "1061"}, // on its way
		{"sc.exe config MSExchangeRepl start= disabled", "0"},
	} {
		if exit, out, _ := c.run(tc.line); exit != tc.exit {
			t.Errorf("%s: %s, want %s\n%s", tc.line, exit, tc.exit, out)
		}
	}
	within(t, 5*time.Second, "MSExchangeRepl is stopped", func() bool { return len(truth.entries(t, "service-stopped")) == 1 })
	for _, tc := range []struct{ line, exit string }{
		{"sc.exe stop MSExchangeRepl", "1062"},
		{"sc.exe start MSExchangeRepl", "1058"},
		{"sc.exe config MSExchangeRepl start= auto", "0"},
		{"sc.exe start MSExchangeRepl", "0"},
	} {
		if exit, out, _ := c.run(tc.line); exit != tc.exit {
			t.Errorf("%s: %s, want %s\n%s", tc.line, exit, tc.exit, out)
		}
	}
	within(t, 5*time.Second, "MSExchangeRepl runs", func() bool { return len(truth.entries(t, "service-started")) == 1 })
}

func TestOnceTriggersReallyFire(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	_, truth := start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	var at time.Time
	within(t, 10*time.Second, "midnight is not near", func() bool {
		now := time.Now().UTC()
		at = now.Add(3 * time.Second)
		return at.Day() == now.Day()
	})
	if exit, _, errs := c.runWith(`schtasks.exe /create /tn fires /tr "cmd /c md C:\fired" /sc ONCE /st `+at.Format("15:04:05")+` /ru SYSTEM`, true); exit != "0" {
		t.Fatal(errs)
	}
	within(t, 10*time.Second, "the trigger fires", func() bool { return len(truth.entries(t, "task-ran")) == 1 })
	within(t, 5*time.Second, "its program ran", func() bool { exit, _, _ := c.run(`if exist C:\fired (exit 0) else (exit 1)`); return exit == "0" })
	if e := truth.entries(t, "task-ran")[0]; e.Detail["account"] != `NT AUTHORITY\SYSTEM` || e.Detail["name"] != "fires" {
		t.Errorf("task-ran: %v", e)
	}
}

func TestSmallThingsOfTheShell(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	for _, tc := range []struct{ line, exit, want string }{
		{"  echo   spaced   ", "0", "  spaced   \r\n"},
		{"type nul", "0", ""},
		{`copy nul C:\empty.txt >nul & dir /b C:\empty.txt`, "0", "empty.txt\r\n"},
		{`(echo b& echo a)>C:\l.txt & sort C:\l.txt`, "0", "a\r\nb\r\n"},
		{`sort /r C:\l.txt`, "0", "b\r\na\r\n"},
		{`sort C:\none.txt`, "1", ""},
		{"chcp", "0", "Active code page: 437\r\n"},
		{"chcp 850 >nul & chcp", "0", "Active code page: 850\r\n"},
		{"chcp 7", "1", ""},
	} {
		if exit, out, errs := c.run(tc.line); exit != tc.exit || out != tc.want {
			t.Errorf("%s: exit %s, %q %q, want %s and %q", tc.line, exit, out, errs, tc.exit, tc.want)
		}
	}
}

func TestSchtasksKnowsNoLaterSwitchAndNoStrayWord(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	const create = `schtasks.exe /create /tn a /sc ONCE /st 00:00:00 /ru SYSTEM /tr `
	for line, wrong := range map[string]string{
		create + `C:\setup.com /mode:Upgrade`: "/mode:Upgrade", create + `x /rl HIGHEST`: "/rl", create + `x y`: "y",
	} {
		if exit, _, errs := c.runWith(line, true); exit != "1" || !strings.Contains(errs, "Invalid argument/option - '"+wrong+"'") {
			t.Errorf("%s: exit %s, %s", line, exit, errs)
		}
	}
}

func TestObserverSeesCommandsBeforeAndEntriesAfter(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	var mu sync.Mutex
	var seen []string
	o := twin.Options{Servers: []exchange.Server{s}, Speed: 1000, Observe: func(o twin.Observation) {
		mu.Lock()
		defer mu.Unlock()
		line, _ := o.Detail["line"].(string)
		seen = append(seen, o.Host+" "+o.What+" "+line)
	}}
	start(t, o)
	c := dial(t, s)
	c.run(`reg add HKLM\SOFTWARE\Test /v A /d b /f`)
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(seen, "; "); got != `CAS1 command reg add HKLM\SOFTWARE\Test /v A /d b /f; CAS1 registry-changed ` {
		t.Errorf("seen: %s", got)
	}
}

func TestRunAsHiveIsLoadedOnlyWhileItsTaskRuns(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	const key = `\Software\Microsoft\Windows\CurrentVersion\WinTrust\Trust Providers\Software Publishing`
	c.prepare("hive", runAsArguments, `reg query "HKCU`+key+`" /v State >state.txt`, `reg query HKU >hives.txt`)
	c.start("hive")
	if rc := c.result("hive", 5*time.Second); rc != "0" {
		t.Fatal(rc)
	}
	_, inside, _ := c.run("type " + taskFolder("hive") + `\hives.txt`)
	_, outside, _ := c.run("reg query HKU")
	if n, m := strings.Count(inside, "S-1-5-21"), strings.Count(outside, "S-1-5-21"); n != m+1 {
		t.Errorf("hives inside %d, outside %d\n%s\n%s", n, m, inside, outside)
	}
	if _, state, _ := c.run("type " + taskFolder("hive") + `\state.txt`); !strings.Contains(state, "State\tREG_DWORD\t0x23c00") {
		t.Errorf("state: %q", state)
	}
}
