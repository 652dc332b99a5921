package exchange

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parsedLine is a row on its way to becoming a server.
type parsedLine struct {
	line   int
	server Server
	cells  map[string]string
	faults []LineError
}

func (l *parsedLine) fault(column, value, want string) {
	l.faults = append(l.faults, LineError{l.line, column, value, want})
}

// cellReaders has one reader per column; each returns what would be right, or
// "" when the cell is good.
var cellReaders = map[string]func(s *Server, cell string) string{
	"server":          readName,
	"fqdn":            readFQDN,
	"roles":           readRoles,
	"site":            readText(func(s *Server, v string) { s.Site = v }),
	"internet_facing": readFacing,
	"build":           readBuild,
	"os":              readOS,
	"language":        readLanguage,
	"arch":            readArch,
	"cluster":         readCluster,
	"nodes":           readNodes,
	"address":         readAddress,
	"port":            readPort,
	"profile":         readProfile,
	"mailboxes":       readMailboxes,
	"um_languages":    readUMLanguages,
	"services":        readServices,
	"tags":            readTags,
}

func parseLine(r row, columns []string) parsedLine {
	l := parsedLine{line: r.line, cells: map[string]string{}, server: Server{Language: "en-US", Arch: "x64", Profile: "default"}}
	if len(r.cells) != len(columns) {
		wrong := columns[min(len(r.cells), len(columns)-1)] // the first that is missing, or the last before the surplus
		l.fault(wrong, strconv.Itoa(len(r.cells))+" fields", strconv.Itoa(len(columns))+" fields, as many as the header has")
		if i := slices.Index(columns, "server"); i < len(r.cells) {
			l.server.Name = strings.ToUpper(plainCell(r.cells[i]))
		}
		return l
	}
	for i, column := range columns {
		cell := plainCell(r.cells[i])
		if !utf8.ValidString(cell) {
			cell = strings.ToValidUTF8(cell, "\uFFFD")
			l.cells[column] = cell
			l.fault(column, cell, "text in UTF-8; this file was saved in another encoding")
			continue
		}
		l.cells[column] = cell
		if want := cellReaders[column](&l.server, cell); want != "" {
			l.fault(column, cell, want)
		}
	}
	if l.server.Cluster == Standalone && l.server.Address == "" {
		l.server.Address = l.server.FQDN
		if l.server.Address == "" {
			l.server.Address = l.server.Name
		}
	}
	return l
}

var (
	serverName  = regexp.MustCompile(`^[\pL\pN][\pL\pN_-]{0,62}$`)
	hostAddress = regexp.MustCompile(`^([\pL\pN_-]+(\.[\pL\pN_-]+)*\.?|\[?[0-9A-Fa-f:]+(%[\pL\pN]+)?\]?)$`)
	culture     = regexp.MustCompile(`^(?i)([a-z]{2,3}(-[a-z]{4})?(-[a-z]{2})?|zh-ch[st])$`)
	serviceName = regexp.MustCompile(`^[^\x00-\x1f"/\\&|<>^%,;]{1,256}$`)
)

func readText(set func(*Server, string)) func(*Server, string) string {
	return func(s *Server, cell string) string {
		if strings.ContainsFunc(cell, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "text without line breaks and control characters"
		}
		set(s, cell)
		return ""
	}
}

func readName(s *Server, cell string) string {
	s.Name = strings.ToUpper(cell)
	if !serverName.MatchString(cell) {
		return "a computer name of letters, digits, hyphens and underscores (a full name belongs in column fqdn)"
	}
	return ""
}

func readFQDN(s *Server, cell string) string {
	if cell != "" && !hostAddress.MatchString(cell) {
		return "a full computer name such as mbx01.contoso.com, or empty"
	}
	s.FQDN = strings.ToLower(cell)
	return ""
}

func readRoles(s *Server, cell string) string {
	const want = "ClientAccess, HubTransport, Mailbox, UnifiedMessaging, EdgeTransport (or CAS, HT, MBX, UM, ET) joined by +"
	if cell == "" {
		return want
	}
	for part := range strings.SplitSeq(cell, "+") {
		role, err := ParseRole(strings.TrimSpace(part))
		if err != nil {
			return want
		}
		if !s.Has(role) {
			s.Roles = append(s.Roles, role)
		}
	}
	order := Roles()
	slices.SortFunc(s.Roles, func(a, b Role) int { return slices.Index(order, a) - slices.Index(order, b) })
	return ""
}

func readFacing(s *Server, cell string) string {
	switch strings.ToLower(cell) {
	case "yes", "true", "1":
		s.InternetFacing = true
	case "", "no", "false", "0":
	default:
		return "yes, no, true, false, 1 or 0"
	}
	return ""
}

func readBuild(s *Server, cell string) string {
	const want = "an Exchange 2007 build such as 8.0.685.25 or Version 8.0 (Build 30685.25), or empty"
	b, err := ParseBuild(cell)
	if err != nil || (!b.IsZero() && b.Major != 8) {
		return want
	}
	s.Build = b
	return ""
}

func readOS(s *Server, cell string) string {
	switch v := strings.ToUpper(strings.ReplaceAll(cell, " ", "")); v {
	case "", "2003", "2008", "2008R2":
		s.OS = v
		return ""
	default:
		return "2003, 2008, 2008R2 or empty"
	}
}

func readLanguage(s *Server, cell string) string {
	if cell == "" {
		return ""
	}
	v, ok := cultureName(cell)
	if !ok {
		return "a Windows culture such as de-DE, or empty for en-US"
	}
	s.Language = v
	return ""
}

// cultureName writes a culture as Windows does: de-DE, sr-Latn-CS.
func cultureName(cell string) (string, bool) {
	if !culture.MatchString(cell) {
		return "", false
	}
	parts := strings.Split(strings.ToLower(cell), "-")
	for i, p := range parts[1:] {
		if len(p) <= 3 { // a country, or the CHS and CHT of Chinese
			parts[i+1] = strings.ToUpper(p)
		} else {
			parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "-"), true
}

// Culture writes a Windows culture as Windows does, de-DE for "de-de".
func Culture(name string) (string, error) {
	v, ok := cultureName(strings.TrimSpace(name))
	if !ok {
		return "", fmt.Errorf("%q is no Windows culture such as de-DE", name)
	}
	return v, nil
}

func readArch(s *Server, cell string) string {
	switch v := strings.ToLower(cell); v {
	case "":
	case "x64", "x86":
		s.Arch = v
	default:
		return "x64, x86 or empty"
	}
	return ""
}

func readCluster(s *Server, cell string) string {
	switch v := ClusterType(strings.ToUpper(cell)); v {
	case Standalone, CCR, SCC:
		s.Cluster = v
		return ""
	default:
		return "CCR, SCC or empty"
	}
}

func readNodes(s *Server, cell string) string {
	const want = "NODEA=address:port;NODEB=address:port"
	for _, item := range listItems(cell) {
		name, place, _ := strings.Cut(item, "=")
		node := Node{Name: strings.ToUpper(strings.TrimSpace(name)), Address: strings.TrimSpace(place)}
		if i := strings.LastIndexByte(node.Address, ':'); i >= 0 && !strings.HasSuffix(node.Address, "]") {
			port, ok := portNumber(node.Address[i+1:])
			if !ok {
				return want
			}
			node.Address, node.Port = node.Address[:i], port
		}
		if node.Address == "" {
			node.Address = node.Name
		}
		if !serverName.MatchString(node.Name) || !hostAddress.MatchString(node.Address) {
			return want
		}
		if slices.ContainsFunc(s.Nodes, func(n Node) bool { return n.Name == node.Name }) {
			return "each node once"
		}
		s.Nodes = append(s.Nodes, node)
	}
	slices.SortFunc(s.Nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	return ""
}

func portNumber(v string) (int, bool) {
	n, err := strconv.Atoi(v)
	return n, err == nil && n >= 1 && n <= 65535
}

func readAddress(s *Server, cell string) string {
	if cell != "" && !hostAddress.MatchString(cell) {
		return "a host name or an IP address (its port belongs in column port), or empty"
	}
	s.Address = cell
	return ""
}

func readPort(s *Server, cell string) string {
	if cell == "" {
		return ""
	}
	n, ok := portNumber(cell)
	if !ok {
		return "a port from 1 to 65535, or empty for 5985 (http) and 5986 (https)"
	}
	s.Port = n
	return ""
}

func readProfile(s *Server, cell string) string {
	if cell == "" {
		return ""
	}
	return readText(func(s *Server, v string) { s.Profile = v })(s, cell)
}

func readMailboxes(s *Server, cell string) string {
	if cell == "" {
		return ""
	}
	n, err := strconv.Atoi(cell)
	if err != nil || n < 0 || n > 1<<31-1 {
		return "an integer from 0, or empty for 0"
	}
	s.Mailboxes = n
	return ""
}

func readUMLanguages(s *Server, cell string) string {
	for _, item := range listItems(cell) {
		v, ok := cultureName(item)
		if !ok {
			return "Windows cultures such as de-DE;fr-FR"
		}
		if !slices.Contains(s.UMLanguages, v) {
			s.UMLanguages = append(s.UMLanguages, v)
		}
	}
	return ""
}

func readServices(s *Server, cell string) string {
	for _, item := range listItems(cell) {
		if !serviceName.MatchString(item) {
			return "short names of services, separated by semicolons"
		}
		if !slices.ContainsFunc(s.Services, func(have string) bool { return strings.EqualFold(have, item) }) {
			s.Services = append(s.Services, item)
		}
	}
	return ""
}

func readTags(s *Server, cell string) string {
	return readText(func(s *Server, v string) { s.Tags = listItems(v) })(s, cell)
}

// listItems splits a list inside a field at semicolons and drops empty items.
func listItems(cell string) []string {
	var items []string
	for item := range strings.SplitSeq(cell, ";") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// ParseNodes reads the inventory's nodes cell.
func ParseNodes(cell string) ([]Node, error) {
	var s Server
	if want := readNodes(&s, cell); want != "" {
		return nil, fmt.Errorf("%q: %s", cell, want)
	}
	return s.Nodes, nil
}
