package preflight

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/exchange"
)

var noon = time.Date(2010, 8, 2, 12, 0, 0, 0, time.UTC)

// said is facts by name, as JSON.
type said map[string]string

func with(base said, more said) said {
	out := maps.Clone(base)
	if out == nil {
		out = said{}
	}
	maps.Copy(out, more)
	return out
}

// currentTZI is Eastern Standard Time from 2007 on, oldTZI before: the first
// Sunday of April to the last of October. Bytes of REG_TZI_FORMAT.
const (
	currentTZI = "2c01000000000000c4ffffff" + "00000b00000001000200000000000000" + "00000300000002000200000000000000"
	oldTZI     = "2c01000000000000c4ffffff" + "00000a00000005000200000000000000" + "00000400000001000200000000000000"
)

// healthy is a host of every role on which nothing is wrong: the facts of a
// healthy Windows Server 2003 with RTM.
var healthy = said{
	"os": `"2003"`, "os_version": `"5.2.3790"`, "os_service_pack": `2`, "boot_time": `"2010-07-01T02:00:00Z"`,
	"clock_offset_seconds": `1`, "utc_offset_minutes": `120`, "language": `"en-US"`, "system_drive": `"C:"`, "arch": `"x64"`,
	"fqdn": `"all1.lab.test"`, "winrm": `"1.1"`, "dotnet20_sp": `1`, "hotfixes": `["KB931836"]`,
	"disks":           `[{"name":"C:","size":80000000000,"free":40000000000}]`,
	"services":        `[{"name":"MSDTC","state":"Running","start_mode":"Auto","account":""},{"name":"EventSystem","state":"Running","start_mode":"Auto","account":""},{"name":"W3SVC","state":"Running","start_mode":"Auto","account":""},{"name":"ScanMail_Master","state":"Running","start_mode":"Auto","account":""},{"name":"MOM","state":"Stopped","start_mode":"Manual","account":""}]`,
	"setup_processes": `[]`, "pending_restart": `[]`, "install_path": `"C:\\Program Files\\Microsoft\\Exchange Server\\"`,
	"roles":   `{"ClientAccess":` + rtmKey + `,"HubTransport":` + rtmKey + `,"Mailbox":` + rtmKey + `,"UnifiedMessaging":` + rtmKey + `}`,
	"domain":  `{"name":"lab.test","dns_suffix":"lab.test","single_label":false,"member":true}`,
	"ad_site": `"HQ"`, "memory_mb": `4096`,
	"windows_updates":   `{"newest":"2010-07-14","newest_kb":"KB2229593","last_scan":"2010-08-01T03:00:00Z"}`,
	"windows_installer": `"4.5.6001.22159"`, "powershell": `{"version":"1.0","installed":true}`, "mmc": `"5.2.3790.3959"`,
	"iis":              `{"version":6,"components":[],"wow32":false}`,
	"time_zone_data":   `{"zone":"Eastern Standard Time","zones":{"Eastern Standard Time":"` + currentTZI + `"}}`,
	"patches":          `[{"code":"{1}","name":"Update Rollup 7 for Exchange Server 2007 (KB953469) 8.0.813.0","installed":"20080801","state":1,"local_package":"C:\\WINDOWS\\Installer\\33502bc.msp","cached":true}]`,
	"exsetup_version":  `"8.0.685.25"`,
	"foreign_services": `[{"name":"ScanMail_Master","display":"ScanMail","path":"C:\\smex\\m.exe","company":"Trend Micro","state":"Running","start":"Auto","account":"LocalSystem","depends_on":["MSExchangeIS"],"cluster_managed":false}]`,
	"dependants":       `{"MSExchangeIS":["ScanMail_Master"]}`,
	"processes":        `[{"name":"System","id":4,"session":0,"started":""}]`,
	"sessions":         `[]`, "um_packs": `["en-US"]`, "streaming_backup": `{"value":1,"wrong_key":false}`,
	"firewall":           `{"service":"SharedAccess","state":"Running","start":"Auto","enabled":{"domain":false,"standard":false,"public":null}}`,
	"forefront":          `{"installed":false,"version":"","services":[]}`,
	"cluster_member":     `{"member":false,"name":"","service":""}`,
	"domain_controller":  `{"controller":true,"read_only":false}`,
	"revocation":         `{"run_as":{"state":146432,"crl":"ok","ms":120},"system":{"state":146432,"crl":"ok","ms":90}}`,
	"receive_connectors": `[{"name":"Default ALL1","fqdn":"all1.lab.test","auth":["Tls","ExchangeServer"],"bindings":["0.0.0.0:25"]}]`,
	"certificates":       `[{"thumbprint":"A1","subject":"CN=all1","services":["SMTP","IIS"],"not_after":"2011-08-02T12:00:00Z","self_signed":true,"names":["all1.lab.test"],"private_key":true}]`,
	"transport_agents":   `[{"name":"Transport Rule Agent","enabled":true,"priority":1,"assembly":"Microsoft.Exchange.MessagingPolicies.dll","microsoft":true}]`,
	"pop3":               `{"login_type":"SecureLogin","service_start":"Manual"}`, "imap4": `{"login_type":"SecureLogin","service_start":"Manual"}`,
	"um":               `{"status":"Enabled","languages":["en-US"],"calls":0,"default_languages":{"Plan":"en-US"}}`,
	"backups":          `[{"database":"DB1","last_full":"2010-08-01T12:00:00Z","running":false}]`,
	"databases":        `[{"name":"DB1","public":false,"mounted":true}]`,
	"oab":              `{"generates":[],"orphaned":[]}`,
	"smtp_domains":     `["contoso.com"]`,
	"event_log_levels": `{}`, "queues": `{"submission":0,"total":500}`, "static_dc": `{"config":"","controllers":[]}`,
	OfOrganization + "schema": `11116`, OfOrganization + "organization": `11221`,
	OfOrganization + "domains":           `[{"name":"lab.test","version":11221,"prepared_2003":false}]`,
	OfOrganization + "schema_master":     `{"host":"dc1","site":"HQ","domain":"lab.test"}`,
	OfOrganization + "exchange_2003":     `[{"name":"OLD1","version":"6.5.7638.2","sp2":true}]`,
	OfOrganization + "exchange_2000":     `[]`,
	OfOrganization + "single_label":      `false`,
	OfOrganization + "cms":               `[]`,
	OfOrganization + "display_templates": `{"count":0,"sha256":""}`,
	OfOrganization + "servers_2007":      `[]`,
	OfOrganization + "replication":       `{"checked_at":"2010-08-02T11:00:00Z","behind":[]}`,
}

const rtmKey = `{"configured":"8.0.685.25","unpacked":"8.0.685.25","action":"","watermark":""}`

// node is what a passive node of a CCR cluster says beside that.
var node = said{
	"roles":          `{"Mailbox":` + rtmKey + `}`,
	"cluster_member": `{"member":true,"name":"CLU1","service":"Running"}`,
	"cluster": `{"name":"CLU1","kind":"CCR","nodes":[{"name":"NODEA","state":"Up"},{"name":"NODEB","state":"Up"}],"groups":[{"name":"Cluster Group","owner":"NODEA","state":"Online","quorum":true}],` +
		`"cms":[{"name":"CMS1","state":"Online","owner":"NODEA","nodes":["NODEA","NODEB"],"build":"8.0.685.25"}],"copies":[{"cms":"CMS1","group":"SG1","status":"Healthy","copy_queue":10,"replay_queue":50}],"witness":"\\\\HUB01\\share"}`,
}

func packageNamed(name string) exchange.Package {
	p, err := exchange.PackageByName(name)
	if err != nil {
		panic(err)
	}
	return p
}

// subject is a standalone server of every role that may share one, about to get SP1.
func subject(facts said) Subject {
	s := Subject{
		Server: exchange.Server{
			Name: "ALL1", FQDN: "all1.lab.test", Language: "en-US", Arch: "x64", Site: "HQ", Services: []string{"ScanMail_Master"},
			Roles: []exchange.Role{exchange.ClientAccess, exchange.HubTransport, exchange.Mailbox, exchange.UnifiedMessaging},
		},
		Package: packageNamed("sp1"), Prepared: true, Now: noon,
		Media:  Media{Language: "en-US", Arch: "x64", Packs: Tell([]string{"De-de"}, noon), Compared: true, Right: true},
		Canary: Canary{Ran: true, Account: `LAB\svc`, User: `LAB\svc`, SIDs: []string{"S-1-5-32-544", "S-1-5-21-1-2-3-518", "S-1-5-21-1-2-3-519"}, Elevated: true, Hive: "S-1-5-21-1-2-3-1105", LDAP: "ok"},
		Fleet:  Fleet{Known: true, Hosts: []string{"HUB01"}},
	}
	s.tell(facts)
	return s
}

// clustered makes a subject the passive node of a cluster.
func clustered(s *Subject) {
	s.Server = exchange.Server{
		Name: "CMS1", Cluster: exchange.CCR, Roles: []exchange.Role{exchange.Mailbox}, Services: []string{"ScanMail_Master"}, Language: "en-US", Arch: "x64",
		Nodes: []exchange.Node{{Name: "NODEA"}, {Name: "NODEB"}},
	}
	s.Node = "NODEB"
	s.Nodes = map[string]exchange.Build{"NODEA": {Major: 8, Minor: 0, Build: 685, Revision: 25}, "NODEB": {Major: 8, Minor: 0, Build: 685, Revision: 25}}
}

// tell reads facts into the subject; a fact of the wrong shape is a fault of the test.
func (s *Subject) tell(facts said) {
	host, organization := map[string]Fact{}, map[string]Fact{}
	for name, value := range facts {
		f := Fact{Value: json.RawMessage(value), Source: "test", At: noon.Add(-time.Hour)}
		if below, ok := strings.CutPrefix(name, OfOrganization); ok {
			organization[below] = f
		} else {
			host[name] = f
		}
	}
	var errs, more []error
	s.Facts, errs = ReadFacts(host)
	s.Organization, more = ReadOrganization(organization)
	if errs = append(errs, more...); len(errs) > 0 {
		panic(fmt.Sprint(errs))
	}
}

func TestAHealthyHostPassesEveryRule(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Subject{"standalone": subject(healthy), "node": func() Subject {
		s := subject(with(healthy, node))
		clustered(&s)
		return s
	}()} {
		for _, f := range Judge(s) {
			if f.Severity != Pass {
				t.Errorf("%s: %s: %s: %s (%s)", name, f.Rule, f.Severity, f.Text, f.Evidence)
			}
		}
	}
}

func TestEveryFactIsReadAndUnknownIsNotZero(t *testing.T) {
	t.Parallel()
	for _, names := range []struct {
		all  []string
		base string
	}{{FactNames(), ""}, {OrganizationNames(), OfOrganization}} {
		for _, name := range names.all {
			value, ok := with(healthy, node)[names.base+name]
			if !ok {
				t.Errorf("fact %s%s has no example", names.base, name)
				continue
			}
			var s Subject
			if _, known := s.known(names.base + name); known {
				t.Errorf("fact %s is known before it was told", name)
			}
			s.tell(said{names.base + name: value})
			at, known := s.known(names.base + name)
			if !known || !at.Equal(noon.Add(-time.Hour)) {
				t.Errorf("fact %s: known %t at %s", name, known, at)
			}
			for _, other := range names.all {
				if _, known := s.known(names.base + other); known && other != name {
					t.Errorf("fact %s was told, and %s is known", name, other)
				}
			}
		}
	}
}

func TestAFactOfAnotherShapeIsNamedAndUnknown(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"os_service_pack": `"2"`, "disks": `{"name":"C:"}`, "firewall": `{"service":"x","unheard":1}`, "os": `"2003" "2008"`, "dotnet20_sp": `true`,
	} {
		f, errs := ReadFacts(map[string]Fact{name: {Value: json.RawMessage(value), At: noon}, "arch": {Value: json.RawMessage(`"x64"`), At: noon}})
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), name) {
			t.Errorf("%s: errors %v", name, errs)
		}
		if _, known := (Subject{Facts: f}).known(name); known || !f.Arch.Known {
			t.Errorf("%s: known %t, arch known %t", name, known, f.Arch.Known)
		}
	}
	f, errs := ReadFacts(map[string]Fact{"memory_mb": {Value: json.RawMessage(`null`)}, "dotnet20_sp": {Value: json.RawMessage(`null`)}, "of_a_later_version": {Value: json.RawMessage(`1`)}})
	if len(errs) > 0 || f.MemoryMB.Known || !f.DotNet20.Known || f.DotNet20.Value != NotInstalled {
		t.Errorf("null: %v, memory %+v, .NET %+v", errs, f.MemoryMB, f.DotNet20)
	}
}

func TestEveryFactHasARuleOrAStep(t *testing.T) {
	t.Parallel()
	// what is read for steps, for pages or as evidence, and judged by no rule
	elsewhere := []string{
		"boot_time", "utc_offset_minutes", "winrm", "dependants", "processes", "event_log_levels",
		OfOrganization + "cms", OfOrganization + "display_templates", OfOrganization + "servers_2007",
	}
	used := slices.Clone(elsewhere)
	for _, r := range Rules() {
		used = append(used, slices.Concat(r.Needs, r.Also)...)
	}
	all := FactNames()
	for _, name := range OrganizationNames() {
		all = append(all, OfOrganization+name)
	}
	for _, name := range all {
		if !slices.Contains(used, name) {
			t.Errorf("fact %s is judged by no rule", name)
		}
	}
	for _, name := range used {
		if !slices.Contains(all, name) && name != FleetFact {
			t.Errorf("a rule needs %s, which there is not", name)
		}
	}
}
