// Package exchange is what Exchange Server 2007 is: roles, builds, packages,
// services, the inventory format and the setup log. It is pure: no clock, no
// network, no disk, no database.
package exchange

import (
	"fmt"
	"strings"
)

// Role is a server role by the name that Microsoft's setup and cmdlets use.
type Role string

// The five roles of Exchange 2007, in the order of the default rule set.
const (
	ClientAccess     Role = "ClientAccess"
	HubTransport     Role = "HubTransport"
	Mailbox          Role = "Mailbox"
	UnifiedMessaging Role = "UnifiedMessaging"
	EdgeTransport    Role = "EdgeTransport"
)

// Roles lists all roles in the order of the default rule set.
func Roles() []Role {
	return []Role{ClientAccess, HubTransport, Mailbox, UnifiedMessaging, EdgeTransport}
}

var shortRoles = map[Role]string{
	ClientAccess: "CAS", HubTransport: "HT", Mailbox: "MBX", UnifiedMessaging: "UM", EdgeTransport: "ET",
}

// Short returns the role's short form: CAS, HT, MBX, UM or ET.
func (r Role) Short() string { return shortRoles[r] }

// ParseRole reads a role's name or short form, without regard to case.
func ParseRole(s string) (Role, error) {
	for _, r := range Roles() {
		if strings.EqualFold(s, string(r)) || strings.EqualFold(s, r.Short()) {
			return r, nil
		}
	}
	return "", fmt.Errorf("unknown role %q", s)
}
