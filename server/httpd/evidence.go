package httpd

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/auth"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// mostShown is how much of a piece of evidence its page shows.
const mostShown = 256 << 10

var evidenceWords = map[string]string{
	"roles": "Builds and markers", "registry": "Action and Watermark", "processes": "Processes", "sessions": "Who is logged on", "setup-errors": "Errors in the setup log", "hook": "What a hook wrote",
	"tasks": "Host tasks", "folder": "Task folder", "log-tail": "End of the setup log", "events": "Events",
}

func evidenceRow(u store.UpgradeView, e store.EvidenceRow, clock ui.Clock) page.EvidenceRow {
	href := fmt.Sprintf("%s/evidence/%d", upgradeHref(u.Rollout, u.Server), e.ID)
	row := page.EvidenceRow{
		Kind: evidenceWords[e.Kind], Name: clean(e.Name), Host: e.Host, Step: shortStep(e.Step), At: clock.Moment(e.At),
		Size: byteWords(e.Size), SHA256: e.SHA256, Href: href, Raw: href + "/raw",
	}
	if row.Kind == "" {
		row.Kind = kindWord(e.Kind)
	}
	if e.Attempt > 1 {
		row.Step += fmt.Sprintf(", attempt %d", e.Attempt)
	}
	return row
}

// evidenceRows lists evidence, the newest reading first.
func evidenceRows(t trouble, clock ui.Clock) []page.EvidenceRow {
	var rows []page.EvidenceRow
	for _, e := range slices.Backward(t.evidence) {
		rows = append(rows, evidenceRow(t.UpgradeView, e, clock))
	}
	return rows
}

func byteWords(n int) string {
	if n < 1024 {
		return ui.Count(n, "byte", "bytes")
	}
	return ui.Number((n+1023)/1024) + " KB"
}

func (s *server) evidenceOf(r *http.Request) (store.UpgradeView, store.EvidenceContent, error) {
	u, err := s.upgradeOf(r)
	if err != nil {
		return u, store.EvidenceContent{}, err
	}
	id, err := number(r, "evidence")
	if err != nil {
		return u, store.EvidenceContent{}, err
	}
	file, err := s.Store.EvidenceFile(r.Context(), u.ID, id)
	return u, file, err
}

// evidence shows one piece of what was read from a host as text.
func (s *server) evidence(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	u, file, err := s.evidenceOf(r)
	if err != nil {
		return err
	}
	view := page.EvidenceText{
		Crumbs: append(rolloutCrumbs(u.Rollout, u.PlanName), ui.Link{Href: upgradeHref(u.Rollout, u.Server) + "#evidence", Text: u.Server}),
		Row:    evidenceRow(u, file.EvidenceRow, v.clock(s.Now())),
	}
	data := file.Data
	if len(data) > mostShown {
		// Two bytes make a character of UTF-16: both parts keep whole ones.
		view.Note = "Only the end is shown; the download holds everything."
		data = append(slices.Clone(data[:2]), data[(len(data)-mostShown)&^1:]...)
	}
	for _, line := range linesOf(asText(data)) {
		view.Lines = append(view.Lines, clean(line))
	}
	view.Frame = s.frame(r, v, view.Row.Kind+" of "+u.Server, "rollouts")
	return s.render(w, r, http.StatusOK, page.EvidencePage(view))
}

// evidenceRaw is one piece as it is kept, byte for byte. Taking it away stands on
// the record.
func (s *server) evidenceRaw(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Export)
	if err != nil {
		return err
	}
	u, file, err := s.evidenceOf(r)
	if err != nil {
		return err
	}
	if err := s.noteTaken(r, v, u, map[string]any{"piece": file.ID, "sha256": file.SHA256}); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s"`, strings.Map(plainName, u.Server), evidenceFile(file.EvidenceRow)))
	_, _ = w.Write(file.Data) // a browser that is gone needs no answer
	return nil
}

// noteTaken records who takes which evidence away, before it goes.
func (s *server) noteTaken(r *http.Request, v viewer, u store.UpgradeView, what map[string]any) error {
	what["upgrade"] = u.ID
	return s.Store.Note(r.Context(), v.actor(r), store.Record{What: "evidence.export", Subject: u.Server, Rollout: u.Rollout, Detail: what})
}

// evidenceFile is a plain name for a piece: "0042-log-tail-ExchangeSetup.log".
func evidenceFile(e store.EvidenceRow) string {
	base := path.Base(strings.ReplaceAll(e.Name, `\`, "/"))
	name := strings.Map(func(c rune) rune {
		if c == '.' {
			return c
		}
		return plainName(c)
	}, base)
	name = strings.Trim(name, ".")
	if name == "" || name == e.Kind {
		name = "read"
	}
	if !strings.Contains(name, ".") {
		name += ".txt"
	}
	return fmt.Sprintf("%04d-%s-%s", e.ID, e.Kind, name[max(0, len(name)-80):])
}

// evidenceEntry is one line of an archive's index.
type evidenceEntry struct {
	File    string    `json:"file"`
	SHA256  string    `json:"sha256"`
	Size    int       `json:"size"`
	Kind    string    `json:"kind"`
	Name    string    `json:"name"`
	Host    string    `json:"host"`
	At      time.Time `json:"at"`
	Step    string    `json:"step"`
	Attempt int       `json:"attempt"`
}

// evidenceZip is all evidence of an upgrade in one archive, with an index and
// the hashes as sha256sum reads them. Taking it away stands on the record.
func (s *server) evidenceZip(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Export)
	if err != nil {
		return err
	}
	u, err := s.upgradeOf(r)
	if err != nil {
		return err
	}
	rows, err := s.Store.Evidence(r.Context(), u.ID)
	if err != nil {
		return err
	}
	if err := s.noteTaken(r, v, u, map[string]any{"pieces": len(rows)}); err != nil {
		return err
	}
	unlimited(r)
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="evidence-%s.zip"`, strings.Map(plainName, u.Server)))
	archive := zip.NewWriter(w)
	put := func(name string, at time.Time, data []byte) error {
		file, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at.UTC()})
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		moreTime(w)
		_, err = file.Write(data)
		return err
	}
	index, sums := []evidenceEntry{}, strings.Builder{}
	for _, row := range rows {
		file, err := s.Store.EvidenceFile(r.Context(), u.ID, row.ID)
		if err != nil {
			return err
		}
		name := evidenceFile(row)
		if err := put(name, row.At, file.Data); err != nil {
			return err
		}
		index = append(index, evidenceEntry{name, row.SHA256, row.Size, row.Kind, row.Name, row.Host, row.At.UTC(), row.Step, row.Attempt})
		fmt.Fprintf(&sums, "%s  %s\n", row.SHA256, name)
	}
	text, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return fmt.Errorf("write the index: %w", err)
	}
	if err := put("index.json", s.Now(), append(text, '\n')); err != nil {
		return err
	}
	if err := put("SHA256SUMS", s.Now(), []byte(sums.String())); err != nil {
		return err
	}
	return archive.Close()
}
