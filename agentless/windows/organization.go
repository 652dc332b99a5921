package windows

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// OrganizationLook is the script that reads the organization from Active
// Directory, OrganizationExport the one that writes its display templates into a
// file. Both run as host tasks under the run-as account.
const (
	OrganizationLook   = "organization-look"
	OrganizationExport = "organization-export"
)

// TemplatesFile is the file of its task's folder into which organization-export
// writes the display templates, as LDIF that puts them back.
const TemplatesFile = "templates.ldf"

// What organization-look can be asked for: each holds more than the one before.
const (
	OrganizationVersions    = "versions"    // schema, organization and domains, and who the schema master is
	OrganizationReplication = "replication" // besides the versions of every domain controller
	OrganizationAll         = "all"         // besides servers, clustered mailbox servers and SMTP domains
)

// Bounds of one look: a forest of a thousand domain controllers or servers is
// more than any Exchange 2007 organization that is known.
const (
	organizationSeconds = 20 * 60 // domain controllers are asked one after the other for so long
	organizationMost    = 1500    // of each kind
	templatesMost       = 3000    // ten of each language
	organizationBytes   = 2 << 20 // of a script's output
)

// OrganizationLookArguments are the arguments of organization-look for one of the
// words above.
func OrganizationLookArguments(what string) []string {
	return []string{what, strconv.Itoa(organizationSeconds), strconv.Itoa(organizationMost)}
}

// OrganizationExportArguments are the arguments of organization-export in the
// host task of that name.
func OrganizationExportArguments(task string) []string {
	return []string{TaskFolder(task) + `\` + TemplatesFile, strconv.Itoa(templatesMost)}
}

// Organization is what organization-look said.
type Organization struct {
	Site, Domain string // of the host that was asked; "" = it could not tell
	Master       SchemaMaster
	Schema       int    // rangeUpper of ms-Exch-Schema-Version-Pt; 0 = there is no such object
	Version      int    // objectVersion of the organization's container; 0 = there is no organization
	Name         string // of the organization
	Domains      []OrganizationDomain
	Servers      []OrganizationServer // of every version
	SMTP         []string             // domains of accepted domains and recipient policies, lower case
	Controllers  []DomainController
	More         []string // kinds of which not all was told
	Whole        bool     // servers and SMTP domains were asked for
	Replicated   bool     // domain controllers were asked for
}

// SchemaMaster is the domain controller that holds the schema master's role.
type SchemaMaster struct {
	Host   string `json:"host"`
	Site   string `json:"site"`
	Domain string `json:"domain"`
}

// OrganizationDomain is one domain of the forest. Trouble is the exception's type
// and code where the domain could not be asked; its version is not known then.
type OrganizationDomain struct {
	Name         string `json:"name"`
	NetBIOS      string `json:"-"`
	Version      int    `json:"version"`       // objectVersion of Microsoft Exchange System Objects; 0 = not there
	Prepared2003 bool   `json:"prepared_2003"` // the groups of an Exchange 2000 or 2003 DomainPrep are there
	Trouble      string `json:"-"`
}

// OrganizationServer is one Exchange server as Active Directory has it.
type OrganizationServer struct {
	Name    string
	Roles   int // msExchCurrentServerRoles: 2 Mailbox, 4 Client Access, 16 Unified Messaging, 32 Hub Transport, 64 Edge Transport
	Storage int // msExchClusterStorageType: 1 of CCR, 2 of SCC, 0 and -1 else
	Site    string
	Serial  string   // "Version 8.1 (Build 30240.6)"
	Nodes   []string // msExchServerRedundantMachines of a clustered mailbox server
}

// DomainController is what one domain controller has. Trouble is why nothing is
// known of it: the exception's type and code, or "unasked" when the time was over.
type DomainController struct {
	Name, Site, Domain    string
	Catalog               bool
	Schema, Version, MESO int
	Trouble               string
}

// noSuchObject is ERROR_DS_NO_SUCH_OBJECT as HRESULT.
const noSuchObject uint32 = 0x80072030

// ReadOrganization reads what a host task of organization-look said.
func (h *Host) ReadOrganization(ctx context.Context, task, what string) (Organization, error) {
	records, err := h.longTaskRecords(ctx, task, OrganizationLook)
	if err != nil {
		return Organization{}, err
	}
	o, err := organizationOf(records)
	if err != nil {
		return o, fmt.Errorf("output of task %s: %w: %w", task, ErrTruncated, err)
	}
	o.Whole, o.Replicated = what == OrganizationAll, what != OrganizationVersions
	return o, nil
}

// longTaskRecords reads a script's output that may be longer than one answer of
// the host.
func (h *Host) longTaskRecords(ctx context.Context, name, script string) (Records, error) {
	var all []byte
	for {
		chunk, err := h.ReadFile(ctx, TaskFolder(name)+`\out.txt`, int64(len(all)), maxRead)
		if err != nil {
			return nil, fmt.Errorf("output of task %s: %w", name, err)
		}
		all = append(all, chunk.Data...)
		if len(chunk.Data) == 0 || int64(len(all)) >= chunk.Length {
			break
		}
		if len(all) > organizationBytes {
			return nil, fmt.Errorf("output of task %s is longer than %d bytes", name, organizationBytes)
		}
	}
	records, err := parseRecords(all, taskNonce)
	if err != nil {
		return nil, fmt.Errorf("output of task %s: %w", name, err)
	}
	if what := records.Get("error"); what != "" {
		return nil, &ScriptError{Script: script, What: what}
	}
	return records, nil
}

// fieldsOf cuts a record's value into so many fields; the last may hold anything.
func fieldsOf(r Record, n int) ([]string, error) {
	f := strings.SplitN(r.Value, "|", n)
	if len(f) != n {
		return nil, fmt.Errorf("record %s %q: %d fields, want %d", r.Name, r.Value, len(f), n)
	}
	return f, nil
}

// told reads a version: a number, nothing where there is no such object, or why
// it was not read.
func told(text string) (version int, trouble string) {
	switch what, failed := strings.CutPrefix(text, "error "); {
	case failed && (&ScriptError{What: what}).Code() == noSuchObject, text == "":
		return 0, ""
	case failed:
		return 0, what
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, text
	}
	return n, ""
}

// number reads an attribute that may be absent.
func number(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	return strconv.Atoi(text)
}

func organizationOf(records Records) (Organization, error) {
	var o Organization
	byName := map[string]int{}
	for _, r := range records {
		var err error
		var f []string
		trouble := ""
		switch r.Name {
		case "here":
			if f, err = fieldsOf(r, 2); err == nil {
				o.Site, o.Domain = f[0], strings.ToLower(f[1])
			}
		case "master":
			if f, err = fieldsOf(r, 3); err == nil {
				o.Master = SchemaMaster{strings.ToLower(f[0]), f[1], strings.ToLower(f[2])}
			}
		case "schema":
			if o.Schema, trouble = told(r.Value); trouble != "" {
				err = fmt.Errorf("the schema's version was not read: %s", trouble)
			}
		case "organization":
			if f, err = fieldsOf(r, 2); err == nil {
				o.Name = f[1]
				if o.Version, trouble = told(f[0]); trouble != "" {
					err = fmt.Errorf("the organization's version was not read: %s", trouble)
				}
			}
		case "domain":
			if f, err = fieldsOf(r, 4); err == nil {
				d := OrganizationDomain{Name: strings.ToLower(f[0]), NetBIOS: f[1], Prepared2003: f[3] == "1"}
				d.Version, d.Trouble = told(f[2])
				if f[3] != "0" && f[3] != "1" {
					d.Trouble = cmp.Or(d.Trouble, strings.TrimPrefix(f[3], "error "))
				}
				o.Domains = append(o.Domains, d)
			}
		case "server":
			var s OrganizationServer
			if s, err = organizationServer(r); err == nil {
				byName[strings.ToLower(s.Name)] = len(o.Servers)
				o.Servers = append(o.Servers, s)
			}
		case "node":
			if f, err = fieldsOf(r, 2); err == nil {
				if i, ok := byName[strings.ToLower(f[1])]; ok {
					o.Servers[i].Nodes = append(o.Servers[i].Nodes, f[0])
				}
			}
		case "smtp":
			if domain := smtpDomain(r.Value); domain != "" && !slices.Contains(o.SMTP, domain) {
				o.SMTP = append(o.SMTP, domain)
			}
		case "controller":
			var c DomainController
			if c, err = controllerOf(r); err == nil {
				o.Controllers = append(o.Controllers, c)
			}
		case "more":
			o.More = append(o.More, r.Value)
		}
		if err != nil {
			return Organization{}, err
		}
	}
	if o.Master.Host == "" {
		return Organization{}, fmt.Errorf("%w: it names no schema master", ErrTruncated)
	}
	return o, nil
}

func organizationServer(r Record) (OrganizationServer, error) {
	f, err := fieldsOf(r, 5)
	if err != nil {
		return OrganizationServer{}, err
	}
	s := OrganizationServer{Site: f[2], Serial: f[3], Name: f[4]}
	if s.Roles, err = number(f[0]); err == nil {
		s.Storage, err = number(f[1])
	}
	if err != nil {
		return s, fmt.Errorf("record server %q: %w", r.Value, err)
	}
	return s, nil
}

func controllerOf(r Record) (DomainController, error) {
	f, err := fieldsOf(r, 7)
	if err != nil {
		return DomainController{}, err
	}
	c := DomainController{Catalog: f[0] == "1", Site: f[4], Domain: strings.ToLower(f[5]), Name: strings.ToLower(f[6])}
	var troubles [3]string
	c.Schema, troubles[0] = told(f[1])
	c.Version, troubles[1] = told(f[2])
	c.MESO, troubles[2] = told(f[3])
	c.Trouble = cmp.Or(troubles[:]...)
	return c, nil
}

// smtpDomain is the domain of "contoso.com", "SMTP:@contoso.com" or
// "smtp:%g.%s@contoso.com", lower case; "" for an address of another kind.
func smtpDomain(form string) string {
	form = strings.ToLower(strings.TrimSpace(form))
	if kind, rest, typed := strings.Cut(form, ":"); typed {
		if kind != "smtp" {
			return ""
		}
		form = rest
	}
	if _, domain, addressed := strings.Cut(form, "@"); addressed {
		form = domain
	}
	return strings.TrimPrefix(form, "*.")
}

// Templates is what organization-export said: how many display templates, and
// the SHA-256 of their text, "" where the host's policy forbids to compute it.
type Templates struct {
	Count  int    `json:"count"`
	SHA256 string `json:"sha256"`
	All    bool   `json:"-"`
}

// ReadTemplates reads what a host task of organization-export said.
func (h *Host) ReadTemplates(ctx context.Context, task string) (Templates, error) {
	records, err := h.longTaskRecords(ctx, task, OrganizationExport)
	if err != nil {
		return Templates{}, err
	}
	t := Templates{SHA256: records.Get("sha256"), All: len(records.All("more")) == 0}
	if t.Count, err = strconv.Atoi(records.Get("templates")); err != nil {
		return t, fmt.Errorf("output of task %s: %w: %w", task, ErrTruncated, err)
	}
	if t.SHA256 != "" && !sumForm.MatchString(t.SHA256) {
		return t, fmt.Errorf("output of task %s: %w: %q is no SHA-256", task, ErrTruncated, t.SHA256)
	}
	return t, nil
}

// Fact is the fact of the display templates.
func (t Templates) Fact(at time.Time) Fact {
	return Fact{Name: displayTemplates, Value: t, Source: organizationSource(displayTemplates), At: at.UTC()}
}
