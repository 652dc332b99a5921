package twin_test

import (
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

func TestShellRunsCommands(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	for _, tc := range []struct{ line, exit, out, err string }{
		{"hostname", "0", "cas1\r\n", ""},
		{"echo hello world", "0", "hello world\r\n", ""},
		{"exit 7", "7", "", ""},
		{"exit /b 300", "300", "", ""},
		{"echo a& echo b", "0", "a\r\nb\r\n", ""},
		{"nosuch arg", "1", "", "'nosuch' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"},
		{"nosuch 2>nul || echo no", "0", "no\r\n", ""},
		{"whoami", "0", "cas1\\wkadmin\r\n", ""},
		{"ver", "0", "\r\nMicrosoft Windows [Version 5.2.3790]\r\n", ""},
		{`if exist "%windir%\Tasks\none.job" (exit 0) else (exit 1)`, "1", "", ""},
		{`if exist "%windir%\Tasks" (exit 0) else (exit 1)`, "0", "", ""},
		{"echo caf\u00e9", "0", "caf\x82\r\n", ""}, // code page 437
		{"rd /s /q C:\\nosuch", "2", "", "The system cannot find the file specified.\r\n"},
		{"echo one two|find \"two\"", "0", "one two\r\n", ""},
		{`cmd /c exit 5`, "5", "", ""},
		{`type C:\none.txt`, "1", "", "The system cannot find the file specified.\r\n"},
	} {
		exit, out, errs := c.run(tc.line)
		if exit != tc.exit || out != tc.out || errs != tc.err {
			t.Errorf("run(%q) = %s, %q, %q; want %s, %q, %q", tc.line, exit, out, errs, tc.exit, tc.out, tc.err)
		}
	}
}

// TestAShellIdlesAsLongAsItsClientAskedFor, but no shorter than a minute and no
// longer than the host lets it.
func TestAShellIdlesAsLongAsItsClientAskedFor(t *testing.T) {
	t.Parallel()
	const create, minute = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", time.Second // at this speed
	ask := func(idle string) string {
		return `<rsp:Shell><rsp:IdleTimeOut>` + idle + `</rsp:IdleTimeOut></rsp:Shell>`
	}
	for idle, want := range map[string]time.Duration{"PT60S": minute, "PT1S": minute, "PT90.5S": 90500 * time.Millisecond / 60, "PT1H": 3 * minute, "": 3 * minute} {
		t.Run(idle, func(t *testing.T) {
			t.Parallel()
			s := server(t, "cas1", "CAS")
			start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000, ShellSpeed: 60})
			c := dial(t, s)
			body := ask(idle)
			if idle == "" {
				body = `<rsp:Shell/>`
			}
			began := time.Now()
			for range 5 {
				if status, n := c.ask(create, shellURI+"/cmd", "", "", body); status != 200 {
					t.Fatal(status, code(n))
				}
			}
			for every := time.NewTicker(20 * time.Millisecond); ; <-every.C {
				if status, _ := c.ask(create, shellURI+"/cmd", "", "", body); status == 200 {
					break
				}
				if time.Since(began) > want+20*time.Second {
					t.Fatal("no shell ends")
				}
			}
			if took := time.Since(began); took < want {
				t.Errorf("a shell ended after %s, want %s", took, want)
			}
		})
	}
	for kindOf, body := range map[string]string{"2003 2.0 en-US": ask("60"), "2003 1.1 en-US": ask("PT60S")} {
		s := kind(t, "cas1", kindOf)
		start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
		if status, n := dial(t, s).ask(create, shellURI+"/cmd", "", "", body); status != 500 || code(n) != "2150858817" {
			t.Errorf("%s: %d %s, want a fault of the schema", kindOf, status, code(n))
		}
	}
}
