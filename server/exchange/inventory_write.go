package exchange

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Fields returns a server's cells by column, as the inventory writes them.
func (s Server) Fields() map[string]string {
	facing := "no"
	if s.InternetFacing {
		facing = "yes"
	}
	port := ""
	if s.Port != 0 {
		port = strconv.Itoa(s.Port)
	}
	nodes := make([]string, len(s.Nodes))
	for i, n := range s.Nodes {
		nodes[i] = n.String()
	}
	return map[string]string{
		"server": s.Name, "fqdn": s.FQDN, "roles": roleNames(s.Roles), "site": s.Site, "internet_facing": facing,
		"build": s.Build.String(), "os": s.OS, "language": s.Language, "arch": s.Arch, "cluster": string(s.Cluster),
		"nodes": strings.Join(nodes, ";"), "address": s.Address, "port": port, "profile": s.Profile,
		"mailboxes": strconv.Itoa(s.Mailboxes), "um_languages": strings.Join(s.UMLanguages, ";"),
		"services": strings.Join(s.Services, ";"), "tags": strings.Join(s.Tags, ";"),
	}
}

// String returns NAME=address:port, or NAME=address when the port is the
// profile's.
func (n Node) String() string {
	if n.Port == 0 {
		return n.Name + "=" + n.Address
	}
	return fmt.Sprintf("%s=%s:%d", n.Name, n.Address, n.Port)
}

// WriteInventory writes servers so that ReadInventory reads the same again.
// Cells that a spreadsheet would take for a formula get an apostrophe in front.
func WriteInventory(w io.Writer, servers []Server) error {
	out := csv.NewWriter(w)
	columns := Columns()
	if err := out.Write(columns); err != nil {
		return fmt.Errorf("write inventory header: %w", err)
	}
	for _, s := range servers {
		fields := s.Fields()
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = SafeCell(fields[c])
		}
		if err := out.Write(cells); err != nil {
			return fmt.Errorf("write inventory row of %s: %w", s.Name, err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write inventory: %w", err)
	}
	return nil
}

// SafeCell puts an apostrophe before a cell that begins like a formula, so
// that a spreadsheet shows it as text. ReadInventory takes it back.
func SafeCell(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
