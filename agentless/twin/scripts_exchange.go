package twin

import (
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// world is what Exchange's cmdlets show of this server and of the organization
// around it, beside what acting holds.
type world struct {
	Connectors   []worldConnector
	Certificates []worldCertificate
	Agents       []worldAgent
	Languages    []string          // of Unified Messaging's server object
	Plans        map[string]string // dial plan -> default language
	Databases    []worldDatabase
	Books        []worldBook
	Domains      []string
	Templates    []string // of e-mail address policies
	Config       string   // configuration domain controller that is set by hand
	Controllers  []string
	Broken       map[string]string // parts whose cmdlets fail, with type and code
}

type worldConnector struct {
	Name, FQDN, Auth string
	Bindings         []string
}

type worldCertificate struct {
	Thumbprint, Subject, Services string
	NotAfter                      time.Time
	SelfSigned, PrivateKey        bool
	Names                         []string
}

type worldAgent struct {
	Name     string
	Enabled  bool
	Priority int
	Assembly string
}

type worldDatabase struct {
	Name            string // as Identity shows it: server\storage group\database
	Public, Mounted bool
	Running         bool      // a backup
	LastFull        time.Time // zero = never
}

type worldBook struct{ Name, Server, At string }

// world is the host's, made when it is first asked for; the caller holds the lock.
func (h *host) world() *world {
	if h.state.World == nil {
		h.state.World = h.freshWorld()
	}
	return h.state.World
}

// freshWorld is a healthy server's: the connectors that Setup makes (technet
// bb124239), a certificate of its own, Microsoft's two agents of a Hub Transport
// server, databases that were backed up this night, a public folder store beside
// another server's.
func (h *host) freshWorld() *world {
	row := h.row()
	w := &world{Plans: map[string]string{}, Broken: map[string]string{}}
	netbios := h.name
	if row.Has(exchange.HubTransport) || row.Has(exchange.EdgeTransport) {
		all := worldConnector{"Default " + netbios, h.fqdn(), "Tls, Integrated, BasicAuth, BasicAuthRequireTLS, ExchangeServer", []string{"0.0.0.0:25"}}
		if row.Has(exchange.EdgeTransport) {
			all.Auth = "Tls, ExchangeServer"
		}
		w.Connectors = append(w.Connectors, all)
		if row.Has(exchange.HubTransport) {
			w.Connectors = append(w.Connectors, worldConnector{"Client " + netbios, h.fqdn(), "Tls, Integrated, BasicAuth, BasicAuthRequireTLS", []string{"0.0.0.0:587"}})
		}
		agents := h.platform.installPath() + `TransportRoles\agents\`
		w.Agents = []worldAgent{
			{"Transport Rule Agent", true, 1, agents + `Rule\Microsoft.Exchange.MessagingPolicies.TransportRuleAgent.dll`},
			{"Journaling Agent", true, 2, agents + `Journaling\Microsoft.Exchange.MessagingPolicies.JournalAgent.dll`},
		}
		for _, a := range w.Agents {
			h.versionFile(a.Assembly, h.build().String(), "Microsoft Corporation")
		}
	}
	w.Certificates = []worldCertificate{{
		Thumbprint: strings.Repeat("AB12CD34", 5), Subject: "CN=" + strings.ToLower(netbios), Services: "IMAP, POP, IIS, SMTP",
		NotAfter: time.Now().UTC().AddDate(0, 9, 0).Truncate(time.Second), SelfSigned: true, PrivateKey: true, Names: []string{strings.ToLower(netbios), h.fqdn()},
	}}
	if row.Has(exchange.UnifiedMessaging) {
		w.Languages = []string{"en-US"}
		for _, v := range h.regValues(languagePacks) {
			if !strings.EqualFold(v.Name, "en-US") {
				w.Languages = append(w.Languages, v.Name)
			}
		}
		w.Plans["Main Dial Plan"] = "en-US"
	}
	if row.Has(exchange.Mailbox) {
		night := time.Now().UTC().Add(-time.Duration(4+h.number("backup", 9)) * time.Hour).Truncate(time.Second)
		for _, name := range h.mailboxServers() {
			w.Databases = append(w.Databases,
				worldDatabase{Name: name + `\First Storage Group\Mailbox Database`, Mounted: true, LastFull: night},
				worldDatabase{Name: name + `\Second Storage Group\Public Folder Database`, Public: true, Mounted: true, LastFull: night})
		}
		w.Books = []worldBook{{"Default Offline Address Book", h.mailboxServers()[0], "CN=" + h.mailboxServers()[0] + ",CN=Servers"}}
	}
	w.Domains = []string{"contoso.com", "*.contoso.com"}
	w.Templates = []string{"SMTP:%m@contoso.com", "X400:c=US;a= ;p=Contoso;o=Exchange;"}
	return w
}

// mailboxServers are the names of the mailbox servers here: the host's own, or
// those of the clustered servers that its rows stand for.
func (h *host) mailboxServers() []string {
	if h.row().Cluster == exchange.Standalone {
		return []string{h.name}
	}
	var names []string
	for _, r := range h.rows {
		names = append(names, strings.ToUpper(r.Name))
	}
	return names
}

// noCmdlet is what PowerShell says of a cmdlet that does not exist.
const noCmdlet = "System.Management.Automation.CommandNotFoundException 80131501"

// scriptExchangeLook asks the cmdlets part by part; one that fails takes none of
// the others with it.
func scriptExchangeLook(r *records, args []string) int {
	h := r.c.s.h
	edge := h.row().Has(exchange.EdgeTransport)
	if len(h.roleKeys()) == 0 {
		return r.fail("System.Management.Automation.PSArgumentException", hrArgument) // no such snap-in
	}
	reached := r.c.s.who.ad || edge
	for _, part := range strings.Split(argument(args, 1), ",") {
		for _, server := range strings.Split(argument(args, 0), ",") {
			said, failed := [][2]string(nil), ""
			h.update(func() { said, failed = h.lookPart(part, server) })
			if !reached || r.c.s.via != "task" {
				said, failed = nil, "Microsoft.Exchange.Data.Directory.ADTransientException 80072020"
			}
			for _, one := range said {
				r.put(one[0], one[1])
			}
			if failed != "" {
				r.put("failed", part+"|"+server+"|"+failed)
				continue
			}
			r.put("asked", part+"|"+server)
		}
	}
	return 0
}

// lookPart is one part for one server: its records, and why it failed; the caller
// holds the lock.
func (h *host) lookPart(part, server string) (said [][2]string, failed string) {
	w, a := h.world(), h.acts()
	if why := w.Broken[part]; why != "" {
		return nil, why
	}
	put := func(name, format string, values ...any) {
		said = append(said, [2]string{name, fmt.Sprintf(format, values...)})
	}
	word := func(b bool) string { return strings.ToUpper(fmt.Sprint(b)[:1]) + fmt.Sprint(b)[1:] }
	several := func(all []string) string {
		var out []string
		for _, one := range all {
			out = append(out, strings.ReplaceAll(one, " ", "_"))
		}
		return strings.Join(out, " ")
	}
	row := h.row()
	switch part {
	case "connectors":
		for _, c := range w.Connectors {
			put("connector", "%s|%s|%s|%s", c.FQDN, c.Auth, several(c.Bindings), c.Name)
		}
	case "certificates":
		for _, c := range w.Certificates {
			put("certificate", "%s|%s|%s|%s|%s|%s|%s", c.Thumbprint, c.Services, netTicks(c.NotAfter), word(c.SelfSigned), word(c.PrivateKey), several(c.Names), c.Subject)
		}
	case "agents":
		if !row.Has(exchange.HubTransport) && !row.Has(exchange.EdgeTransport) {
			return nil, "Microsoft.Exchange.Configuration.Tasks.LocalServerNotFoundException 80131500"
		}
		for _, g := range w.Agents {
			company := ""
			if f := h.fileAt(g.Assembly); f != nil {
				company = f.Company
			}
			put("agent", "%s|%d|%s|%s|%s", word(g.Enabled), g.Priority, company, g.Assembly, g.Name)
		}
	case "pop":
		if h.build().Minor == 0 {
			return nil, noCmdlet
		}
		put("pop", "%s", a.POP)
		put("imap", "%s", a.IMAP)
	case "um":
		if !row.Has(exchange.UnifiedMessaging) {
			return nil, "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException 80131500"
		}
		plans := make([]string, 0, len(w.Plans))
		for name := range w.Plans {
			plans = append(plans, name)
		}
		put("um", "%s|%s|%s", a.UM, several(w.Languages), several(plans))
		for name, language := range w.Plans {
			put("plan", "%s|%s", language, name)
		}
		put("plan", "de-DE|Another Dial Plan")
		put("calls", "%d", a.Calls)
	case "databases":
		found := false
		for _, d := range w.Databases {
			if owner, _, _ := strings.Cut(d.Name, `\`); !strings.EqualFold(owner, server) {
				continue
			}
			found = true
			kind := "m"
			if d.Public {
				kind = "p"
			}
			put("database", "%s|%s|%s|%s|%s", kind, word(d.Mounted), word(d.Running), netTicks(d.LastFull), d.Name)
		}
		if !found && !strings.EqualFold(server, h.name) {
			return nil, "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException 80131500"
		}
	case "books":
		for _, b := range w.Books {
			put("book", "%s|%s|%s", b.Server, b.At, b.Name)
		}
	case "domains":
		for _, d := range w.Domains {
			put("domain", "%s", d)
		}
		for _, t := range w.Templates {
			put("template", "%s", t)
		}
	case "levels":
		levels := map[string]string{`MSExchange ActiveSync\Requests`: "Lowest", `MSExchangeIS\9000 Private\General`: "Lowest"}
		for at, level := range a.Levels {
			levels[at] = level
		}
		for at, level := range levels {
			put("level", "%s|%s", level, at)
		}
	case "queues":
		put("queue", `%d|%s\Submission`, a.Queue/2, h.name)
		put("queue", `%d|%s\contoso.com`, a.Queue-a.Queue/2, h.name)
	case "controllers":
		put("controllers", "%s|%s", w.Config, several(w.Controllers))
	}
	return said, ""
}

// netTicks is a time as .NET counts it, 100 nanoseconds from the year 1; "" is null.
func netTicks(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	const to1970 = 62135596800
	return fmt.Sprint((t.Unix() + to1970) * 1e7)
}

// tellRevocation is the part of canary about revocation: the hive's switch, and
// how the list comes. WebExceptionStatus 14 is the time, 1 the name.
func (h *host) tellRevocation(r *records, hive, list, wait string) {
	state, crl, ms := "", "ok", 40+h.number("crl", 200)
	h.update(func() {
		if v := h.regGet(`HKU\`+hive+`\`+publisherKey, "State"); v != nil {
			state = fmt.Sprint(v.Number)
		}
		code, cut := h.trait("crl-unreachable")
		if h.fleet.opt.RevocationListUnreachable || h.strikes("revocation-unreachable", nil) != nil {
			cut = true
		}
		if cut && code == "" {
			code = "14"
		}
		switch {
		case cut && code == "14":
			crl, ms = "error 14", atoi(wait)
		case cut:
			crl = "error " + code
		}
	})
	r.put("revocation", state)
	if list != "" {
		r.put("crl", crl)
		r.put("ms", ms)
	}
}
