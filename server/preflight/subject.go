package preflight

import (
	"time"

	"wavekeeper/server/exchange"
)

// The kinds of packages that rules apply to. PrepareOrganization is the
// preparation of schema, organization and domains for a service pack: no
// package of the catalogue, but a plan of its own.
const (
	ServicePack         = string(exchange.ServicePack)
	Rollup              = string(exchange.Rollup)
	PrepareOrganization = "organization"
)

// Subject is everything that a judgement rests on.
type Subject struct {
	Server  exchange.Server
	Servers []exchange.Server         // all clustered mailbox servers of the node's cluster; empty for a standalone server
	Node    string                    // the node that is judged; "" for a standalone server
	Nodes   map[string]exchange.Build // lowest configured build of each node of the cluster, where it was read
	Package exchange.Package
	Then    *exchange.Package // the plan's second package

	Organizing   bool // the package is not installed: the organization is prepared for it on this host
	Media        Media
	Canary       Canary
	Facts        Facts
	Organization Organization
	Fleet        Fleet
	Policy       Policy
	Prepared     bool     // the organization is recorded as prepared for the package
	OwnSetup     bool     // this upgrade's own Setup broke and resumes
	Unread       bool     // the host was not asked anew: the judgement rests on stored facts alone
	Ahead        bool     // no upgrade is at this: what its own steps bring about before Setup is only noted
	RemovesPacks bool     // the runbook takes Unified Messaging language packs out and brings them back in
	Controller   string   // the domain controller that Setup is told to use; "" = none
	WithoutWMI   []string // what had to be read without WMI, in words; empty = WMI answers
	Unreadable   []string // facts that were told and not understood, in words
	Waived       []string // rules that a person waived for this server
	Now          time.Time
}

// Kind is what the subject's package is to the rules.
func (s Subject) Kind() string {
	if s.Organizing {
		return PrepareOrganization
	}
	return string(s.Package.Kind)
}

// Clustered reports whether the subject is a node of a cluster.
func (s Subject) Clustered() bool { return s.Server.Cluster != exchange.Standalone }

// Media is the package's media on the host: what it is registered as, and what
// comparing it came to.
type Media struct {
	Language string // culture; "" = not compared
	Arch     string
	Folder   string
	Packs    Told[[]string] // cultures of the Unified Messaging language packs in it
	Compared bool           // a host task compared it
	Right    bool           // and it is the registered one
	Absent   bool           // it is not there, and the step stage brings it
	Text     string         // otherwise: what it is
	Evidence string
	Remedy   string
}

// Canary is what a host task showed under the run-as account.
type Canary struct {
	Ran      bool   // it was tried
	Trouble  string // why it showed nothing; "" = it did
	Remedy   string
	Account  string // whom the task was given to
	User     string // who it was
	SIDs     []string
	Elevated bool
	Hive     string // .DEFAULT, or the account's SID
	LDAP     string // "ok" or "error ..."
}

// Fleet is what is known of the other servers.
type Fleet struct {
	Known         bool
	PublicFolders []string // servers that hold a public-folder database
	InWork        []string // hosts, by name or FQDN, on which an upgrade is under way
	Hosts         []string // of a node: all hosts that are known, by name
}
