package preflight

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// organizationShapes say how a value that a person enters is written, by the
// fact's name.
var organizationShapes = map[string]string{
	"schema":            "a whole number, such as 11116",
	"organization":      "a whole number, such as 11221",
	"domains":           `a list, each with name and version, such as [{"name":"contoso.com","version":11221,"prepared_2003":false}]; version 0 = not prepared`,
	"schema_master":     `an object, such as {"host":"dc1.contoso.com","site":"Headquarters","domain":"contoso.com"}`,
	"exchange_2003":     `a list, such as [{"name":"OLD1","version":"6.5.7638.2","sp2":true}], or [] for none`,
	"exchange_2000":     `a list, such as [{"name":"OLD0","version":"6.0.6249.4","sp2":false}], or [] for none`,
	"single_label":      "true or false",
	"cms":               `a list, such as [{"name":"CMS1","kind":"CCR","nodes":["NODEA","NODEB"]}], or [] for none`,
	"display_templates": `an object, such as {"count":24,"sha256":"..."}`,
	"servers_2007":      `a list, such as [{"name":"MBX1","roles":2,"serial":"Version 8.1 (Build 30240.6)","site":"Headquarters"}]`,
	"replication":       `an object, such as {"checked_at":"2010-05-01T10:00:00Z","behind":[]}`,
}

// OrganizationShape says how a value of the fact is written; empty = there is no
// such fact.
func OrganizationShape(name string) string { return organizationShapes[name] }

// CheckOrganization refuses a value of an organization's fact that cannot be: the
// error says what is wrong, where in the value, and how it is written.
func CheckOrganization(name string, value json.RawMessage) error {
	shape, ok := organizationShapes[name]
	if !ok {
		return fmt.Errorf("there is no fact %q of an organization%s", name, exchange.Near(name, OrganizationNames(), "; the nearest is"))
	}
	if err := possible(name, value); err != nil {
		return fmt.Errorf("%s: %w; it is written as %s", name, err, shape)
	}
	return nil
}

// possible is CheckOrganization without the words around.
func possible(name string, value json.RawMessage) error {
	if string(bytes.TrimSpace(value)) == "null" {
		return errors.New("null says nothing: take the fact back instead")
	}
	o, errs := ReadOrganization(map[string]Fact{name: {Value: value}})
	if len(errs) > 0 {
		return plainly(value, errs[0])
	}
	switch name {
	case "schema":
		return between("the schema's version", o.Schema.Value, 4000, 99999)
	case "organization":
		return between("the organization's version", o.Version.Value, 4000, 99999)
	case "domains":
		if len(o.Domains.Value) == 0 {
			return errors.New("an organization has at least one domain")
		}
		return each(o.Domains.Value, func(d PreparedDomain) (string, error) {
			if !keyed(value, "name", "version") {
				return d.Name, errors.New("name and version are wanted of every domain")
			}
			if d.Version == 0 {
				return d.Name, nil
			}
			return d.Name, between("the version of "+d.Name, d.Version, 4000, 99999)
		})
	case "schema_master":
		if m := o.SchemaMaster.Value; m.Host == "" || m.Site == "" || m.Domain == "" {
			return errors.New("host, site and domain are wanted")
		}
	case "exchange_2003":
		return each(o.Exchange2003.Value, func(s OldServer) (string, error) { return s.Name, oldBuild(s, "6.5.") })
	case "exchange_2000":
		return each(o.Exchange2000.Value, func(s OldServer) (string, error) { return s.Name, oldBuild(s, "6.0.") })
	case "cms":
		return each(o.CMS.Value, func(c DirectoryCMS) (string, error) {
			if c.Kind != "CCR" && c.Kind != "SCC" {
				return c.Name, fmt.Errorf("%s: kind is CCR or SCC, not %q", c.Name, c.Kind)
			}
			if len(c.Nodes) == 0 {
				return c.Name, fmt.Errorf("%s has no nodes", c.Name)
			}
			return c.Name, nil
		})
	case "display_templates":
		return between("the count", o.DisplayTemplates.Value.Count, 0, 1<<20)
	case "servers_2007":
		return each(o.Servers2007.Value, func(s Server2007) (string, error) { return s.Name, between("roles of "+s.Name, s.Roles, 0, 1<<16) })
	case "replication":
		if _, err := time.Parse(time.RFC3339, o.Replication.Value.CheckedAt); err != nil {
			return fmt.Errorf("checked_at is no time: %q", o.Replication.Value.CheckedAt)
		}
	}
	return nil
}

// between refuses a number outside of what versions of Exchange ever were.
func between(what string, n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%s cannot be %d", what, n)
	}
	return nil
}

// each checks every element of a list, and that each has a name of its own.
func each[T any](list []T, check func(T) (name string, err error)) error {
	seen := map[string]bool{}
	for i, one := range list {
		name, err := check(one)
		low := strings.ToLower(strings.TrimSpace(name))
		switch {
		case low == "":
			return fmt.Errorf("entry %d has no name", i+1)
		case err != nil:
			return fmt.Errorf("entry %d: %w", i+1, err)
		case seen[low]:
			return fmt.Errorf("%s stands there twice", name)
		}
		seen[low] = true
	}
	return nil
}

// oldBuild refuses a version that no server of that generation has. SP2 of
// Exchange 2003 is build 7638 (KB158530).
func oldBuild(s OldServer, begins string) error {
	parts := strings.Split(s.Version, ".")
	for _, p := range parts {
		if n, err := strconv.Atoi(p); err != nil || n < 0 {
			parts = nil
		}
	}
	if len(parts) != 4 || !strings.HasPrefix(s.Version, begins) {
		return fmt.Errorf("the version of %s is %q, not one such as %s7638.2", s.Name, s.Version, begins)
	}
	if build, err := strconv.Atoi(parts[2]); err == nil && begins == "6.5." && (build >= 7638) != s.SP2 {
		return fmt.Errorf("%s: build %d and sp2 %t contradict each other: SP2 is build 7638", s.Name, build, s.SP2)
	}
	return nil
}

// keyed reports whether every object of a list has the keys.
func keyed(value json.RawMessage, keys ...string) bool {
	var list []map[string]json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		return false
	}
	for _, one := range list {
		for _, key := range keys {
			if _, ok := one[key]; !ok {
				return false
			}
		}
	}
	return true
}

// plainly says in words why a value could not be read.
func plainly(value json.RawMessage, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	const unknown = "json: unknown field "
	text := err.Error()
	switch i := strings.Index(text, unknown); {
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%s holds %s, which it cannot be", kind.Field, kindWords(kind.Value))
	case errors.As(err, &kind):
		return fmt.Errorf("%s is not what it can be", kindWords(kind.Value))
	case i >= 0:
		return fmt.Errorf("there is no %s in it", text[i+len(unknown):])
	case errors.As(err, &syntax):
		return fmt.Errorf("it is not written rightly at character %d", syntax.Offset)
	case !json.Valid(value):
		return errors.New("it does not come to its end, or something follows it")
	}
	return errors.New("it cannot be read")
}

// kindWords names a kind of JSON as the error has it: "number 1.5", "array".
func kindWords(kind string) string {
	kind, number, _ := strings.Cut(kind, " ")
	switch kind {
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "string":
		return "a text"
	case "number":
		if number != "" {
			return "the number " + number
		}
	}
	return "a " + kind
}
