package exchange

import "strings"

// ClusterType says how a server's Mailbox role is clustered.
type ClusterType string

// The cluster types of Exchange 2007; the empty string is a standalone server.
const (
	Standalone ClusterType = ""
	CCR        ClusterType = "CCR"
	SCC        ClusterType = "SCC"
)

// Node is one Windows machine of a cluster: its name and where WinRM answers.
type Node struct {
	Name    string
	Address string
	Port    int // 0 = the profile's default
}

// Server is one row of the inventory, normalized: name upper-cased, roles in
// the order of Roles, defaults filled in where the format has them.
// The format is described in the README, section "Inventory".
type Server struct {
	Name           string // upper case, unique without regard to case
	FQDN           string
	Roles          []Role
	Site           string // AD site; empty = the site without a name
	InternetFacing bool
	Build          Build  // zero = unknown
	OS             string // "2003", "2008", "2008R2" or "" = unknown
	Language       string // Exchange's installed language, a culture; default "en-US"
	Arch           string // "x64" (default) or "x86"
	Cluster        ClusterType
	Nodes          []Node // of a cluster; empty for a standalone server
	Address        string // where WinRM answers; default FQDN, else Name; empty for a cluster
	Port           int    // 0 = by profile: 5985 (http) or 5986 (https)
	Profile        string // default "default"
	Mailboxes      int
	UMLanguages    []string
	Services       []string // short names of third-party services
	Tags           []string
}

// HostFQDN is the full name of a host of the server: its own, or that of a
// cluster's node, which is in the domain of the clustered mailbox server. It is
// empty when that is not known.
func (s Server) HostFQDN(host string) string {
	if s.Cluster == Standalone {
		return s.FQDN
	}
	if _, domain, ok := strings.Cut(s.FQDN, "."); ok && domain != "" {
		return strings.ToLower(host) + "." + domain
	}
	return ""
}

// Has reports whether the server holds the role.
func (s Server) Has(r Role) bool {
	for _, have := range s.Roles {
		if have == r {
			return true
		}
	}
	return false
}
