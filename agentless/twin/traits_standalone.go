package twin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// standaloneTraits are what differs of hosts for the runbook of a standalone
// server: what Setup resets, what has to be drained, and what stands in its way.
var standaloneTraits = []trait{
	{name: "pop3-login", words: "POP3 and IMAP4 take passwords in the clear: pop3-login=PlainTextLogin (technet aa997154; before SP1 in the configuration files)", shape: func(h *host, login string) error {
		n := slices.Index(loginTypes, login)
		if n < 1 {
			return fmt.Errorf("%q is no login type", login)
		}
		for _, protocol := range []string{"Pop3", "Imap4"} {
			h.writeFile(h.popConfig(protocol), popFile(n))
		}
		if h.build().Minor > 0 { // in Active Directory from SP1 on
			h.acts().POP, h.acts().IMAP = login, login
		}
		return nil
	}},
	{name: "um-config", words: "somebody changed globcfg.xml of Unified Messaging, which Setup overwrites (the founding document): um-config=250", shape: func(h *host, calls string) error {
		f := h.fileAt(h.platform.installPath() + `bin\globcfg.xml`)
		if f == nil {
			return fmt.Errorf("there is no Unified Messaging here")
		}
		f.Data = []byte(strings.Replace(string(f.Data), "<MaxCalls>100<", "<MaxCalls>"+calls+"<", 1))
		return nil
	}},
	{name: "um-calls", words: "calls are in progress: um-calls=3", shape: func(h *host, n string) (err error) {
		h.acts().Calls, err = strconv.Atoi(n)
		return err
	}},
	{name: "queued-mail", words: "mail waits in the queues: queued-mail=400", shape: func(h *host, n string) (err error) {
		h.acts().Queue, err = strconv.Atoi(n)
		return err
	}},
	{name: "log-level", words: `an event-log level that is not the lowest: log-level=MSExchangeTransport\Categorizer:High`, shape: func(h *host, value string) error {
		source, level, _ := strings.Cut(value, ":")
		h.acts().Levels[source] = level
		return nil
	}},
	{name: "firewall-needed", words: "Setup cannot write the firewall's exceptions while its service is stopped (0x800706D9; the founding document and log 29 of the corpus)"},
	{name: "firewall-shuts-us-out", words: "a firewall that filters lets nobody reach WinRM"},
	{name: "patch-actions", words: "the administrator's own script that rollups from SP2 on call lies in Scripts\\Customization (Exchange team, June 2010)", shape: func(h *host, _ string) error {
		h.makeFolder(parent(h.patchActions()))
		h.writeFile(h.patchActions(), []byte("function PrePatchInstallActions { Stop-Service ScanMail_Master }\r\nfunction PostPatchInstallActions { Start-Service ScanMail_Master }\r\nfunction PatchRollbackActions { }\r\n"))
		return nil
	}},
	{name: "restart-wanted", words: "Setup leaves files that are renamed at the next start of Windows: a restart is wanted (KB935490 of rollups)"},
}
