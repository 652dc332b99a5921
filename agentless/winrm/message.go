package winrm

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	mz "github.com/masterzen/winrm"
	"github.com/masterzen/winrm/soap"
)

const (
	shellResource = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
	shellSpace    = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
	anonymousRole = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
)

// blank is a place in a message that is filled in each time.
type blank string

const (
	blankTo      blank = "{to}"
	blankID      blank = "{id}"
	blankTimeout blank = "{timeout}"
	blankShell   blank = "{shell}"
	blankCommand blank = "{command}"
	blankPage    blank = "{page}"
	blankIdle    blank = "{idle}"
	blankConsole blank = "{console}"
	blankSkip    blank = "{skip}"
	blankBody    blank = "{body}" // XML, or base64
)

// form is a message of a shell as masterzen builds it, without its indentation,
// taken apart at its blanks. It is built once: building costs as much as the
// rest of a request.
type form struct {
	text   []string // one more than blanks
	blanks []blank
}

var (
	blankPattern = regexp.MustCompile(`\{[a-z]+\}`)
	indentation  = regexp.MustCompile(`>\s+<`)
	masterzensID = regexp.MustCompile(`(<a:MessageID[^>]*>)[^<]*`)
)

func newForm(m *soap.SoapMessage) *form {
	text := indentation.ReplaceAllString(strings.TrimSpace(m.String()), "><")
	text = masterzensID.ReplaceAllString(text, "${1}"+string(blankID))
	text = strings.ReplaceAll(text, base64.StdEncoding.EncodeToString([]byte(blankBody)), string(blankBody))
	f := &form{text: blankPattern.Split(text, -1)}
	for _, name := range blankPattern.FindAllString(text, -1) {
		f.blanks = append(f.blanks, blank(name))
	}
	return f
}

// values fill a form; what they hold is not escaped yet.
type values struct {
	shell, command, console, skip string
	page                          int
	idle                          time.Duration
	cmd                           Command // the body of Command
	data                          []byte  // the body of Send
}

// message is a form with its values.
type message struct {
	*form
	values
}

// appendTo writes the message for a connection.
func (m message) appendTo(b []byte, c *Conn) []byte {
	for i, name := range m.blanks {
		b = append(b, m.text[i]...)
		switch name {
		case blankTo:
			b = append(b, c.transport.url...)
		case blankID:
			b = appendMessageID(b)
		case blankTimeout:
			b = append(b, isoSeconds(c.told())...)
		case blankShell:
			b = append(b, escape(m.shell)...)
		case blankCommand:
			b = append(b, escape(m.command)...)
		case blankPage:
			b = strconv.AppendInt(b, int64(m.page), 10)
		case blankIdle:
			b = append(b, isoSeconds(m.idle)...)
		case blankConsole:
			b = append(b, m.console...)
		case blankSkip:
			b = append(b, m.skip...)
		case blankBody:
			b = m.appendBody(b)
		}
	}
	return append(b, m.text[len(m.text)-1]...)
}

func (m message) appendBody(b []byte) []byte {
	if m.form == theForms().command {
		b = append(append(append(b, "<rsp:Command>"...), escape(m.cmd.Line)...), "</rsp:Command>"...)
		for _, a := range m.cmd.Args {
			b = append(append(append(b, "<rsp:Arguments>"...), escape(a)...), "</rsp:Arguments>"...)
		}
		return b
	}
	return base64.StdEncoding.AppendEncode(b, m.data)
}

// formParams are masterzen's parameters of a form.
func formParams() *mz.Parameters { return mz.NewParameters(string(blankTimeout), locale, maxEnvelope) }

// shellHeader starts a message that masterzen builds wrongly: the same header
// as its own messages, with our action and options.
func shellHeader(action string) (*soap.SoapMessage, *soap.SoapHeader) {
	m := soap.NewMessage()
	h := m.Header().
		To(string(blankTo)).
		ReplyTo(anonymousRole).
		MaxEnvelopeSize(maxEnvelope).
		Id(string(blankID)).
		Locale(locale).
		Timeout(string(blankTimeout)).
		Action(action).
		ResourceURI(shellResource)
	return m, h
}

func newCreateForm(idle bool) *form {
	m, h := shellHeader("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create")
	h.AddOption(soap.NewHeaderOption("WINRS_NOPROFILE", "TRUE")).
		AddOption(soap.NewHeaderOption("WINRS_CODEPAGE", string(blankPage))).
		Build()
	body := m.CreateBodyElement("Shell", soap.DOM_NS_WIN_SHELL)
	if idle {
		m.CreateElement(body, "IdleTimeOut", soap.DOM_NS_WIN_SHELL).SetContent(string(blankIdle))
	}
	m.CreateElement(body, "InputStreams", soap.DOM_NS_WIN_SHELL).SetContent("stdin")
	m.CreateElement(body, "OutputStreams", soap.DOM_NS_WIN_SHELL).SetContent("stdout stderr")
	return newForm(m)
}

// forms are all messages of a shell; four of the six are masterzen's own.
type forms struct{ create, createIdle, command, receive, send, sendEnd, signal, remove *form }

var theForms = sync.OnceValue(func() forms {
	m, h := shellHeader(shellSpace + "/Command")
	h.ShellId(string(blankShell)).
		AddOption(soap.NewHeaderOption("WINRS_CONSOLEMODE_STDIN", string(blankConsole))).
		AddOption(soap.NewHeaderOption("WINRS_SKIP_CMD_SHELL", string(blankSkip))).
		Build()
	m.CreateBodyElement("CommandLine", soap.DOM_NS_WIN_SHELL).SetContent(string(blankBody))
	to, shell, command := string(blankTo), string(blankShell), string(blankCommand)
	return forms{
		create:     newCreateForm(false),
		createIdle: newCreateForm(true),
		command:    newForm(m),
		receive:    newForm(mz.NewGetOutputRequest(to, shell, command, "stdout stderr", formParams())),
		send:       newForm(mz.NewSendInputRequest(to, shell, command, []byte(blankBody), false, formParams())),
		sendEnd:    newForm(mz.NewSendInputRequest(to, shell, command, []byte(blankBody), true, formParams())),
		signal:     newForm(mz.NewSignalRequest(to, shell, command, formParams())),
		remove:     newForm(mz.NewDeleteShellRequest(to, shell, formParams())),
	}
})

// createMessage opens a shell in a code page. masterzen's has code page 65001
// fixed; the profile is not loaded, because a profile that is being unloaded
// makes Create fail with 2147943418 and nothing here needs one. The elements
// stand in the order of the schema (MS-WSMV 2.2.4.37); an idle of 0 leaves the
// idle time to the host.
func createMessage(codePage int, idle time.Duration) message {
	if idle == 0 {
		return message{theForms().create, values{page: codePage}}
	}
	return message{theForms().createIdle, values{page: codePage, idle: idle}}
}

// commandMessage starts a command. masterzen's puts the line into CDATA
// unescaped and always goes through cmd.exe.
func commandMessage(shell string, cmd Command) message {
	v := values{shell: shell, console: "TRUE", skip: "FALSE", cmd: cmd}
	if len(cmd.Stdin) > 0 {
		v.console = "FALSE" // data, not keys
	}
	if cmd.SkipShell {
		v.skip = "TRUE"
	}
	return message{theForms().command, v}
}

func receiveMessage(shell, command string) message {
	return message{theForms().receive, values{shell: shell, command: command}}
}

func sendMessage(shell, command string, data []byte, end bool) message {
	f := theForms().send
	if end {
		f = theForms().sendEnd
	}
	return message{f, values{shell: shell, command: command, data: data}}
}

func signalMessage(shell, command string) message {
	return message{theForms().signal, values{shell: shell, command: command}}
}

func deleteMessage(shell string) message {
	return message{theForms().remove, values{shell: shell}}
}
