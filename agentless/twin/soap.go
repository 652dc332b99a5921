package twin

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Namespaces and actions of WS-Management as Microsoft speaks it [MS-WSMV 2.2].
const (
	nsSOAP      = "http://www.w3.org/2003/05/soap-envelope"
	nsShell     = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
	nsWSMan     = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
	nsXSI       = "http://www.w3.org/2001/XMLSchema-instance"
	nsIdentity  = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
	transfer    = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
	enumerating = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
	anonymous   = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
	cmdShell    = nsShell + "/cmd"
	wmiRoot     = "http://schemas.microsoft.com/wbem/wsman/1/wmi/"
	wqlDialect  = "http://schemas.microsoft.com/wbem/wsman/1/WQL"
)

// maxEnvelope is MaxEnvelopeSizekb of WinRM 2.0 (150 KB) [MS-WSMV 2.2.4.10].
const maxEnvelope = 153600

// maxTimeout is MaxTimeoutms of WinRM 2.0 (60 s) [MS-WSMV 2.2.4.10].
const maxTimeout = 60 * time.Second

// element is a parsed XML element.
type element struct {
	space, name string
	attrs       []xml.Attr
	text        string
	children    []*element
}

// parseXML reads a document of bounded depth; entities beyond XML's own and
// document types are refused, as Windows does.
func parseXML(raw []byte) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(raw))
	var root *element
	var stack []*element
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("parse request: %w", err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			e := &element{space: t.Name.Space, name: t.Name.Local, attrs: t.Attr}
			if len(stack) == 0 {
				root = e
			} else {
				top := stack[len(stack)-1]
				top.children = append(top.children, e)
			}
			if stack = append(stack, e); len(stack) > 64 {
				return nil, errors.New("parse request: too deep")
			}
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text += string(t)
			}
		case xml.Directive:
			return nil, errors.New("parse request: document type")
		}
	}
	if root == nil {
		return nil, errors.New("parse request: empty")
	}
	return root, nil
}

// child returns the first child of that local name, or nil.
func (e *element) child(name string) *element {
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (e *element) all(name string) []*element {
	if e == nil {
		return nil
	}
	var found []*element
	for _, c := range e.children {
		if c.name == name {
			found = append(found, c)
		}
	}
	return found
}

// value is the element's text, or "" for no element.
func (e *element) value() string {
	if e == nil {
		return ""
	}
	return strings.TrimSpace(e.text)
}

func (e *element) attr(name string) string {
	if e == nil {
		return ""
	}
	for _, a := range e.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// request is a WS-Man request taken apart.
type request struct {
	action, messageID, resource string
	to                          string
	selectors                   map[string]string
	options                     map[string]string
	timeout                     time.Duration
	badTimeout                  bool
	envelope                    int
	body                        *element
	user                        string
	client                      string // address of the caller
	scheme                      string
}

// parseRequest reads a message, nil when it is no XML; answers are no longer
// than envelope.
func parseRequest(root *element, envelope int) (*request, error) {
	if root == nil || root.name != "Envelope" || root.space != nsSOAP {
		return nil, errors.New("parse request: not a SOAP 1.2 envelope")
	}
	head := root.child("Header")
	r := &request{
		action: head.child("Action").value(), messageID: head.child("MessageID").value(),
		resource: head.child("ResourceURI").value(), to: head.child("To").value(),
		selectors: map[string]string{}, options: map[string]string{},
		timeout: maxTimeout, envelope: envelope, body: root.child("Body"),
	}
	for _, s := range head.child("SelectorSet").all("Selector") {
		r.selectors[strings.ToLower(s.attr("Name"))] = s.value()
	}
	for _, o := range head.child("OptionSet").all("Option") {
		r.options[strings.ToUpper(o.attr("Name"))] = o.value()
	}
	if n, err := strconv.Atoi(head.child("MaxEnvelopeSize").value()); err == nil && n > 0 && n < envelope {
		r.envelope = n
	}
	if t := head.child("OperationTimeout"); t != nil {
		d, err := parseDuration(t.value())
		switch {
		case err != nil || d <= 0:
			r.badTimeout = true
		case d < maxTimeout:
			r.timeout = d
		}
	}
	return r, nil
}

// first returns the body's first element.
func (r *request) first() *element {
	if r.body == nil || len(r.body.children) == 0 {
		return nil
	}
	return r.body.children[0]
}

// parseDuration reads an xs:duration of days, hours, minutes and seconds.
func parseDuration(s string) (time.Duration, error) {
	rest, ok := strings.CutPrefix(s, "P")
	if !ok {
		return 0, fmt.Errorf("bad duration %q", s)
	}
	date, clock, _ := strings.Cut(rest, "T")
	var sum time.Duration
	read := func(part string, units map[byte]time.Duration) error {
		number := ""
		for i := 0; i < len(part); i++ {
			if c := part[i]; c >= '0' && c <= '9' || c == '.' {
				number += string(c)
				continue
			}
			unit, ok := units[part[i]]
			f, err := strconv.ParseFloat(number, 64)
			if !ok || err != nil {
				return fmt.Errorf("bad duration %q", s)
			}
			sum += time.Duration(f * float64(unit))
			number = ""
		}
		if number != "" {
			return fmt.Errorf("bad duration %q", s)
		}
		return nil
	}
	if err := read(date, map[byte]time.Duration{'D': 24 * time.Hour}); err != nil {
		return 0, err
	}
	if err := read(clock, map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second}); err != nil {
		return 0, err
	}
	return sum, nil
}

// escape makes text safe inside XML.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
	return b.String()
}

// newID is a GUID as Windows writes it.
func newID() string { return strings.ToUpper(uuid.NewString()) }

// reply is an answer's action, extra namespaces and body.
type reply struct {
	status int
	action string
	spaces string // further xmlns declarations of the envelope
	body   string
}

// The namespace declarations that the recorded answers carry, by kind of answer.
const (
	spaceX   = ` xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer"`
	spaceE   = ` xmlns:e="http://schemas.xmlsoap.org/ws/2004/08/eventing"`
	spaceN   = ` xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"`
	spaceW   = ` xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"`
	spaceRSP = ` xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"`
	spaceP   = ` xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"`
)

// envelope writes the answer as the recorded ones look.
func (a reply) envelope(relatesTo string) string {
	return `<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope"` +
		` xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"` + a.spaces +
		`><s:Header><a:Action>` + a.action + `</a:Action><a:MessageID>uuid:` + newID() + `</a:MessageID><a:To>` +
		anonymous + `</a:To><a:RelatesTo>` + escape(relatesTo) + `</a:RelatesTo></s:Header><s:Body>` +
		a.body + `</s:Body></s:Envelope>`
}
