package preflight

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// field is one fact: its name and how its JSON becomes the value.
type field[F any] struct {
	name string
	read func(*F, Fact) error
	at   func(*F) (time.Time, bool)
}

// of makes the field of a value that is decoded as it is.
func of[F, T any](name string, value func(*F) *Told[T]) field[F] {
	return field[F]{name, func(f *F, fact Fact) error {
		var v *T
		if err := decode(fact.Value, &v); err != nil {
			return err
		}
		if v != nil { // null = the host did not give it
			*value(f) = Tell(*v, fact.At)
		}
		return nil
	}, func(f *F) (time.Time, bool) { return value(f).At, value(f).Known }}
}

// decode is strict: no unknown field, nothing behind the value.
func decode(raw json.RawMessage, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return nil
}

var fields = []field[Facts]{
	of("os", func(f *Facts) *Told[string] { return &f.OS }),
	of("os_version", func(f *Facts) *Told[string] { return &f.OSVersion }),
	of("os_service_pack", func(f *Facts) *Told[int] { return &f.OSServicePack }),
	of("boot_time", func(f *Facts) *Told[time.Time] { return &f.BootTime }),
	of("clock_offset_seconds", func(f *Facts) *Told[int] { return &f.ClockOffset }),
	of("utc_offset_minutes", func(f *Facts) *Told[int] { return &f.UTCOffset }),
	of("language", func(f *Facts) *Told[string] { return &f.Language }),
	of("system_drive", func(f *Facts) *Told[string] { return &f.SystemDrive }),
	of("arch", func(f *Facts) *Told[string] { return &f.Arch }),
	of("fqdn", func(f *Facts) *Told[string] { return &f.FQDN }),
	of("winrm", func(f *Facts) *Told[string] { return &f.WinRM }),
	dotNet20,
	of("hotfixes", func(f *Facts) *Told[[]string] { return &f.Hotfixes }),
	of("disks", func(f *Facts) *Told[[]Disk] { return &f.Disks }),
	of("services", func(f *Facts) *Told[[]Service] { return &f.Services }),
	of("setup_processes", func(f *Facts) *Told[[]Process] { return &f.SetupProcesses }),
	of("pending_restart", func(f *Facts) *Told[[]string] { return &f.PendingRestart }),
	of("install_path", func(f *Facts) *Told[string] { return &f.InstallPath }),
	of("roles", func(f *Facts) *Told[map[string]Role] { return &f.Roles }),
	of("domain", func(f *Facts) *Told[Domain] { return &f.Domain }),
	of("ad_site", func(f *Facts) *Told[string] { return &f.ADSite }),
	of("memory_mb", func(f *Facts) *Told[int] { return &f.MemoryMB }),
	of("windows_updates", func(f *Facts) *Told[WindowsUpdates] { return &f.WindowsUpdates }),
	of("windows_installer", func(f *Facts) *Told[string] { return &f.WindowsInstaller }),
	of("powershell", func(f *Facts) *Told[PowerShell] { return &f.PowerShell }),
	of("mmc", func(f *Facts) *Told[string] { return &f.MMC }),
	of("iis", func(f *Facts) *Told[IIS] { return &f.IIS }),
	of("time_zone_data", func(f *Facts) *Told[TimeZoneData] { return &f.TimeZoneData }),
	of("patches", func(f *Facts) *Told[[]Patch] { return &f.Patches }),
	of("exsetup_version", func(f *Facts) *Told[string] { return &f.ExSetupVersion }),
	of("foreign_services", func(f *Facts) *Told[[]ForeignService] { return &f.ForeignServices }),
	of("dependants", func(f *Facts) *Told[map[string][]string] { return &f.Dependants }),
	of("processes", func(f *Facts) *Told[[]RunningProgram] { return &f.Processes }),
	of("sessions", func(f *Facts) *Told[[]Session] { return &f.Sessions }),
	of("um_packs", func(f *Facts) *Told[[]string] { return &f.UMPacks }),
	of("streaming_backup", func(f *Facts) *Told[StreamingBackup] { return &f.StreamingBackup }),
	of("firewall", func(f *Facts) *Told[Firewall] { return &f.Firewall }),
	of("forefront", func(f *Facts) *Told[Forefront] { return &f.Forefront }),
	of("cluster_member", func(f *Facts) *Told[ClusterMember] { return &f.ClusterMember }),
	of("domain_controller", func(f *Facts) *Told[DomainController] { return &f.DomainController }),
	of("revocation", func(f *Facts) *Told[Revocation] { return &f.Revocation }),
	of("receive_connectors", func(f *Facts) *Told[[]ReceiveConnector] { return &f.ReceiveConnectors }),
	of("certificates", func(f *Facts) *Told[[]Certificate] { return &f.Certificates }),
	of("transport_agents", func(f *Facts) *Told[[]TransportAgent] { return &f.TransportAgents }),
	of("pop3", func(f *Facts) *Told[MailClient] { return &f.POP3 }),
	of("imap4", func(f *Facts) *Told[MailClient] { return &f.IMAP4 }),
	of("um", func(f *Facts) *Told[UM] { return &f.UM }),
	of("backups", func(f *Facts) *Told[[]Backup] { return &f.Backups }),
	of("databases", func(f *Facts) *Told[[]Database] { return &f.Databases }),
	of("oab", func(f *Facts) *Told[OAB] { return &f.OAB }),
	of("smtp_domains", func(f *Facts) *Told[[]string] { return &f.SMTPDomains }),
	of("event_log_levels", func(f *Facts) *Told[map[string]string] { return &f.EventLogLevels }),
	of("queues", func(f *Facts) *Told[Queues] { return &f.Queues }),
	of("static_dc", func(f *Facts) *Told[StaticDC] { return &f.StaticDC }),
	of("cluster", func(f *Facts) *Told[Cluster] { return &f.Cluster }),
}

// dotNet20 is null where .NET Framework 2.0 is not installed: that is told.
var dotNet20 = field[Facts]{"dotnet20_sp", func(f *Facts, fact Fact) error {
	v := NotInstalled
	if err := decode(fact.Value, &v); err != nil {
		return err
	}
	f.DotNet20 = Tell(v, fact.At)
	return nil
}, func(f *Facts) (time.Time, bool) { return f.DotNet20.At, f.DotNet20.Known }}

var organizationFields = []field[Organization]{
	of("schema", func(o *Organization) *Told[int] { return &o.Schema }),
	of("organization", func(o *Organization) *Told[int] { return &o.Version }),
	of("domains", func(o *Organization) *Told[[]PreparedDomain] { return &o.Domains }),
	of("schema_master", func(o *Organization) *Told[SchemaMaster] { return &o.SchemaMaster }),
	of("exchange_2003", func(o *Organization) *Told[[]OldServer] { return &o.Exchange2003 }),
	of("exchange_2000", func(o *Organization) *Told[[]OldServer] { return &o.Exchange2000 }),
	of("single_label", func(o *Organization) *Told[bool] { return &o.SingleLabel }),
	of("cms", func(o *Organization) *Told[[]DirectoryCMS] { return &o.CMS }),
	of("display_templates", func(o *Organization) *Told[DisplayTemplates] { return &o.DisplayTemplates }),
	of("servers_2007", func(o *Organization) *Told[[]Server2007] { return &o.Servers2007 }),
	of("replication", func(o *Organization) *Told[Replication] { return &o.Replication }),
}

// ReadFacts reads a host's facts by name. Names that no rule knows are left
// out. A fact that is not of its shape is unknown and has an error that names it.
func ReadFacts(facts map[string]Fact) (Facts, []error) { return readAll(fields, facts, "fact") }

// ReadOrganization reads the organization's facts as ReadFacts does a host's.
func ReadOrganization(facts map[string]Fact) (Organization, []error) {
	o, errs := readAll(organizationFields, facts, "organization fact")
	for name, f := range facts {
		if strings.HasPrefix(f.Source, ByHand) {
			if o.ByHand == nil {
				o.ByHand = map[string]string{}
			}
			o.ByHand[name] = f.Source
		}
	}
	return o, errs
}

func readAll[F any](fields []field[F], facts map[string]Fact, what string) (F, []error) {
	var out F
	var errs []error
	for _, f := range fields {
		fact, ok := facts[f.name]
		if !ok {
			continue
		}
		if err := f.read(&out, fact); err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", what, f.name, err))
		}
	}
	return out, errs
}

// FactNames lists the names of a host's facts.
func FactNames() []string { return names(fields) }

// OrganizationNames lists the names of the organization's facts.
func OrganizationNames() []string { return names(organizationFields) }

func names[F any](fields []field[F]) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.name
	}
	return out
}
