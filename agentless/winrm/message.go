package winrm

import (
	"strconv"
	"time"

	mz "github.com/masterzen/winrm"
	"github.com/masterzen/winrm/soap"
)

const (
	shellResource = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
	shellSpace    = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
	anonymousRole = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
)

// shellHeader starts a message that masterzen builds wrongly: the same header
// as its own messages, with our action and options.
func (c *Conn) shellHeader(action string) (*soap.SoapMessage, *soap.SoapHeader) {
	m := soap.NewMessage()
	h := m.Header().
		To(c.transport.url).
		ReplyTo(anonymousRole).
		MaxEnvelopeSize(maxEnvelope).
		Id(messageID()).
		Locale(locale).
		Timeout(isoSeconds(c.told())).
		Action(action).
		ResourceURI(shellResource)
	return m, h
}

// createMessage opens a shell in a code page. masterzen's has code page 65001
// fixed; the profile is not loaded, because a profile that is being unloaded
// makes Create fail with 2147943418 and nothing here needs one. The elements
// stand in the order of the schema (MS-WSMV 2.2.4.37); an idle of 0 leaves the
// idle time to the host.
func (c *Conn) createMessage(codePage int, idle time.Duration) *soap.SoapMessage {
	m, h := c.shellHeader("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create")
	h.AddOption(soap.NewHeaderOption("WINRS_NOPROFILE", "TRUE")).
		AddOption(soap.NewHeaderOption("WINRS_CODEPAGE", strconv.Itoa(codePage))).
		Build()
	body := m.CreateBodyElement("Shell", soap.DOM_NS_WIN_SHELL)
	if idle > 0 {
		m.CreateElement(body, "IdleTimeOut", soap.DOM_NS_WIN_SHELL).SetContent(isoSeconds(idle))
	}
	m.CreateElement(body, "InputStreams", soap.DOM_NS_WIN_SHELL).SetContent("stdin")
	m.CreateElement(body, "OutputStreams", soap.DOM_NS_WIN_SHELL).SetContent("stdout stderr")
	return m
}

// commandMessage starts a command. masterzen's puts the line into CDATA
// unescaped and always goes through cmd.exe.
func (c *Conn) commandMessage(shell string, cmd Command) *soap.SoapMessage {
	m, h := c.shellHeader(shellSpace + "/Command")
	console, skip := "TRUE", "FALSE"
	if len(cmd.Stdin) > 0 {
		console = "FALSE" // data, not keys
	}
	if cmd.SkipShell {
		skip = "TRUE"
	}
	h.ShellId(escape(shell)).
		AddOption(soap.NewHeaderOption("WINRS_CONSOLEMODE_STDIN", console)).
		AddOption(soap.NewHeaderOption("WINRS_SKIP_CMD_SHELL", skip)).
		Build()
	body := m.CreateBodyElement("CommandLine", soap.DOM_NS_WIN_SHELL)
	m.CreateElement(body, "Command", soap.DOM_NS_WIN_SHELL).SetContent(escape(cmd.Line))
	for _, a := range cmd.Args {
		m.CreateElement(body, "Arguments", soap.DOM_NS_WIN_SHELL).SetContent(escape(a))
	}
	return m
}

// The other four messages of a shell are masterzen's.

func (c *Conn) receiveMessage(shell, command string) *soap.SoapMessage {
	return mz.NewGetOutputRequest(c.transport.url, escape(shell), escape(command), "stdout stderr", c.params())
}

func (c *Conn) sendMessage(shell, command string, data []byte, end bool) *soap.SoapMessage {
	return mz.NewSendInputRequest(c.transport.url, escape(shell), escape(command), data, end, c.params())
}

func (c *Conn) signalMessage(shell, command string) *soap.SoapMessage {
	return mz.NewSignalRequest(c.transport.url, escape(shell), escape(command), c.params())
}

func (c *Conn) deleteMessage(shell string) *soap.SoapMessage {
	return mz.NewDeleteShellRequest(c.transport.url, escape(shell), c.params())
}
