package twin

import (
	"encoding/base64"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"wavekeeper/server/exchange"
)

// acting is what of Exchange is neither in the registry nor in a file of the
// host, and what the acting scripts read and change: settings in Active
// Directory and what the services hold.
type acting struct {
	UM     string            `json:"um,omitempty"`     // Enabled, NoNewCalls, Disabled
	Calls  int               `json:"calls,omitempty"`  // in progress
	POP    string            `json:"pop,omitempty"`    // LoginType, from SP1 on
	IMAP   string            `json:"imap,omitempty"`   // LoginType, from SP1 on
	Levels map[string]string `json:"levels,omitempty"` // other than Lowest
	Queue  int               `json:"queue,omitempty"`  // messages
	Poison int               `json:"poison,omitempty"` // messages that nothing delivers
}

// Login types of POP3 and IMAP4 (technet aa997154), by the numbers that the
// configuration files of RTM hold; only 1 was seen.
var loginTypes = []string{"", "PlainTextLogin", "PlainTextAuthentication", "SecureLogin"}

const secureLogin = "SecureLogin"

// acts is the host's, made when it is first asked for; the caller holds the lock.
func (h *host) acts() *acting {
	if h.state.Acting == nil {
		a := &acting{POP: secureLogin, IMAP: secureLogin, Levels: map[string]string{}}
		if h.row().Has(exchange.UnifiedMessaging) {
			a.UM = "Enabled"
		}
		h.state.Acting = a
	}
	if h.state.Acting.Levels == nil {
		h.state.Acting.Levels = map[string]string{}
	}
	return h.state.Acting
}

// popConfig is the configuration file of POP3 or IMAP4.
func (h *host) popConfig(protocol string) string {
	return h.platform.installPath() + `ClientAccess\PopImap\Microsoft.Exchange.` + protocol + `.exe.config`
}

// installFiles writes the files that Setup brings anew with each level,
// whatever was in them: the configuration of Unified Messaging (the founding
// document), of POP3 and IMAP4 (their page on archiving it), of the services,
// and the pages of Outlook Web Access (KB935490); the caller holds the lock.
func (h *host) installFiles(build exchange.Build) {
	root := h.platform.installPath()
	put := func(path, text string) {
		h.makeFolder(parent(root + path))
		h.writeFile(root+path, []byte(text))
	}
	pkg := "rtm"
	if build.Minor > 0 {
		pkg = fmt.Sprintf("sp%d", build.Minor)
	}
	language, arch := h.row().Language, h.row().Arch
	if language == "" {
		language = "en-US"
	}
	if arch == "" {
		arch = "x64"
	}
	put(`bin\Setup.com`, string(mediaBytes(pkg, language, arch)))
	row := h.row()
	if row.Has(exchange.UnifiedMessaging) {
		put(`bin\globcfg.xml`, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<GlobalConfiguration version=\""+build.String()+"\">\r\n  <MaxCalls>100</MaxCalls>\r\n  <GreetingTimeout>3</GreetingTimeout>\r\n</GlobalConfiguration>\r\n")
		put(`bin\UMRecyclerConfig.xml`, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<RecyclerConfiguration>\r\n  <MaxHeartbeats>3</MaxHeartbeats>\r\n</RecyclerConfiguration>\r\n")
	}
	if row.Has(exchange.HubTransport) || row.Has(exchange.EdgeTransport) {
		put(`bin\EdgeTransport.exe.config`, "<?xml version=\"1.0\"?>\r\n<configuration>\r\n  <appSettings>\r\n    <add key=\"QueueDatabaseMaxConnections\" value=\"4\" />\r\n  </appSettings>\r\n</configuration>\r\n")
	}
	if row.Has(exchange.ClientAccess) {
		for _, protocol := range []string{"Pop3", "Imap4"} {
			h.makeFolder(parent(h.popConfig(protocol)))
			h.writeFile(h.popConfig(protocol), popFile(3))
		}
		put(`ClientAccess\Owa\auth\logon.aspx`, "<%-- Outlook Web Access "+build.String()+" --%>\r\n")
		put(`ClientAccess\Owa\`+build.String()+`\themes\base\lgntopl.gif`, "GIF89a "+build.String())
		put(`ClientAccess\Owa\`+build.String()+`\themes\base\logon.css`, "/* "+build.String()+" */\r\n")
		put(`ClientAccess\Owa\web.config`, "<configuration/>\r\n")
	}
}

func popFile(login int) []byte {
	return fmt.Appendf(nil, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<configuration>\r\n  <appSettings>\r\n    <add key=\"LoginType\" value=\"%d\" />\r\n    <add key=\"MaxConnections\" value=\"2000\" />\r\n  </appSettings>\r\n</configuration>\r\n", login)
}

// resetByUpgrade is what an upgrade of RTM or of a service pack sets back beside
// the files: remote streaming backup (the founding document) and the event-log
// levels (what the documentation says of Setup of SP2); the caller holds the lock.
func (h *host) resetByUpgrade() {
	const system = `HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIS\ParametersSystem`
	if h.regGet(system, "Enable Remote Streaming Backup") != nil {
		h.regSet(system, dword("Enable Remote Streaming Backup", 0))
	}
	h.acts().Levels = map[string]string{}
}

// scriptExchangeAct reads and changes what only cmdlets of Exchange can.
func scriptExchangeAct(r *records, args []string) int {
	h, verb, server, what, value := r.c.s.h, argument(args, 0), argument(args, 1), argument(args, 2), argument(args, 3)
	edge := h.row().Has(exchange.EdgeTransport)
	if (!r.c.s.who.ad && !edge) || r.c.s.via != "task" {
		r.put("said", "An Active Directory error 0x80072020 occurred.")
		return r.fail("Microsoft.Exchange.Data.Directory.ADTransientException", "80072020")
	}
	known := strings.EqualFold(server, h.name)
	for _, row := range h.rows { // a node knows the clustered mailbox servers
		known = known || strings.EqualFold(server, row.Name)
	}
	if !known {
		r.put("said", "The operation could not be performed because object '"+server+"' could not be found.")
		return r.fail("Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException", "80131500")
	}
	said := &told{}
	h.update(func() { h.act(said, server, verb, what, value) })
	for _, l := range said.lines { // what is printed goes into a file of the host, under the same lock
		r.put(l[0], l[1])
	}
	if said.kind != "" {
		return r.fail(said.kind, said.hresult)
	}
	if strings.Contains(verb, "-") && verb != "test-health" && verb != "um-status" {
		r.put("state", "done")
	}
	return 0
}

// told is what a script will say once the host's lock is free.
type told struct {
	lines         [][2]string
	kind, hresult string
}

func (t *told) put(name string, value any) {
	t.lines = append(t.lines, [2]string{name, fmt.Sprint(value)})
}

func (t *told) fail(kind, hresult string) { t.kind, t.hresult = kind, hresult }

// act carries one verb out; the caller holds the lock.
func (h *host) act(r *told, server, verb, what, value string) {
	a := h.acts()
	changed := func(setting, to string) {
		h.happened("exchange-changed", map[string]any{"setting": setting, "to": to})
	}
	switch verb {
	case "state":
		h.tellState(r, what)
	case "queues":
		r.put("submission", a.Queue/2)
		r.put("poison", a.Poison)
		r.put("total", a.Queue+a.Poison)
		if s := h.service("MSExchangeTransport"); s != nil && s.State == paused && (a.Queue == 0 || h.strikes("queue-stays", nil) == nil) {
			a.Queue /= 2 // it delivers and takes nothing new
		}
	case "um-status":
		if a.UM == "NoNewCalls" {
			if a.Calls /= 2; a.Calls == 0 {
				a.UM = "Disabled"
			}
		}
		r.put("um", a.UM)
	case "disable-um":
		if a.UM = "NoNewCalls"; a.Calls == 0 {
			a.UM = "Disabled"
		}
		changed("um", a.UM)
	case "enable-um":
		if h.strikes("um-stays-disabled", nil) == nil {
			a.UM = "Enabled"
			changed("um", a.UM)
		}
	case "set-pop", "set-imap":
		if h.build().Minor == 0 {
			r.put("said", "The term 'Set-PopSettings' is not recognized as a cmdlet.")
			r.fail("System.Management.Automation.CommandNotFoundException", "80131501")
			return
		}
		if h.strikes("settings-do-not-stay", nil) != nil {
			return
		}
		if verb == "set-pop" {
			a.POP = what
		} else {
			a.IMAP = what
		}
		changed(verb[4:], what)
	case "set-log-level":
		a.Levels[what] = value
		changed("level "+what, value)
	case "test-health":
		h.tellHealth(r, server)
	default:
		r.fail("System.IO.InvalidDataException", "80131501")
	}
}

// tellHealth is Test-ServiceHealth and Test-MAPIConnectivity; a clustered mailbox
// server is asked where it is, and what the cluster runs for it counts as well;
// the caller holds the lock.
func (h *host) tellHealth(r *told, server string) {
	running, online, clustered := "True", true, false
	var missing []string
	if h.cluster != nil {
		h.cluster.look(func(s *clusterState) {
			if cms := s.server(server); cms != nil {
				clustered, online = true, cms.State == cmsOnline
			}
		})
	}
	for _, s := range h.state.Services {
		if s.Exchange && s.StartMode == automatic && s.State != "Running" {
			missing = append(missing, s.Name)
		}
	}
	if clustered && !online {
		missing = append(missing, clusterManaged...)
	}
	if len(missing) > 0 {
		running = "False"
	}
	for _, role := range h.row().Roles {
		r.put("health", fmt.Sprintf("%s Server Role|%s|%s", role, running, strings.Join(missing, ",")))
	}
	if h.row().Has(exchange.Mailbox) && running == "True" {
		r.put("mapi", "Success")
		h.happened("tested", map[string]any{"server": server})
	}
}

// tellState says what the server's settings are; the caller holds the lock.
func (h *host) tellState(r *told, sections string) {
	a := h.acts()
	for _, section := range strings.Split(sections, ",") {
		switch section {
		case "um":
			r.put("um", a.UM)
		case "pop":
			if h.build().Minor > 0 && h.strikes("settings-unreadable", nil) == nil {
				r.put("pop", a.POP)
				r.put("imap", a.IMAP)
			} else {
				r.put("missed", "pop System.Management.Automation.CommandNotFoundException 80131501")
			}
		case "levels":
			r.put("level", `MSExchange ActiveSync\Requests=Lowest`)
			names := make([]string, 0, len(a.Levels))
			for name := range a.Levels {
				names = append(names, name)
			}
			sort.Strings(names)
			for _, name := range names {
				r.put("level", name+"="+a.Levels[name])
			}
		case "connectors":
			r.put("connector", fmt.Sprintf(`%s\Default %s|%s|Tls, Integrated, BasicAuth, ExchangeServer|0.0.0.0:25`, h.name, h.name, h.fqdn()))
		}
	}
}

// scriptStateKeep keeps copies of files and says what is in them.
func scriptStateKeep(r *records, args []string) int {
	h := r.c.s.h
	root, to := strings.TrimSuffix(clean(argument(args, 0), r.c.s.cwd), `\`), argument(args, 1)
	from, err := strconv.Atoi(argument(args, 3))
	if err != nil {
		return r.fail("System.FormatException", hrFormat)
	}
	type kept struct {
		rel  string
		data []byte
		when string
	}
	var all []kept
	h.look(func() {
		for _, pattern := range strings.Split(argument(args, 2), ";") {
			for _, f := range h.wild(root + `\` + pattern) {
				if !f.Dir {
					all = append(all, kept{f.Path[len(root)+1:], append([]byte(nil), f.Data...), f.Modified.UTC().Format("2006-01-02T15:04:05.0000000Z07:00")})
				}
			}
		}
	})
	if h.fips() {
		return r.fail(fipsRefuses, hrInvalid)
	}
	sent := 0
	for i, k := range all {
		if i < from {
			continue
		}
		if sent > 0 && sent+len(k.data) > 131072 {
			r.put("next", i)
			break
		}
		small := len(k.data) < 65537
		r.put("file", fmt.Sprintf("%s|%d|%s|%s", k.rel, len(k.data), sumOf(k.data), k.when))
		if small {
			sent += len(k.data)
			r.put("data", base64.StdEncoding.EncodeToString(k.data))
		}
		if to != "" {
			h.update(func() { h.writeFile(to+`\`+strings.ReplaceAll(k.rel, `\`, "~"), k.data) })
		}
	}
	return 0
}
