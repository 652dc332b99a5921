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

// values fill a form. The text must be escaped.
type values struct{ shell, command, page, idle, console, skip, body string }

// fill writes the form for this connection.
func (c *Conn) fill(f *form, v values) string {
	size := len(v.body) + 512
	for _, t := range f.text {
		size += len(t)
	}
	var b strings.Builder
	b.Grow(size)
	for i, name := range f.blanks {
		b.WriteString(f.text[i])
		switch name {
		case blankTo:
			b.WriteString(c.transport.url)
		case blankID:
			b.WriteString(messageID())
		case blankTimeout:
			b.WriteString(isoSeconds(c.told()))
		case blankShell:
			b.WriteString(v.shell)
		case blankCommand:
			b.WriteString(v.command)
		case blankPage:
			b.WriteString(v.page)
		case blankIdle:
			b.WriteString(v.idle)
		case blankConsole:
			b.WriteString(v.console)
		case blankSkip:
			b.WriteString(v.skip)
		case blankBody:
			b.WriteString(v.body)
		}
	}
	b.WriteString(f.text[len(f.text)-1])
	return b.String()
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
func (c *Conn) createMessage(codePage int, idle time.Duration) string {
	if idle == 0 {
		return c.fill(theForms().create, values{page: strconv.Itoa(codePage)})
	}
	return c.fill(theForms().createIdle, values{page: strconv.Itoa(codePage), idle: isoSeconds(idle)})
}

// commandMessage starts a command. masterzen's puts the line into CDATA
// unescaped and always goes through cmd.exe.
func (c *Conn) commandMessage(shell string, cmd Command) string {
	v := values{shell: escape(shell), console: "TRUE", skip: "FALSE"}
	if len(cmd.Stdin) > 0 {
		v.console = "FALSE" // data, not keys
	}
	if cmd.SkipShell {
		v.skip = "TRUE"
	}
	v.body = "<rsp:Command>" + escape(cmd.Line) + "</rsp:Command>"
	for _, a := range cmd.Args {
		v.body += "<rsp:Arguments>" + escape(a) + "</rsp:Arguments>"
	}
	return c.fill(theForms().command, v)
}

func (c *Conn) receiveMessage(shell, command string) string {
	return c.fill(theForms().receive, values{shell: escape(shell), command: escape(command)})
}

func (c *Conn) sendMessage(shell, command string, data []byte, end bool) string {
	f := theForms().send
	if end {
		f = theForms().sendEnd
	}
	return c.fill(f, values{shell: escape(shell), command: escape(command), body: base64.StdEncoding.EncodeToString(data)})
}

func (c *Conn) signalMessage(shell, command string) string {
	return c.fill(theForms().signal, values{shell: escape(shell), command: escape(command)})
}

func (c *Conn) deleteMessage(shell string) string {
	return c.fill(theForms().remove, values{shell: escape(shell)})
}
