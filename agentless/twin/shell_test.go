package twin_test

import (
	"testing"

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
