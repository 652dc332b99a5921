package windows

import (
	"slices"
	"strconv"
	"time"
)

// The facts that only an account of the domain can read: cmdlets of Exchange
// under the run-as account, and what an account meets when it looks for the
// revocation list, under the run-as account and as SYSTEM.

const (
	// ExchangeLook is the script that asks the cmdlets, a host task's.
	ExchangeLook = "exchange-look"
	// Canary is the script that says what an account can do, a host task's.
	Canary = "canary"
	// RevocationList is what Windows asks for when it checks the signatures of
	// Exchange's assemblies (KB944752).
	RevocationList = "http://crl.microsoft.com/pki/crl/products/CSPCA.crl"
	// RevocationWait is how long that may take: the CLR's own wait is 15 seconds.
	RevocationWait = 15 * time.Second
)

// exchangePart is one thing that exchange-look can be asked for: the facts that
// come of it, and the role that must be there; "" = any.
type exchangePart struct {
	name  string
	roles []string // as the registry's keys without Role; none = every server
	facts []string
	ask   string
	from  string
}

// exchangeLooks are the parts of exchange-look, in the order in which it is asked.
var exchangeLooks = []exchangePart{
	{"connectors", []string{"HubTransport", "EdgeTransport"}, []string{"receive_connectors"}, "Get-ReceiveConnector -Server: Fqdn, AuthMechanism, Bindings, Name", "technet aa998618; unifiedpeople.ru, topic 2e6d2fc3"},
	{"certificates", nil, []string{"certificates"}, "Get-ExchangeCertificate: Thumbprint, Services, NotAfter, IsSelfSigned, HasPrivateKey, CertificateDomains, Subject", "technet bb124950, not opened"},
	{"agents", []string{"HubTransport", "EdgeTransport"}, []string{"transport_agents"}, "Get-TransportAgent: Identity, Enabled, Priority, AssemblyPath, and the file's company", "technet bb123536"},
	{"pop", []string{"ClientAccess"}, []string{"pop3", "imap4"}, "Get-PopSettings and Get-ImapSettings -Server (from SP1 on): LoginType; the start types of MSExchangePop3 and MSExchangeImap4", "technet aa997154 (Set-POPSettings)"},
	{"um", []string{"UnifiedMessaging"}, []string{"um"}, "Get-UMServer -Identity: Status, Languages, DialPlans; Get-UMActiveCalls -Server; Get-UMDialPlan: DefaultLanguage", "technet aa997922 (Get-UMActiveCalls), aa996797 (Get-UMDialplan); Get-UMServer: white paper bb738116"},
	{"databases", []string{"Mailbox", "ClusteredMailboxServer"}, []string{"backups", "databases"}, "Get-MailboxDatabase and Get-PublicFolderDatabase -Server -Status: Mounted, BackupInProgress, LastFullBackup, Identity", "technet bb124924"},
	{"books", []string{"Mailbox", "ClusteredMailboxServer", "ClientAccess"}, []string{"oab"}, "Get-OfflineAddressBook: Server, Name", "technet aa996573, not opened; readiness rule OffLineABServerDeleted"},
	{"domains", []string{"HubTransport", "Mailbox", "ClientAccess", "UnifiedMessaging", "ClusteredMailboxServer"}, []string{"smtp_domains"}, "Get-AcceptedDomain: DomainName; Get-EmailAddressPolicy: EnabledEmailAddressTemplates", "technet bb124338, aa996951, not opened; readiness rule ServerFQDNMatchesSMTPPolicy"},
	{"levels", nil, []string{"event_log_levels"}, "Get-EventLogLevel: EventLevel, Identity", "technet bb125129, of RTM bb676443"},
	{"queues", []string{"HubTransport", "EdgeTransport"}, []string{"queues"}, "Get-Queue -Server: MessageCount, Identity", "technet bb124904, of RTM bb691288"},
	{"controllers", []string{"HubTransport", "Mailbox", "ClientAccess", "UnifiedMessaging", "ClusteredMailboxServer"}, []string{"static_dc"}, "Get-ExchangeServer -Identity -Status: StaticConfigDomainController, StaticDomainControllers", "technet bb123873; readiness rule ConfigDCHostNameMismatch"},
}

var exchangeParts = func() (names []string) {
	for _, p := range exchangeLooks {
		names = append(names, p.name)
	}
	return names
}()

// taskRows are the lines of the facts that host tasks read.
var taskRows = func() (rows []FactRow) {
	rows = append(rows, FactRow{
		Name: "revocation", Ask: "script canary: State of HKEY_USERS\\SID\\" + publishing + "; HEAD " + RevocationList, Account: RunAsAccount + " and " + SystemAccount,
		Source: "KB944752; a blog of 2009 names the values of State",
	})
	for _, p := range exchangeLooks {
		for _, name := range p.facts {
			rows = append(rows, FactRow{Name: name, Ask: "script exchange-look, part " + p.name + ": " + p.ask, Account: RunAsAccount, Source: p.from})
		}
	}
	return append(rows, FactRow{
		Name: "cluster", Ask: "script cluster-look: MSCluster.Cluster; Get-ClusteredMailboxServerStatus; Get-StorageGroupCopyStatus", Account: RunAsAccount,
		Source: "technet aa998632; unifiedpeople.ru, topics 338bdc33 and 5ac92b11",
	})
}()

// ExchangeParts lists the parts of exchange-look that a server with such roles
// has, by names of the roles' keys without "Role".
func ExchangeParts(roles []string) []string {
	var parts []string
	for _, p := range exchangeLooks {
		if len(p.roles) == 0 || slices.ContainsFunc(p.roles, func(r string) bool { return fold(roles, r) }) {
			parts = append(parts, p.name)
		}
	}
	return parts
}

// ReceiveConnectorFact is one of the server's.
type ReceiveConnectorFact struct {
	Name     string   `json:"name"`
	FQDN     string   `json:"fqdn"`
	Auth     []string `json:"auth"`
	Bindings []string `json:"bindings"`
}

// CertificateFact is one that Exchange can use. Services are the words of
// AllowedServices: SMTP, IIS, UM, POP, IMAP.
type CertificateFact struct {
	Thumbprint string   `json:"thumbprint"`
	Subject    string   `json:"subject"`
	Services   []string `json:"services"`
	NotAfter   string   `json:"not_after"`
	SelfSigned bool     `json:"self_signed"`
	Names      []string `json:"names"`
	PrivateKey bool     `json:"private_key"`
}

// TransportAgentFact is one of the server's. Microsoft is decided by the company
// of its file.
type TransportAgentFact struct {
	Name      string `json:"name"`
	Enabled   bool   `json:"enabled"`
	Priority  int    `json:"priority"`
	Assembly  string `json:"assembly"`
	Microsoft bool   `json:"microsoft"`
}

// MailClientFact is how POP3 or IMAP4 is set; LoginType is "" where its cmdlet
// does not exist, before SP1.
type MailClientFact struct {
	LoginType    string `json:"login_type"`
	ServiceStart string `json:"service_start"`
}

// UMFact is how Unified Messaging stands on the server.
type UMFact struct {
	Status           string            `json:"status"`
	Languages        []string          `json:"languages"`
	Calls            int               `json:"calls"`
	DefaultLanguages map[string]string `json:"default_languages"`
}

// BackupFact is how a database's backup stands; LastFull is RFC 3339, "" = never.
// Running is nil where BackupInProgress was neither True nor False: a database
// whose state the server did not tell has none.
type BackupFact struct {
	Database string `json:"database"`
	LastFull string `json:"last_full"`
	Running  *bool  `json:"running"`
}

// DatabaseFact is one of the server's.
type DatabaseFact struct {
	Name    string `json:"name"`
	Public  bool   `json:"public"`
	Mounted bool   `json:"mounted"`
}

// OABFact is what the server does for offline address books.
type OABFact struct {
	Generates []string `json:"generates"`
	Orphaned  []string `json:"orphaned"`
}

// QueuesFact is how much mail waits on the server.
type QueuesFact struct {
	Submission int `json:"submission"`
	Total      int `json:"total"`
}

// StaticDCFact is which domain controllers Exchange was told to use.
type StaticDCFact struct {
	Config      string   `json:"config"`
	Controllers []string `json:"controllers"`
}

// RevocationFact is what both accounts find.
type RevocationFact struct {
	RunAs  RevocationReach `json:"run_as"`
	System RevocationReach `json:"system"`
}

// RevocationReach is what one account finds: its State, and whether the list
// came ("ok", "error CODE"), and after how many milliseconds.
type RevocationReach struct {
	State        int    `json:"state"`
	CRL          string `json:"crl"`
	Milliseconds int    `json:"ms"`
}

// Reach reads what canary said of revocation.
func Reach(state, crl, ms string) RevocationReach {
	number := func(s string) int {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return 0
		}
		return int(n)
	}
	return RevocationReach{State: number(state), CRL: clipTo(crl, 200), Milliseconds: number(ms)}
}
