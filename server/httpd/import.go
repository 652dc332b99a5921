package httpd

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

const rowsInPreview = 200

var columnWords = map[string]string{
	"server": "the server's name, unique without regard to case", "roles": "ClientAccess, HubTransport, Mailbox, UnifiedMessaging, EdgeTransport (or CAS, HT, MBX, UM, ET), joined by +",
	"fqdn": "full DNS name", "site": "the AD site", "internet_facing": "yes or no", "build": "8.0.685.25 or Version 8.0 (Build 30685.25)", "os": "2003, 2008 or 2008R2",
	"language": "Exchange's installed language; empty = en-US", "arch": "x64 or x86; empty = x64", "cluster": "empty, CCR or SCC", "nodes": "NODEA=address:port;NODEB=address:port",
	"address": "where WinRM answers; empty = fqdn, else server", "port": "empty = 5985 or 5986 by the profile", "profile": "how it is reached; empty = default", "mailboxes": "an integer; empty = 0",
	"um_languages": "Unified Messaging language packs, separated by ;", "services": "third-party services to stop during Setup, separated by ;", "tags": "free words, separated by ;",
}

func importColumns() []page.ImportColumn {
	var out []page.ImportColumn
	for _, c := range exchange.Columns() {
		out = append(out, page.ImportColumn{Name: c, Means: columnWords[c], Required: c == "server" || c == "roles"})
	}
	return out
}

func (s *server) importForm(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, page.ImportPage(page.Import{Frame: s.frame(r, v, "Import", "servers"), Columns: importColumns(), Why: v.why(auth.Inventory)}))
}

func (s *server) importPreview(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Inventory)
	if err != nil {
		return err
	}
	name, text, err := uploaded(r)
	if err != nil {
		return err
	}
	return s.showPreview(w, r, v, name, text)
}

func (s *server) showPreview(w http.ResponseWriter, r *http.Request, v viewer, name, text string) error {
	inventory, faults := exchange.ReadInventory(strings.NewReader(text))
	result, err := s.Store.ImportInventory(r.Context(), v.actor(r), inventory, faults, store.ImportOptions{DryRun: true})
	if err != nil {
		return err
	}
	preview := previewOf(name, text, result)
	view := page.Import{Frame: s.frame(r, v, "Import", "servers"), Columns: importColumns(), Preview: &preview}
	return s.render(w, r, http.StatusOK, page.ImportPage(view))
}

// uploaded returns the file, or the text that was given instead.
func uploaded(r *http.Request) (name, text string, err error) {
	file, header, err := r.FormFile("file")
	if err == nil && header.Size > 0 {
		defer func() { _ = file.Close() }() // it was only read
		b, err := io.ReadAll(file)
		if err != nil {
			return "", "", fmt.Errorf("read the upload: %w", err)
		}
		return header.Filename, string(b), nil
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return "", "", rollout.Invalid("The file is larger than 16 MB.")
	}
	if text := r.PostFormValue("text"); strings.TrimSpace(text) != "" {
		return "the pasted text", text, nil
	}
	return "", "", rollout.Invalid("Choose a file or paste its text.")
}

func previewOf(name, text string, result store.Import) page.Preview {
	p := page.Preview{File: name, Text: text, Added: result.Added, Changed: result.Changed, Same: result.Unchanged}
	for _, f := range result.Faults {
		p.Faults = append(p.Faults, page.Fault{Line: f.Line, Column: f.Column, Value: orEmpty(clean(f.Value)), Right: f.Want})
	}
	for i, c := range result.Servers {
		if i == rowsInPreview {
			p.More = len(result.Servers) - rowsInPreview
			break
		}
		row := page.ImportRow{Name: c.Server, New: c.New}
		for _, f := range c.Fields {
			row.Changes = append(row.Changes, page.Change{Field: f.Column, From: clean(f.Before), To: clean(f.After)})
		}
		if c.Cleared {
			row.Changes = append(row.Changes, page.Change{Field: "facts", From: "known", To: "forgotten: it answers elsewhere"})
		}
		p.Rows = append(p.Rows, row)
	}
	n := result.Added + result.Changed
	switch {
	case n == 0 && len(p.Faults) > 0:
		p.Nothing = "No good line in it would change anything."
	case n == 0 && p.Same == 0:
		p.Nothing = "There is no server in it: below the header line, every line is one server."
	case n == 0:
		p.Nothing = "There is nothing to do: every line is as it is here already."
	case len(p.Faults) == 0:
		p.Button = "Import " + ui.Count(n, "server", "servers")
	default:
		p.Good = "Import only the good lines: " + ui.Count(n, "server", "servers")
	}
	return p
}

func orEmpty(text string) string {
	if text == "" {
		return "(empty)"
	}
	return text
}

func (s *server) importApply(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Inventory)
	if err != nil {
		return err
	}
	if err := wholeForm(r); err != nil {
		return err
	}
	text, good := r.PostFormValue("text"), r.PostFormValue("good") != ""
	inventory, faults := exchange.ReadInventory(strings.NewReader(text))
	result, err := s.Store.ImportInventory(r.Context(), v.actor(r), inventory, faults, store.ImportOptions{GoodLines: good})
	if err != nil {
		return err
	}
	if !result.Applied && result.Added+result.Changed > 0 {
		// Something changed since the preview: look again.
		return s.showPreview(w, r, v, r.PostFormValue("file"), text)
	}
	return s.done(w, r, "/servers", fmt.Sprintf("Imported: %s new, %d changed, %d as they were.", ui.Count(result.Added, "server", "servers"), result.Changed, result.Unchanged))
}
