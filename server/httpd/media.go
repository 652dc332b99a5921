package httpd

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// hostsOfMedia is how many hosts the page of one medium lists at the most.
const hostsOfMedia = 500

func mediaHref(id int64) string { return fmt.Sprintf("/media/%d", id) }

func (s *server) media(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	all, err := s.Store.MediaList(r.Context())
	if err != nil {
		return err
	}
	sources, err := s.Store.MediaSources(r.Context())
	if err != nil {
		return err
	}
	clock := v.clock(s.Now())
	view := page.MediaList{
		Frame: s.frame(r, v, "Media", "servers"), Lead: ui.Count(len(all), "medium", "media"), Sources: sourceRows(sources, clock),
		Empty: ui.Empty{
			Title: "No media yet",
			Text:  "wavekeeper media add, on the console's machine, takes in a service pack; hosts then fetch it. Packages that lie on the hosts already need none.",
		},
	}
	for i := len(all) - 1; i >= 0; i-- { // the newest first
		view.Rows = append(view.Rows, mediumRow(all[i], clock))
	}
	return s.render(w, r, http.StatusOK, page.MediaPage(view))
}

func mediumRow(m store.Medium, clock ui.Clock) page.MediumRow {
	row := page.MediumRow{
		ID: strconv.FormatInt(m.ID, 10), Href: mediaHref(m.ID), Name: packageWords(m.Package) + ", " + archWords(m.Arch), Build: orDash(m.Build),
		UM: orDash(strings.Join(m.UMLanguages, ", ")), Size: sizeWords(m.BundleSize), Added: clock.Moment(m.AddedAt), By: m.AddedBy,
	}
	hosts := 0
	var languages []string
	for _, u := range m.Uses {
		hosts += u.Hosts
		languages = append(languages, u.Language)
	}
	switch {
	case m.ForgottenAt != nil:
		row.For, row.Unused = "forgotten", true
	case m.Arch == "x86":
		row.For = "the organization only"
	case len(languages) == 0:
		row.For, row.Unused = "replaced", true
	default:
		row.For = strings.Join(languages, ", ")
	}
	row.Staged = "on " + ui.Count(m.Staged, "host", "hosts")
	if hosts > 0 {
		row.Staged = fmt.Sprintf("%d of %s", m.Staged, ui.Count(hosts, "host", "hosts"))
		row.Percent = min(100, m.Staged*100/hosts)
	}
	return row
}

func archWords(arch string) string {
	if arch == "x86" {
		return "32-bit"
	}
	return "64-bit"
}

// sizeWords writes a number of bytes as people read it.
func sizeWords(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%d MB", n/1e6)
	}
	return fmt.Sprintf("%d kB", (n+999)/1000)
}

func sourceRows(sources []store.MediaSource, clock ui.Clock) []page.SourceRow {
	rest := page.SourceRow{Site: "all other sites", From: "the console"}
	var rows []page.SourceRow
	for _, m := range sources {
		row := page.SourceRow{Site: siteWords(m.Site), From: "the console", Set: clock.Moment(m.SetAt), By: m.SetBy}
		if m.Kind != store.SourceConsole {
			row.From = m.Kind + " " + m.Base
		}
		if m.Site == "" {
			row.Site, rest = rest.Site, row
			rest.Site = row.Site
			continue
		}
		rows = append(rows, row)
	}
	return append(rows, rest)
}

func (s *server) medium(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(part(r, "media"), 10, 64)
	if err != nil {
		return rollout.NotFound("There are no media at this address.")
	}
	m, err := s.Store.MediaByID(r.Context(), id)
	if err != nil {
		return err
	}
	stagings, all, err := s.Store.MediumStagings(r.Context(), id, hostsOfMedia)
	if err != nil {
		return err
	}
	clock := v.clock(s.Now())
	view := mediumView(m, clock)
	servers, err := s.Store.ServersOfHosts(r.Context())
	if err != nil {
		return err
	}
	if more := all - len(stagings); more > 0 {
		view.More = fmt.Sprintf("and %s", ui.Count(more, "more host", "more hosts"))
	}
	for _, g := range stagings {
		view.Hosts = append(view.Hosts, stagedHost(g, servers[g.Host.ID], clock))
	}
	view.Frame = s.frame(r, v, "Media "+view.Row.Name, "servers")
	return s.render(w, r, http.StatusOK, page.MediumPage(view))
}

func mediumView(m store.Medium, clock ui.Clock) page.Medium {
	view := page.Medium{Row: mediumRow(m, clock)}
	if m.FileName != "" {
		view.Facts = append(view.Facts,
			page.MediumFact{Name: "File", Value: fmt.Sprintf("%s, %d bytes", m.FileName, m.FileSize)}, page.MediumFact{Name: "SHA-256 of the file", Hash: m.FileSHA256})
	} else {
		view.Facts = append(view.Facts, page.MediumFact{Name: "File", Value: "an unpacked folder"})
	}
	view.Facts = append(view.Facts,
		page.MediumFact{Name: "Given for", Value: strings.Join(m.Languages, ", ")},
		page.MediumFact{Name: "Build", Value: orDash(m.Build)},
		page.MediumFact{Name: "UM language packs", Value: orDash(strings.Join(m.UMLanguages, ", "))},
		page.MediumFact{Name: "Unpacked", Value: fmt.Sprintf("%s, %s", ui.Count(m.Files, "file", "files"), sizeWords(m.TreeSize))},
		page.MediumFact{Name: "To fetch", Value: sizeWords(m.BundleSize)},
		page.MediumFact{Name: "SHA-256 of the list of files", Hash: m.ManifestSHA256},
		page.MediumFact{Name: "SHA-256 of what is fetched", Hash: m.BundleSHA256},
		page.MediumFact{Name: "SHA-256 of setup.com", Hash: m.SetupSHA256},
		page.MediumFact{Name: "Added", Value: clock.Ago(m.AddedAt) + " by " + m.AddedBy},
	)
	for _, u := range m.Uses {
		view.Uses = append(view.Uses, page.MediumUse{Package: packageWords(u.Package) + ", " + u.Language, Folder: u.Folder, Hosts: ui.Count(u.Hosts, "host", "hosts")})
	}
	switch {
	case m.ForgottenAt != nil:
		view.Ended = fmt.Sprintf("%s took these media out of use, %s. What lies on hosts stays there.", m.ForgottenBy, clock.Ago(*m.ForgottenAt))
	case m.Arch == "x86":
		view.Ended = "32-bit media only prepare the organization: no server is upgraded with them."
	case len(m.Uses) == 0:
		view.Ended = "Other media have taken their place: no package points to these any more."
	}
	return view
}

// hostMedia is how media stand on one host, the newest first.
func (s *server) hostMedia(r *http.Request, host int64, clock ui.Clock) ([]page.HostMedium, error) {
	stagings, err := s.Store.Stagings(r.Context(), 0, host)
	if err != nil || len(stagings) == 0 {
		return nil, err
	}
	all, err := s.Store.MediaList(r.Context())
	if err != nil {
		return nil, err
	}
	rows := make([]page.HostMedium, 0, len(stagings))
	for i := len(stagings) - 1; i >= 0; i-- {
		g := stagings[i]
		row := page.HostMedium{Href: mediaHref(g.Media), Stand: stagedHost(g, "", clock), From: clean(g.Source)}
		for _, m := range all {
			if m.ID == g.Media {
				row.Name = packageWords(m.Package) + ", " + archWords(m.Arch)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// stagedHost is how a medium stands on one host.
func stagedHost(g store.Staging, server string, clock ui.Clock) page.StagedHost {
	h := page.StagedHost{
		Host: g.Host.Name, State: ui.State{Key: string(g.State)}, Words: stagingWords(g, clock), Percent: g.Percent(),
		Moves: g.Open() && g.Phase == store.PhaseFetch, At: clock.Moment(stagingAt(g)), Asked: g.AskedBy,
	}
	if server != "" {
		h.Server = ui.Link{Href: serverHref(server), Text: server}
	}
	if g.Reason != "" {
		h.Asked += ": " + clean(g.Reason)
	}
	if g.State != rollout.Done {
		h.Remedy, h.Refused = clean(g.Remedy), clean(g.Refused)
	}
	return h
}
