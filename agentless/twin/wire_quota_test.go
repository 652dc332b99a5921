package twin_test

import (
	"fmt"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// The quotas of WinRM 1.1 and 2.0, each with its code (winrm.md 1.7, 2.2).
func TestQuotasOfEachVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]struct{ processes, operations int }{"2.0": {15, 15}, "1.1": {5, 100}} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			o := twin.Options{WinRM: version}
			for i := range 5 {
				o.Accounts = append(o.Accounts, twin.Account{Name: fmt.Sprint("admin", i), Password: "Pw-1", Admin: true})
			}
			c, f, _ := reached(t, "http,plain", o)
			create := func() string {
				_, n := c.ask("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", shellURI+"/cmd", "", "", "<rsp:Shell/>")
				return code(n)
			}
			command := func(shell, line string) string {
				_, n := c.ask(shellURI+"/Command", shellURI+"/cmd", shellSelector(shell), "",
					"<rsp:CommandLine><rsp:Command>"+line+"</rsp:Command></rsp:CommandLine>")
				return code(n)
			}
			// Processes of one shell: what waits for input runs.
			shell := c.open()
			for i := range want.processes {
				if got := command(shell, "more"); got != "" {
					t.Fatalf("process %d: %s", i+1, got)
				}
			}
			full := command(shell, "more")
			if want.operations == want.processes && full != "2150859174" || want.operations > want.processes && full != "2147944216" {
				t.Errorf("a process too many: %q", full)
			}
			c.close(shell)
			// Operations are given back with their shell only.
			shell = c.open()
			n := 0
			for ; n <= want.operations; n++ {
				id := ""
				status, a := c.ask(shellURI+"/Command", shellURI+"/cmd", shellSelector(shell), "",
					"<rsp:CommandLine><rsp:Command>ver</rsp:Command></rsp:CommandLine>")
				if id = a.one("CommandId"); status != 200 {
					if code(a) != "2150859174" {
						t.Errorf("operation %d: %s", n+1, code(a))
					}
					break
				}
				c.output(shell, id)
				c.ask(shellURI+"/Signal", shellURI+"/cmd", shellSelector(shell), "",
					`<rsp:Signal CommandId="`+id+`"><rsp:Code>`+shellURI+`/signal/terminate</rsp:Code></rsp:Signal>`)
			}
			if n != want.operations {
				t.Errorf("%d operations, want %d", n, want.operations)
			}
			c.close(shell)
			// Shells per user, users with shells.
			for i := range 5 {
				if got := create(); got != "" {
					t.Fatalf("shell %d: %s", i+1, got)
				}
			}
			if got := create(); got != "2150859173" {
				t.Errorf("shell 6: %q", got)
			}
			for i := range 5 {
				c.user, c.password = fmt.Sprint("admin", i), "Pw-1"
				if got := create(); (got == "") != (i < 4) || i == 4 && got != "2150859179" {
					t.Errorf("user %d: %q", i+2, got)
				}
			}
			load, err := f.Load("*")
			if err != nil || load.Shells != 9 || load.Connections < 1 {
				t.Errorf("%+v %v, want 9 shells", load, err)
			}
			c.http.CloseIdleConnections()
			within(t, 5e9, "the connections are closed", func() bool {
				load, err := f.Load("MBX1")
				return err == nil && load.Connections == 0
			})
		})
	}
}

func TestAnEnvelopeIsAtMost150KB(t *testing.T) {
	t.Parallel()
	fit := func(n int) string {
		m := message(shellURI+"/Send", shellURI+"/cmd", "", "", "")
		return strings.Replace(m, "<s:Body>", "<s:Body>"+strings.Repeat(" ", n-len(m)), 1)
	}
	for _, words := range []string{"http,plain", "http,ntlm"} {
		c, _, _ := reached(t, words, twin.Options{}, func(s *exchange.Server) {})
		if words == "http,ntlm" {
			c.byNTLM(winrmUser, password, nil)
		}
		for n, want := range map[int]int{153600: 500, 153601: 413, 400000: 413} { // 500 is a fault: it was read
			if status, _, err := c.post(fit(n)); err != nil || status != want {
				t.Errorf("%s, %d bytes: %d %v, want %d", words, n, status, err, want)
			}
		}
	}
}
