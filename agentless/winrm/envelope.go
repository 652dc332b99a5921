package winrm

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"sync"
)

// envelope is a message that masterzen's builder cannot make: it knows no
// selector but ShellId and does not escape.
type envelope struct {
	action    string
	resource  string
	selectors map[string]string
	body      string // XML, already escaped; prefixes s, a, w, n, p and xsi are declared
	bodySpace string // namespace of prefix p in the body
}

// write gives the whole message.
func (e envelope) write(to, timeout string) string {
	var b strings.Builder
	b.WriteString(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:m="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Header><a:To>`)
	b.WriteString(escape(to))
	b.WriteString(`</a:To><a:ReplyTo><a:Address s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo><a:Action s:mustUnderstand="true">`)
	b.WriteString(escape(e.action))
	b.WriteString(`</a:Action><a:MessageID>`)
	b.Write(appendMessageID(nil))
	b.WriteString(`</a:MessageID><w:ResourceURI s:mustUnderstand="true">`)
	b.WriteString(escape(e.resource))
	b.WriteString(`</w:ResourceURI><w:MaxEnvelopeSize s:mustUnderstand="true">153600</w:MaxEnvelopeSize><w:OperationTimeout>`)
	b.WriteString(timeout)
	b.WriteString(`</w:OperationTimeout><w:Locale xml:lang="en-US" s:mustUnderstand="false"/><m:DataLocale xml:lang="en-US" s:mustUnderstand="false"/>`)
	if len(e.selectors) > 0 {
		names := make([]string, 0, len(e.selectors))
		for name := range e.selectors {
			names = append(names, name)
		}
		sort.Strings(names)
		b.WriteString(`<w:SelectorSet>`)
		for _, name := range names {
			b.WriteString(`<w:Selector Name="` + escape(name) + `">` + escape(e.selectors[name]) + `</w:Selector>`)
		}
		b.WriteString(`</w:SelectorSet>`)
	}
	b.WriteString(`</s:Header><s:Body`)
	if e.bodySpace != "" {
		b.WriteString(` xmlns:p="` + escape(e.bodySpace) + `"`)
	}
	b.WriteString(`>` + e.body + `</s:Body></s:Envelope>`)
	return b.String()
}

// appendMessageID writes a random UUID (version 4).
func appendMessageID(b []byte) []byte {
	const digits = "0123456789ABCDEF"
	var id [16]byte
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	b = append(b, "uuid:"...)
	for i, x := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = append(b, digits[x>>4], digits[x&15])
	}
	return b
}

// drafts are the buffers that messages are written in.
var drafts = sync.Pool{New: func() any {
	draft := make([]byte, 0, 2<<10)
	return &draft
}}

// largestDraft is what is kept of them.
const largestDraft = 64 << 10

// say sends one of a shell's messages; take gets what it needs out of the answer,
// which is gone when it returns.
func (c *Conn) say(ctx context.Context, m message, take func(answer *node) error) error {
	return c.tell(call{transport: c.transport, ctx: ctx, take: take}, m)
}

// heard takes nothing of an answer: it is enough that it is one.
func heard(*node) error { return nil }

// tell is say over a call that is made already.
func (c *Conn) tell(over call, m message) error {
	draft, ok := drafts.Get().(*[]byte)
	if !ok {
		draft = new([]byte)
	}
	*draft = m.appendTo((*draft)[:0], c)
	_, _, err := c.post(over, *draft)
	if cap(*draft) <= largestDraft {
		drafts.Put(draft)
	}
	return err
}

// longestEnvelope is what hosts take (MaxEnvelopeSizekb 150, the default of
// WinRM 1.1 and 2.0, MS-WSMV 2.2.4.10) less what sealing adds around it.
const longestEnvelope = maxEnvelope - 4<<10

// exchange sends an envelope and gives the parsed answer.
func (c *Conn) exchange(over call, text string) (*node, error) {
	answer, _, err := c.post(over, []byte(text))
	return answer, err
}

// post refuses what no host takes, and sends the rest. The envelope is not used
// any more when it returns.
func (c *Conn) post(over call, text []byte) (*node, []byte, error) {
	if len(text) > longestEnvelope {
		return nil, nil, &Refused{Reason: fmt.Sprintf("a message of %d bytes; hosts take %d", len(text), longestEnvelope)}
	}
	return over.post(text)
}

// ask is exchange for one of our own envelopes; size is the answer's.
func (c *Conn) ask(over call, e envelope) (answer *node, size int, err error) {
	answer, raw, err := c.post(over, []byte(e.write(c.transport.url, isoSeconds(c.told()))))
	return answer, len(raw), err
}
