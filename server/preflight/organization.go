package preflight

// Organization is what is known of the organization: read by a host task on a
// host that the user names, or entered by hand. The names of the facts are
// those of OrganizationNames.
type Organization struct {
	Schema           Told[int]              // schema: rangeUpper of ms-Exch-Schema-Version-Pt
	Version          Told[int]              // organization: objectVersion of the organization's container
	Domains          Told[[]PreparedDomain] // domains
	SchemaMaster     Told[SchemaMaster]     // schema_master
	Exchange2003     Told[[]OldServer]      // exchange_2003
	Exchange2000     Told[[]OldServer]      // exchange_2000
	SingleLabel      Told[bool]             // single_label
	CMS              Told[[]DirectoryCMS]   // cms
	DisplayTemplates Told[DisplayTemplates] // display_templates
	Servers2007      Told[[]Server2007]     // servers_2007
	Replication      Told[Replication]      // replication

	ByHand map[string]string // facts that a person entered: by name, whose word it is
}

// ByHand begins the source of a fact of the organization that a person entered.
const ByHand = "entered by hand"

// PreparedDomain is one domain and how far it is prepared.
type PreparedDomain struct {
	Name         string `json:"name"`
	Version      int    `json:"version"`       // objectVersion of Microsoft Exchange System Objects; 0 = not prepared
	Prepared2003 bool   `json:"prepared_2003"` // the groups of an Exchange 2000 or 2003 DomainPrep are there
}

// SchemaMaster is the domain controller that holds the schema master's role.
type SchemaMaster struct {
	Host   string `json:"host"`
	Site   string `json:"site"`
	Domain string `json:"domain"`
}

// OldServer is a server of Exchange 2003 or 2000.
type OldServer struct {
	Name    string `json:"name"`
	Version string `json:"version"` // "6.5.7638.2"
	SP2     bool   `json:"sp2"`     // Exchange 2003 Service Pack 2 or later
}

// DirectoryCMS is a clustered mailbox server as the directory has it.
type DirectoryCMS struct {
	Name  string   `json:"name"`
	Kind  string   `json:"kind"` // CCR, SCC
	Nodes []string `json:"nodes"`
}

// DisplayTemplates is evidence of the address templates that Setup replaces.
type DisplayTemplates struct {
	Count  int    `json:"count"`
	SHA256 string `json:"sha256"`
}

// Server2007 is a server of Exchange 2007 as the directory has it.
type Server2007 struct {
	Name   string `json:"name"`
	Roles  int    `json:"roles"`  // msExchCurrentServerRoles
	Serial string `json:"serial"` // "Version 8.1 (Build 30240.6)"
	Site   string `json:"site"`
}

// Replication is whether every domain controller has the newest versions.
type Replication struct {
	CheckedAt string   `json:"checked_at"` // RFC 3339
	Behind    []string `json:"behind"`     // domain controllers that do not
}
