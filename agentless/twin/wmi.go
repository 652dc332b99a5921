package twin

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// property is one property of a WMI object; nil is null, []string an array,
// time.Time a datetime, the rest is written as it prints.
type property struct {
	name  string
	value any
}

// instance is a WMI object, properties by name as answers carry them.
type instance []property

// get finds a property without regard to case.
func (i instance) get(name string) (any, bool) {
	for _, p := range i {
		if strings.EqualFold(p.name, name) {
			return p.value, true
		}
	}
	return nil, false
}

// enumeration is what is left to pull.
type enumeration struct {
	items []string
	user  string
}

// item writes an object: whole objects in their class's namespace, chosen
// properties as a fragment without class and namespace (recorded on 2003).
func (i instance) item(class, namespace string, chosen bool) string {
	var b strings.Builder
	prefix, date := "p:", "cim:Datetime"
	if chosen {
		prefix, date = "", "Datetime"
		b.WriteString(`<w:XmlFragment xmlns:xsi="` + nsXSI + `" xmlns:w="` + nsWSMan + `">`)
	} else {
		fmt.Fprintf(&b, `<p:%s xmlns:xsi="%s" xmlns:p="%s%s/%s" xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xsi:type="p:%s_Type">`,
			class, nsXSI, wmiRoot, namespace, class, class)
	}
	for _, p := range i {
		name := prefix + p.name
		switch v := p.value.(type) {
		case nil:
			fmt.Fprintf(&b, `<%s xsi:nil="true"/>`, name)
		case []string:
			for _, one := range v {
				fmt.Fprintf(&b, `<%s>%s</%s>`, name, escape(one), name)
			}
			if len(v) == 0 {
				fmt.Fprintf(&b, `<%s xsi:nil="true"/>`, name)
			}
		case time.Time:
			fmt.Fprintf(&b, `<%s><%s>%s</%s></%s>`, name, date, v.Format("2006-01-02T15:04:05.999999Z07:00"), date, name)
		default:
			fmt.Fprintf(&b, `<%s>%s</%s>`, name, escape(fmt.Sprint(v)), name)
		}
	}
	if chosen {
		b.WriteString(`</w:XmlFragment>`)
	} else {
		fmt.Fprintf(&b, `</p:%s>`, class)
	}
	return b.String()
}

// enumerate answers Enumerate with a WQL filter, or of a class by its URI.
func (h *host) enumerate(r *request, path string) (reply, *fault) {
	body := r.body.child("Enumerate")
	namespace, class := parentPath(path)
	q := &query{class: class}
	if filter := body.child("Filter"); filter != nil {
		if filter.attr("Dialect") != wqlDialect || class != "*" {
			return reply{}, faultFilter("The filter dialect is not supported. ")
		}
		var err error
		if q, err = parseWQL(filter.value()); err != nil {
			return reply{}, faultFilter("The WS-Management service cannot process the request. The WQL query is invalid. ")
		}
	}
	items, bad := h.query(namespace, q)
	if bad != nil {
		return reply{}, bad
	}
	e := &enumeration{items: items, user: r.user}
	a := reply{action: enumerating + "/EnumerateResponse", spaces: spaceN + spaceW}
	if body.child("OptimizeEnumeration") == nil {
		a.body = `<n:EnumerateResponse><n:EnumerationContext>` + h.keep(e) + `</n:EnumerationContext></n:EnumerateResponse>`
		return a, nil
	}
	batch, rest := e.take(body.child("MaxElements"), r.envelope)
	a.body = `<n:EnumerateResponse><n:EnumerationContext>` + h.keep(rest) + `</n:EnumerationContext><w:Items>` + batch + `</w:Items>` +
		endOf(rest, "w") + `</n:EnumerateResponse>`
	return a, nil
}

func (h *host) pull(r *request) (reply, *fault) {
	body := r.body.child("Pull")
	e := h.takeContext(r.user, body.child("EnumerationContext").value())
	if e == nil {
		return reply{}, faultContext()
	}
	batch, rest := e.take(body.child("MaxElements"), r.envelope)
	a := reply{action: enumerating + "/PullResponse", spaces: spaceN + spaceW}
	a.body = `<n:PullResponse>`
	if rest != nil {
		a.body += `<n:EnumerationContext>` + h.keep(rest) + `</n:EnumerationContext>`
	}
	a.body += `<n:Items>` + batch + `</n:Items>` + endOf(rest, "n") + `</n:PullResponse>`
	return a, nil
}

func (h *host) release(r *request) (reply, *fault) {
	if h.takeContext(r.user, r.body.child("Release").child("EnumerationContext").value()) == nil {
		return reply{}, faultContext()
	}
	return reply{action: enumerating + "/ReleaseResponse", spaces: spaceN + spaceW}, nil
}

// endOf marks the last answer; the recorded first answers have the mark in the
// WS-Management namespace, the pulled ones in that of enumeration.
func endOf(rest *enumeration, prefix string) string {
	if rest != nil {
		return ""
	}
	return "<" + prefix + ":EndOfSequence/>"
}

// take cuts off as many items as were asked for (one, when nothing was said;
// DSP0226 8.4) and as fit into an answer.
func (e *enumeration) take(asked *element, envelope int) (string, *enumeration) {
	n := 1
	if asked != nil {
		n = max(1, atoi(asked.value()))
	}
	var b strings.Builder
	i := 0
	for ; i < len(e.items) && i < n && (i == 0 || b.Len()+len(e.items[i]) < envelope-2048); i++ {
		b.WriteString(e.items[i])
	}
	if i == len(e.items) {
		return b.String(), nil
	}
	return b.String(), &enumeration{items: e.items[i:], user: e.user}
}

// keep remembers what is left and returns its context, "" when nothing is.
func (h *host) keep(e *enumeration) string {
	if e == nil {
		return ""
	}
	id := "uuid:" + newID()
	h.look(func() {
		if len(h.contexts) > 100 { // EnumerationTimeoutms would have ended them
			h.contexts = map[string]*enumeration{}
		}
		h.contexts[id] = e
	})
	return id
}

func (h *host) takeContext(user, id string) *enumeration {
	var e *enumeration
	h.look(func() {
		if e = h.contexts[id]; e != nil && e.user == user {
			delete(h.contexts, id)
		} else {
			e = nil
		}
	})
	return e
}

// get answers Get of one object by its key properties.
func (h *host) get(r *request, path string) (reply, *fault) {
	namespace, class := parentPath(path)
	class = className(class)
	var found instance
	bad := (*fault)(nil)
	h.look(func() {
		all, ok := h.instances(namespace, class)
		if !ok {
			bad = faultResource()
			return
		}
		for _, i := range all {
			fits := true
			for name, want := range r.selectors {
				if name == "__cimnamespace" {
					continue
				}
				v, has := i.get(name)
				fits = fits && has && v != nil && strings.EqualFold(fmt.Sprint(v), want)
			}
			if fits {
				found = i
				return
			}
		}
		bad = faultNotFound()
	})
	if bad != nil {
		return reply{}, bad
	}
	return reply{action: transfer + "/GetResponse", spaces: spaceX + spaceW + spaceP, body: found.item(class, namespace, false)}, nil
}

// query runs a query and writes its items.
func (h *host) query(namespace string, q *query) ([]string, *fault) {
	class := className(q.class)
	var items []string
	var bad *fault
	h.look(func() {
		all, ok := h.instances(namespace, class)
		if !ok {
			bad = faultFilter("The specified class does not exist in the given namespace. ")
			return
		}
		for _, i := range all {
			if q.where != nil {
				fits, err := q.where(i)
				if err != nil {
					bad = faultFilter("The WS-Management service cannot process the request. The WQL query is invalid. ")
					return
				}
				if !fits {
					continue
				}
			}
			if len(q.properties) > 0 {
				if i = i.only(q.properties); i == nil {
					bad = faultFilter("The WS-Management service cannot process the request. The WQL query is invalid. ")
					return
				}
			}
			items = append(items, i.item(class, namespace, len(q.properties) > 0))
		}
	})
	return items, bad
}

// only keeps the named properties in the object's own order, nil when one of
// them is unknown.
func (i instance) only(names []string) instance {
	want := map[string]bool{}
	for _, n := range names {
		if _, ok := i.get(n); !ok {
			return nil
		}
		want[strings.ToLower(n)] = true
	}
	kept := instance{}
	for _, p := range i {
		if want[strings.ToLower(p.name)] {
			kept = append(kept, p)
		}
	}
	return kept
}

// wmiStopped is the answer while the WMI service does not run, which happens
// during Setup; the code is WBEM_E_TRANSPORT_FAILURE's neighbour RPC_S_SERVER_UNAVAILABLE [K].
func (h *host) wmiStopped() *fault {
	var bad *fault
	h.look(func() {
		if s := h.service("winmgmt"); s != nil && s.State != running {
			bad = &fault{
				subcode: "w:InternalError", code: 2147944122, text: "The RPC server is unavailable. ",
				provider: "WMI Provider", path: `%systemroot%\system32\WsmWmiPl.dll`,
			}
		}
	})
	return bad
}

// parentPath splits "root/cimv2/win32_service" into namespace and class.
func parentPath(path string) (string, string) {
	i := strings.LastIndex(path, "/")
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// atoi reads a whole number, 0 when it is none.
func atoi(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return 0
	}
	return n
}
