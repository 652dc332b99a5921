package winrm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	wmiRoot      = "http://schemas.microsoft.com/wbem/wsman/1/wmi/"
	enumeration  = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/"
	wqlDialect   = "http://schemas.microsoft.com/wbem/wsman/1/WQL"
	maxItems     = 100_000
	maxParts     = 4096
	maxEmpty     = 16   // parts in a row without an item
	itemsPerPart = 1000 // the envelope limit cuts earlier
)

// Enumerate runs a WQL query in a namespace such as "root/cimv2" and gives all
// objects. SELECT * and named properties come in different shapes on the wire
// and look the same here.
func (c *Conn) Enumerate(ctx context.Context, namespace, wql string) ([]Instance, error) {
	if err := errors.Join(writable("namespace", namespace), writable("query", wql)); err != nil {
		return nil, err
	}
	out, err := c.enumerate(ctx, wmiRoot+strings.Trim(namespace, "/")+"/*", wql)
	if err != nil {
		return nil, fmt.Errorf("query %s: %q: %w", c.cfg.Address, wql, err)
	}
	return out, nil
}

func (c *Conn) enumerate(ctx context.Context, resource, wql string) ([]Instance, error) {
	over := call{transport: c.transport, ctx: ctx}
	answer, total, err := c.ask(over, envelope{
		action: enumeration + "Enumerate", resource: resource,
		body: fmt.Sprintf(`<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>%d</w:MaxElements><w:Filter Dialect="%s">%s</w:Filter></n:Enumerate>`,
			itemsPerPart, wqlDialect, escape(wql)),
	})
	if err != nil {
		return nil, err
	}
	part := answer.child("Body").child("EnumerateResponse")
	if part == nil {
		return nil, fmt.Errorf("%w: no EnumerateResponse", errAnswer)
	}
	var out []Instance
	for parts, empty := 1, 0; ; parts++ {
		before := len(out)
		for _, item := range part.child("Items").all() {
			out = append(out, itemOf(item))
		}
		if empty++; len(out) > before {
			empty = 0
		}
		enumContext := part.child("EnumerationContext").words()
		if part.child("EndOfSequence") != nil || enumContext == "" {
			return out, nil
		}
		if err := tooMuch(len(out), total, parts, empty); err != nil {
			c.release(ctx, resource, enumContext)
			return nil, err
		}
		size := 0
		part, size, err = c.pull(ctx, resource, enumContext)
		if err != nil {
			c.release(ctx, resource, enumContext)
			return nil, err
		}
		total += size
	}
}

// tooMuch says which limit an enumeration reached that is not over.
func tooMuch(items, bytes, parts, empty int) error {
	switch {
	case items > maxItems:
		return &TooMuch{"objects", maxItems}
	case bytes > maxOperation:
		return &TooMuch{"bytes of answers", maxOperation}
	case parts >= maxParts:
		return &TooMuch{"parts", maxParts}
	case empty >= maxEmpty:
		return &TooMuch{"parts without an object, one after the other", maxEmpty}
	}
	return nil
}

// pull asks for the next part, again after the host's own time limit.
func (c *Conn) pull(ctx context.Context, resource, enumContext string) (*node, int, error) {
	message := envelope{
		action: enumeration + "Pull", resource: resource,
		body: fmt.Sprintf(`<n:Pull><n:EnumerationContext>%s</n:EnumerationContext><n:MaxElements>%d</n:MaxElements></n:Pull>`,
			escape(enumContext), itemsPerPart),
	}
	for wait := (pacer{}); ; {
		began := time.Now()
		answer, size, err := c.ask(call{transport: c.transport, ctx: ctx}, message)
		if code, _ := FaultCode(err); code == CodeTimedOut {
			if err := wait.after(ctx, time.Since(began)); err != nil {
				return nil, 0, err
			}
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		part := answer.child("Body").child("PullResponse")
		if part == nil {
			return nil, 0, fmt.Errorf("%w: no PullResponse", errAnswer)
		}
		return part, size, nil
	}
}

// release gives an unfinished enumeration back to the host. Its failure costs
// nothing but the host's own time limit.
func (c *Conn) release(ctx context.Context, resource, enumContext string) {
	lasting, cancel := grace(ctx, leaveTime, leaveTimeCancelled)
	defer cancel()
	// The enumeration times out by itself when this does not arrive.
	_, _, _ = c.ask(call{transport: c.transport, ctx: lasting}, envelope{
		action: enumeration + "Release", resource: resource,
		body: `<n:Release><n:EnumerationContext>` + escape(enumContext) + `</n:EnumerationContext></n:Release>`,
	})
}

// itemOf unwraps w:Item, which holds an object beside its reference.
func itemOf(n *node) Instance {
	if n.name.Local == "Item" && len(n.kids) > 0 {
		return instanceOf(n.kids[0])
	}
	return instanceOf(n)
}

func (n *node) all() []*node {
	if n == nil {
		return nil
	}
	return n.kids
}

// Param is one input of a method: no values is null, several are an array.
type Param struct {
	Name   string
	Values []string
}

// In makes a Param.
func In(name string, values ...string) Param { return Param{Name: name, Values: values} }

// Invoke calls a method of a WMI class such as "root/default/StdRegProv" or,
// with selectors, of one object, and gives its output with ReturnValue.
func (c *Conn) Invoke(ctx context.Context, resource string, selectors map[string]string, method string, in []Param) (Instance, error) {
	out, err := c.invoke(ctx, wmiRoot+strings.Trim(resource, "/"), selectors, method, in)
	if err != nil {
		return nil, fmt.Errorf("call %s of %s on %s: %w", method, resource, c.cfg.Address, err)
	}
	return out, nil
}

func (c *Conn) invoke(ctx context.Context, uri string, selectors map[string]string, method string, in []Param) (Instance, error) {
	if err := errors.Join(writable("resource", uri), xmlName(method)); err != nil {
		return nil, err
	}
	for name, value := range selectors {
		if err := errors.Join(writable("selector", name), writable("selector "+name, value)); err != nil {
			return nil, err
		}
	}
	var body strings.Builder
	body.WriteString("<p:" + method + "_INPUT>")
	for _, p := range in {
		if err := xmlName(p.Name); err != nil {
			return nil, err
		}
		if len(p.Values) == 0 {
			body.WriteString("<p:" + p.Name + ` xsi:nil="true"/>`)
		}
		for _, v := range p.Values {
			if err := writable("parameter "+p.Name, v); err != nil {
				return nil, err
			}
			body.WriteString("<p:" + p.Name + ">" + escape(v) + "</p:" + p.Name + ">")
		}
	}
	body.WriteString("</p:" + method + "_INPUT>")
	answer, _, err := c.ask(call{transport: c.transport, ctx: ctx}, envelope{
		action: uri + "/" + method, resource: uri, selectors: selectors, bodySpace: uri, body: body.String(),
	})
	if err != nil {
		return nil, err
	}
	out := answer.child("Body").child(method + "_OUTPUT")
	if out == nil {
		return nil, fmt.Errorf("%w: no %s_OUTPUT", errAnswer, method)
	}
	return instanceOf(out), nil
}

// xmlName refuses what cannot be a WMI method or parameter name.
func xmlName(s string) error {
	for i, r := range s {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return &Refused{Reason: fmt.Sprintf("%q is no WMI name", s)}
		}
	}
	if s == "" {
		return &Refused{Reason: "an empty WMI name"}
	}
	return nil
}
