package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// reapplyFix is the fix that writes chosen values of before an upgrade into a
// file that Setup overwrote; configDiff and newFile are the evidence that it goes by.
const (
	reapplyFix = "reapply-um-config"
	configDiff = "config-diff"
	newFile    = "new-file"
)

// difference is one value that is other than before, as the runbook records it.
type difference struct {
	Path  string `json:"path"`
	Old   string `json:"old"`
	New   string `json:"new"`
	Gone  bool   `json:"gone,omitempty"`
	Fresh bool   `json:"fresh,omitempty"`
}

// overwritten lists the files of a server that the Setup of its last upgrade
// overwrote with other values.
func (s *server) overwritten(ctx context.Context, one store.Server) ([]ui.Link, error) {
	upgrades, err := s.Store.UpgradesOfServer(ctx, one.ID)
	if err != nil || len(upgrades) == 0 {
		return nil, err
	}
	all, err := s.Store.Evidence(ctx, upgrades[0].ID)
	if err != nil {
		return nil, err
	}
	var links []ui.Link
	for _, e := range all {
		if e.Kind != configDiff {
			continue
		}
		q := url.Values{"upgrade": {strconv.FormatInt(upgrades[0].ID, 10)}, "evidence": {strconv.FormatInt(e.ID, 10)}}
		links = append(links, ui.Link{Href: serverHref(one.Name) + "/reapply?" + q.Encode(), Text: e.Name + " on " + e.Host})
	}
	return links, nil
}

// compared is what is known of a file that Setup overwrote.
type compared struct {
	upgrade, evidence int64
	host, file        string
	sha256            string // of the file as Setup left it
	differences       []difference
}

func (s *server) comparedFile(ctx context.Context, one store.Server, upgrade, evidence string) (compared, error) {
	c := compared{}
	var err1, err2 error
	c.upgrade, err1 = strconv.ParseInt(upgrade, 10, 64)
	c.evidence, err2 = strconv.ParseInt(evidence, 10, 64)
	none := rollout.NotFound("There is no such comparison of a file on %s.", one.Name)
	upgrades, err := s.Store.UpgradesOfServer(ctx, one.ID)
	if err != nil {
		return c, err
	}
	if err1 != nil || err2 != nil || !slices.ContainsFunc(upgrades, func(u store.UpgradeOfServer) bool { return u.ID == c.upgrade }) {
		return c, none
	}
	content, err := s.Store.EvidenceFile(ctx, c.upgrade, c.evidence)
	if err != nil {
		return c, err
	}
	if content.Kind != configDiff {
		return c, none
	}
	c.host, c.file = content.Host, content.Name
	if err := json.Unmarshal(content.Data, &c.differences); err != nil {
		return c, fmt.Errorf("read the differences of %s: %w", c.file, err)
	}
	all, err := s.Store.Evidence(ctx, c.upgrade)
	if err != nil {
		return c, err
	}
	for _, e := range all {
		if e.Kind == newFile && e.Name == c.file && e.Host == c.host {
			c.sha256 = e.SHA256
		}
	}
	return c, nil
}

// reapplyAsk shows what Setup overwrote in a file.
func (s *server) reapplyAsk(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	one, err := s.Store.ServerByName(r.Context(), part(r, "server"))
	if err != nil {
		return err
	}
	c, err := s.comparedFile(r.Context(), one, r.URL.Query().Get("upgrade"), r.URL.Query().Get("evidence"))
	if err != nil {
		return err
	}
	view := page.Reapply{
		Server: one.Name, Host: c.host, File: clean(c.file), Back: ui.Link{Href: serverHref(one.Name) + "/findings", Text: "Findings"}, Why: v.why(auth.Probe),
		Lead:   "Choose the values that are to be as before. An operator who did not ask for it approves; then they are written into the new file, whose other bytes stay as they are.",
		Hidden: []page.Hidden{{Name: "upgrade", Value: strconv.FormatInt(c.upgrade, 10)}, {Name: "evidence", Value: strconv.FormatInt(c.evidence, 10)}},
	}
	if c.sha256 == "" && view.Why == "" {
		view.Why = "The file as Setup left it was not kept: nothing can be re-applied."
	}
	for i, d := range c.differences {
		row := page.ReapplyRow{Index: i, Path: clean(d.Path), Old: clean(d.Old), New: clean(d.New)}
		switch {
		case d.Gone:
			row.Why = "the new file has no place for it"
		case d.Fresh:
			row.Why = "new with this package"
		}
		view.Rows = append(view.Rows, row)
	}
	view.Frame = s.frame(r, v, "What Setup overwrote", "servers")
	return s.render(w, r, http.StatusOK, page.ReapplyPage(view))
}

// reapply asks for the fix with what was chosen.
func (s *server) reapply(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Probe)
	if err != nil {
		return err
	}
	one, err := s.Store.ServerByName(r.Context(), part(r, "server"))
	if err != nil {
		return err
	}
	c, err := s.comparedFile(r.Context(), one, r.PostFormValue("upgrade"), r.PostFormValue("evidence"))
	if err != nil {
		return err
	}
	h, err := hostOf(one, c.host)
	if err != nil {
		return err
	}
	var chosen []difference
	for _, text := range r.PostForm["chosen"] {
		i, err := strconv.Atoi(text)
		if err != nil || i < 0 || i >= len(c.differences) || c.differences[i].Gone || c.differences[i].Fresh {
			return rollout.Invalid("%q is none of the values that can be re-applied.", text)
		}
		chosen = append(chosen, c.differences[i])
	}
	if len(chosen) == 0 || c.sha256 == "" {
		return rollout.Invalid("Choose at least one value.")
	}
	text, err := json.Marshal(chosen)
	if err != nil {
		return fmt.Errorf("encode what was chosen: %w", err)
	}
	if _, err := s.Store.AskFix(r.Context(), v.actor(r), store.FixAsk{
		Name: reapplyFix, Server: one.ID, Host: h.ID, Reason: reason(r), Choice: map[string]string{"file": c.file, "sha256": c.sha256, "differences": string(text)},
	}); err != nil {
		return err
	}
	return s.done(w, r, serverHref(one.Name)+"/findings", "Asked for. An operator who did not ask for it approves it before anything is written.")
}
