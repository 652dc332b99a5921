package winrm

import (
	"encoding/xml"
	"sync"
)

// fleeting is memory for a tree that is read at once and not kept: a poll of a
// host task has four answers, and their trees were most of what it allocated.
type fleeting struct {
	scanner
	nodes  [32]node
	open   [12]open
	names  [48]xml.Attr
	scopes [16]scope
}

var fleetings = sync.Pool{New: func() any { return &fleeting{} }}

// briefly lets take read an answer, which is gone when it returns.
func briefly(status int, kind string, body []byte, take func(answer *node) error) error {
	f, ok := fleetings.Get().(*fleeting)
	if !ok {
		f = &fleeting{}
	}
	answer, _, err := answerBy(f.parse, status, kind, body)
	if err == nil {
		err = take(answer)
	}
	f.forget()
	fleetings.Put(f)
	return err
}

// parse is parse in that memory: the tree ends with forget, its texts do not.
func (f *fleeting) parse(data []byte) (*node, error) {
	f.scanner = scanner{slab: f.nodes[:], stack: f.open[:0], attrs: f.names[:0], scopes: f.scopes[:]}
	return f.read(data)
}

// forget ends the tree. What the elements held of others is used again.
func (f *fleeting) forget() {
	f.scanner = scanner{}
	for i := range f.nodes {
		kids := f.nodes[i].kids
		if clear(kids); cap(kids) > len(f.nodes) {
			kids = nil
		}
		f.nodes[i] = node{kids: kids[:0]}
	}
	clear(f.open[:])
	clear(f.names[:])
	clear(f.scopes[:])
}
