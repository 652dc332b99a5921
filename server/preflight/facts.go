package preflight

import (
	"encoding/json"
	"time"
)

// Fact is one thing that a host, or the organization, said: its value as JSON,
// where that comes from, and when it was asked. A fact that could not be read
// has no Fact at all.
type Fact struct {
	Value  json.RawMessage `json:"value"`
	Source string          `json:"source"`
	At     time.Time       `json:"at"`
}

// Told is a value that knows whether and when it was told. The zero Told is
// unknown, which is not the same as a zero value that was told.
type Told[T any] struct {
	Value T
	Known bool
	At    time.Time
}

// Tell is a value that was told at a time.
func Tell[T any](value T, at time.Time) Told[T] { return Told[T]{Value: value, Known: true, At: at} }

// Facts is what is known of one host. The names of the facts are those of
// FactNames; the shapes of their JSON are the types of the values.
type Facts struct {
	// Asked over WinRM by the WinRM account.
	OS             Told[string] // os: "2003", "2008", "2008R2", else the dotted version
	OSVersion      Told[string] // os_version: "5.2.3790"
	OSServicePack  Told[int]    // os_service_pack
	BootTime       Told[time.Time]
	ClockOffset    Told[int]    // clock_offset_seconds: how far the host's clock is ahead of ours
	UTCOffset      Told[int]    // utc_offset_minutes
	Language       Told[string] // language: culture of Windows, "en-US"
	SystemDrive    Told[string] // system_drive: "C:"
	Arch           Told[string] // arch: "x64", "x86"
	FQDN           Told[string]
	WinRM          Told[string]
	DotNet20       Told[int] // dotnet20_sp: its service pack; NotInstalled where the JSON is null
	Hotfixes       Told[[]string]
	Disks          Told[[]Disk]
	Services       Told[[]Service]
	SetupProcesses Told[[]Process]
	PendingRestart Told[[]string] // pending_restart: "windows-update", "update-installer", "file-rename"
	InstallPath    Told[string]
	Roles          Told[map[string]Role]

	Domain           Told[Domain]
	ADSite           Told[string] // ad_site
	MemoryMB         Told[int]    // memory_mb
	WindowsUpdates   Told[WindowsUpdates]
	WindowsInstaller Told[string] // windows_installer: version of msi.dll
	PowerShell       Told[PowerShell]
	MMC              Told[string] // mmc: version of mmc.exe
	IIS              Told[IIS]
	TimeZoneData     Told[TimeZoneData]
	Patches          Told[[]Patch]
	ExSetupVersion   Told[string] // exsetup_version: file version of ExSetup.exe
	ForeignServices  Told[[]ForeignService]
	Dependants       Told[map[string][]string] // dependants: service -> those that depend on it
	Processes        Told[[]RunningProgram]
	Sessions         Told[[]Session]
	UMPacks          Told[[]string] // um_packs: cultures
	StreamingBackup  Told[StreamingBackup]
	Firewall         Told[Firewall]
	Forefront        Told[Forefront]
	ClusterMember    Told[ClusterMember]
	DomainController Told[DomainController]

	// Read by host tasks under the run-as account.
	Revocation        Told[Revocation]
	ReceiveConnectors Told[[]ReceiveConnector]
	Certificates      Told[[]Certificate]
	TransportAgents   Told[[]TransportAgent]
	POP3              Told[MailClient]
	IMAP4             Told[MailClient]
	UM                Told[UM]
	Backups           Told[[]Backup]
	Databases         Told[[]Database]
	OAB               Told[OAB]
	SMTPDomains       Told[[]string]
	EventLogLevels    Told[map[string]string] // event_log_levels: `source\category` -> level
	Queues            Told[Queues]
	StaticDC          Told[StaticDC]
	Cluster           Told[Cluster] // of a node: what it said of its cluster
}

// NotInstalled is the service pack of a .NET Framework 2.0 that is not there.
const NotInstalled = -1

// Disk is one local fixed disk, sizes in bytes.
type Disk struct {
	Name string `json:"name"` // "C:"
	Size int64  `json:"size"`
	Free int64  `json:"free"`
}

// Service is one Windows service in the words of Win32_Service, which are the
// same in every display language.
type Service struct {
	Name      string `json:"name"`
	State     string `json:"state"`      // Running, Stopped, ...
	StartMode string `json:"start_mode"` // Auto, Manual, Disabled, Boot, System
	Account   string `json:"account"`
	// Company is whose the program is, of one outside Windows' own folder;
	// Dependants need this service, of those whose programs lie outside it. Both
	// are told by WMI alone.
	Company    string   `json:"company,omitempty"`
	Dependants []string `json:"dependants,omitempty"`
}

// Process is one running program of Setup.
type Process struct {
	ID          int64  `json:"pid"`
	Parent      int64  `json:"parent"`
	Name        string `json:"name"` // image, "ExSetup.exe"
	CommandLine string `json:"command_line"`
	Session     int    `json:"session"`
	Owner       string `json:"owner,omitempty"`
	Via         string `json:"via,omitempty"`
}

// Role is what the registry says of one installed role.
type Role struct {
	Configured string `json:"configured"`
	Unpacked   string `json:"unpacked"`
	Action     string `json:"action"`
	Watermark  string `json:"watermark"`
}

// Domain is where the host belongs (domain).
type Domain struct {
	Name        string `json:"name"`         // DNS name of the domain; the work group's where Member is false
	DNSSuffix   string `json:"dns_suffix"`   // the host's primary DNS suffix
	SingleLabel bool   `json:"single_label"` // the domain's DNS name has no dot
	Member      bool   `json:"member"`
}

// WindowsUpdates is how old the updates of Windows are (windows_updates).
type WindowsUpdates struct {
	Newest   string `json:"newest"` // day of the newest, "2010-05-01"; "" = none told
	NewestKB string `json:"newest_kb"`
	LastScan string `json:"last_scan"` // RFC 3339; "" = never, or not told
}

// PowerShell is what the registry says of it (powershell).
type PowerShell struct {
	Version   string `json:"version"` // "1.0", "2.0", "3.0"
	Installed bool   `json:"installed"`
}

// IIS is what the registry and the metabase say of it (iis); version 0 = not installed.
type IIS struct {
	Version    int      `json:"version"`
	Components []string `json:"components"` // names of InetStp\Components that are 1
	WOW32      *bool    `json:"wow32"`      // Enable32BitAppOnWin64 of IIS 6; nil = not told
}

// TimeZoneData is the time-zone data of Windows (time_zone_data).
type TimeZoneData struct {
	Zone  string            `json:"zone"`  // key name of the host's own zone
	Zones map[string]string `json:"zones"` // key name -> TZI in hex, of a few zones that changed and the host's own
}

// Patch is one patch of the product Exchange (patches).
type Patch struct {
	Code         string `json:"code"`
	Name         string `json:"name"`          // DisplayName
	Installed    string `json:"installed"`     // yyyymmdd
	State        int    `json:"state"`         // 1 = applied
	LocalPackage string `json:"local_package"` // the cached .msp
	Cached       bool   `json:"cached"`        // that file is there
}

// ForeignService is a service whose program is not Microsoft's, or that depends
// on one of Exchange's (foreign_services).
type ForeignService struct {
	Name           string   `json:"name"`
	Display        string   `json:"display"`
	Path           string   `json:"path"`
	Company        string   `json:"company"`
	State          string   `json:"state"`
	Start          string   `json:"start"`
	Account        string   `json:"account"`
	DependsOn      []string `json:"depends_on"`
	ClusterManaged bool     `json:"cluster_managed"`
}

// RunningProgram is one running program (processes); its command line is not kept.
type RunningProgram struct {
	Name    string `json:"name"`
	ID      int64  `json:"id"`
	Session int    `json:"session"`
	Started string `json:"started"` // RFC 3339; "" = not told
}

// Session is one person who is logged on (sessions).
type Session struct {
	ID   int    `json:"id"`
	User string `json:"user"`
}

// StreamingBackup is the switch for remote streaming backup (streaming_backup).
type StreamingBackup struct {
	Value    *int `json:"value"`     // nil = not set, which is off from SP1 on
	WrongKey bool `json:"wrong_key"` // the key of the wrong spelling is there
}

// Firewall is the firewall's service and what it would do (firewall).
type Firewall struct {
	Service string          `json:"service"` // MpsSvc, SharedAccess; "" = there is none
	State   string          `json:"state"`
	Start   string          `json:"start"`
	Enabled FirewallEnabled `json:"enabled"`
}

// FirewallEnabled says for each profile whether it filters; nil = not set.
type FirewallEnabled struct {
	Domain   *bool `json:"domain"`
	Standard *bool `json:"standard"`
	Public   *bool `json:"public"`
}

// Forefront is Microsoft's virus scanner for Exchange (forefront).
type Forefront struct {
	Installed bool     `json:"installed"`
	Version   string   `json:"version"`
	Services  []string `json:"services"`
}

// ClusterMember says whether the host is a node (cluster_member).
type ClusterMember struct {
	Member  bool   `json:"member"`
	Name    string `json:"name"`
	Service string `json:"service"` // state of ClusSvc
}

// DomainController says whether the host is one (domain_controller).
type DomainController struct {
	Controller bool  `json:"controller"`
	ReadOnly   *bool `json:"read_only"` // nil = not known
}

// Revocation is how revocation checks stand (revocation).
type Revocation struct {
	RunAs  RevocationReach `json:"run_as"`
	System RevocationReach `json:"system"`
}

// RevocationReach is what one account finds.
type RevocationReach struct {
	State        int    `json:"state"` // of Software Publishing; 0 = not told
	CRL          string `json:"crl"`   // "ok" or "error CODE"; "" = not told
	Milliseconds int    `json:"ms"`
}

// ReceiveConnector is one of the server's (receive_connectors).
type ReceiveConnector struct {
	Name     string   `json:"name"`
	FQDN     string   `json:"fqdn"` // "" = $null
	Auth     []string `json:"auth"` // flags of AuthMechanism
	Bindings []string `json:"bindings"`
}

// Certificate is one that a service of Exchange uses or may use (certificates).
type Certificate struct {
	Thumbprint string   `json:"thumbprint"`
	Subject    string   `json:"subject"`
	Services   []string `json:"services"` // SMTP, IIS, UM, POP, IMAP
	NotAfter   string   `json:"not_after"`
	SelfSigned bool     `json:"self_signed"`
	Names      []string `json:"names"`
	PrivateKey bool     `json:"private_key"`
}

// TransportAgent is one of the server's (transport_agents).
type TransportAgent struct {
	Name      string `json:"name"`
	Enabled   bool   `json:"enabled"`
	Priority  int    `json:"priority"`
	Assembly  string `json:"assembly"`
	Microsoft bool   `json:"microsoft"`
}

// MailClient is how POP3 or IMAP4 is set (pop3, imap4).
type MailClient struct {
	LoginType    string `json:"login_type"` // PlainTextLogin, PlainTextAuthentication, SecureLogin
	ServiceStart string `json:"service_start"`
}

// UM is how Unified Messaging stands (um).
type UM struct {
	Status           string            `json:"status"` // Enabled, Disabled, NoNewCalls
	Languages        []string          `json:"languages"`
	Calls            int               `json:"calls"`
	DefaultLanguages map[string]string `json:"default_languages"` // dial plan -> culture
}

// Backup is how a database's backup stands (backups).
type Backup struct {
	Database string `json:"database"`
	LastFull string `json:"last_full"` // RFC 3339; "" = never
	Running  *bool  `json:"running"`   // nil = the server did not tell
}

// Database is one of the server's (databases).
type Database struct {
	Name    string `json:"name"`
	Public  bool   `json:"public"`
	Mounted bool   `json:"mounted"`
}

// OAB is what the server does for offline address books (oab).
type OAB struct {
	Generates []string `json:"generates"`
	Orphaned  []string `json:"orphaned"` // books of the organization whose server does not exist any more
}

// Queues is how much mail waits (queues).
type Queues struct {
	Submission int `json:"submission"`
	Total      int `json:"total"`
}

// StaticDC is which domain controller Exchange is told to use (static_dc).
type StaticDC struct {
	Config      string   `json:"config"` // the configuration domain controller; "" = chosen by Exchange
	Controllers []string `json:"controllers"`
}

// Cluster is what a node says of its cluster (cluster).
type Cluster struct {
	Name    string          `json:"name"`
	Kind    string          `json:"kind"` // CCR, SCC
	Nodes   []ClusterNode   `json:"nodes"`
	Groups  []ClusterGroup  `json:"groups"`
	CMS     []ClusteredCMS  `json:"cms"`
	Copies  []ReplicaStatus `json:"copies"`
	Witness string          `json:"witness"`          // \\HUB01\share; "" = none
	Unread  []string        `json:"unread,omitempty"` // parts that could not be read, and why
}

// ClusterNode is one node and its state by the cluster's word: Up, Down, Paused, Joining.
type ClusterNode struct {
	Name  string `json:"name"`
	State string `json:"state"`
}

// ClusterGroup is one group and the node that owns it.
type ClusterGroup struct {
	Name   string `json:"name"`
	Owner  string `json:"owner"`
	State  string `json:"state"`
	Quorum bool   `json:"quorum"`
}

// ClusteredCMS is one clustered mailbox server.
type ClusteredCMS struct {
	Name  string   `json:"name"`
	State string   `json:"state"` // Online, Offline, PartiallyOnline, ...
	Owner string   `json:"owner"`
	Nodes []string `json:"nodes"`
	Build string   `json:"build"`
	Group string   `json:"group"` // the resource group it is in
}

// ReplicaStatus is how one storage group's copy stands.
type ReplicaStatus struct {
	CMS         string `json:"cms"`
	Group       string `json:"group"`
	Status      string `json:"status"` // Healthy, ...
	CopyQueue   int    `json:"copy_queue"`
	ReplayQueue int    `json:"replay_queue"`
}
