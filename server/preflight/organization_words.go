package preflight

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// serverRoles are the bits of msExchCurrentServerRoles, as the step that reads the
// organization takes them.
var serverRoles = []struct {
	bit   int
	words string
}{{2, "Mailbox"}, {4, "ClientAccess"}, {16, "UnifiedMessaging"}, {32, "HubTransport"}, {64, "EdgeTransport"}}

// roleWords names roles; a bit without a name stays a number.
func roleWords(roles int) string {
	var words []string
	for _, r := range serverRoles {
		if roles&r.bit != 0 {
			words, roles = append(words, r.words), roles&^r.bit
		}
	}
	if roles != 0 || len(words) == 0 {
		words = append(words, fmt.Sprintf("roles %d", roles))
	}
	return strings.Join(words, "+")
}

// OrganizationWords shows the value of an organization's fact in words; a value
// that is not of its shape as it stands.
func OrganizationWords(name string, value json.RawMessage) string {
	o, errs := ReadOrganization(map[string]Fact{name: {Value: value}})
	if len(errs) > 0 {
		return string(value)
	}
	switch name {
	case "domains":
		return eachWords(o.Domains.Value, func(d PreparedDomain) string {
			words := fmt.Sprintf("%s %d", d.Name, d.Version)
			if d.Version == 0 {
				words = d.Name + ", not prepared"
			}
			if d.Prepared2003 {
				words += " (has the groups of Exchange 2003)"
			}
			return words
		})
	case "schema_master":
		m := o.SchemaMaster.Value
		return fmt.Sprintf("%s in site %s of %s", m.Host, m.Site, m.Domain)
	case "exchange_2003":
		return eachWords(o.Exchange2003.Value, func(s OldServer) string {
			if !s.SP2 {
				return s.Name + " " + s.Version + ", without SP2"
			}
			return s.Name + " " + s.Version
		})
	case "exchange_2000":
		return eachWords(o.Exchange2000.Value, func(s OldServer) string { return s.Name + " " + s.Version })
	case "single_label":
		if o.SingleLabel.Value {
			return "yes"
		}
		return "no"
	case "cms":
		return eachWords(o.CMS.Value, func(c DirectoryCMS) string {
			return c.Name + " (" + c.Kind + " on " + strings.Join(c.Nodes, ", ") + ")"
		})
	case "display_templates":
		d := o.DisplayTemplates.Value
		return fmt.Sprintf("%d, SHA-256 %.12s", d.Count, d.SHA256)
	case "servers_2007":
		return eachWords(o.Servers2007.Value, func(s Server2007) string {
			return fmt.Sprintf("%s (%s, %s, site %s)", s.Name, roleWords(s.Roles), s.Serial, s.Site)
		})
	case "replication":
		r := o.Replication.Value
		if len(r.Behind) == 0 {
			return "every domain controller has the newest versions, looked at " + utcWords(r.CheckedAt)
		}
		return "behind: " + strings.Join(r.Behind, ", ") + "; looked at " + utcWords(r.CheckedAt)
	}
	return string(value)
}

func eachWords[T any](list []T, words func(T) string) string {
	if len(list) == 0 {
		return "none"
	}
	out := make([]string, 0, len(list))
	for _, one := range list {
		out = append(out, words(one))
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// utcWords shows a time of a fact as pages show times, with its zone; what is no
// time as it stands.
func utcWords(at string) string {
	if t, err := time.Parse(time.RFC3339, at); err == nil {
		return t.UTC().Format("2 Jan 2006, 15:04 UTC")
	}
	return at
}
