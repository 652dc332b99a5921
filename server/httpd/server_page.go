package httpd

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"wavekeeper/server/auth"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func part(r *http.Request, name string) string { return chi.URLParam(r, name) }

func (s *server) server(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	one, err := s.Store.ServerByName(r.Context(), part(r, "server"))
	if err != nil {
		return err
	}
	upgrades, err := s.Store.UpgradesOfServer(r.Context(), one.ID)
	if err != nil {
		return err
	}
	clock := v.clock(s.Now())
	build, seen := one.Build, false
	var hosts []page.Host
	for _, h := range one.Hosts {
		facts, err := s.Store.Facts(r.Context(), h.ID)
		if err != nil {
			return err
		}
		if read, ok := store.LowestBuild(facts["roles"].Value, facts["exsetup_version"].Value); ok && (!seen || read.Compare(build) < 0) {
			build, seen = read, true
		}
		shown := hostView(h, facts, clock)
		if shown.Contact, err = s.contactView(r, h.ID, clock); err != nil {
			return err
		}
		if err := s.wayIn(r.Context(), v, one, h, &shown, clock); err != nil {
			return err
		}
		if shown.Media, err = s.hostMedia(r, h.ID, clock); err != nil {
			return err
		}
		hosts = append(hosts, shown)
	}
	view := page.Server{
		Name: one.Name, Roles: short(one.Roles), Lead: siteWords(one.Site) + " · " + buildWords(build) + " · " + windowsWords(one.OS),
		Items: inventoryItems(one, build, seen, clock), Hosts: hosts,
		Acts: []ui.Act{
			{Href: serverHref(one.Name) + "/probe", Text: "Probe", Post: true, Why: v.why(auth.Probe)},
			{Href: serverHref(one.Name) + "/contact", Text: "First contact", Post: true, Why: v.why(auth.Probe)},
		},
	}
	for i, u := range upgrades {
		view.Upgrades = append(view.Upgrades, upgradeLine(one.Name, u, clock))
		if i == 0 {
			view.State = ui.State{Key: u.State}
		}
		if i == 0 && !u.Over && !rollout.State(u.State).Decided() {
			text := fmt.Sprintf("In rollout %s: %s", u.PlanName, ui.State{Key: u.State}.Word())
			if u.Step != "" {
				text += ", step " + u.Step
			}
			view.Waits = append(view.Waits, ui.Link{Href: upgradeHref(u.Rollout, u.Server), Text: text})
		}
	}
	if view.Findings, err = s.findingsPart(r.Context(), one, clock); err != nil {
		return err
	}
	view.Frame = s.frame(r, v, one.Name, "servers")
	return s.render(w, r, http.StatusOK, page.ServerPage(view))
}

func windowsWords(os string) string {
	switch os {
	case "":
		return "Windows not known"
	case "2008R2":
		return "Windows Server 2008 R2"
	default:
		return "Windows Server " + os
	}
}

func inventoryItems(one store.Server, build exchange.Build, read bool, clock ui.Clock) []page.Item {
	roles := make([]string, 0, len(one.Roles))
	for _, r := range one.Roles {
		roles = append(roles, string(r))
	}
	items := []page.Item{
		{Name: "Roles", Value: strings.Join(roles, ", ")},
		{Name: "AD site", Value: siteWords(one.Site)},
		{Name: "Build", Value: orDash(one.Build.String()), Note: "as imported, " + buildWords(one.Build)},
		{Name: "Full name", Value: orDash(one.FQDN)},
		{Name: "Windows", Value: windowsWords(one.OS)},
		{Name: "Language", Value: one.Language},
		{Name: "Architecture", Value: one.Arch},
		{Name: "Mailboxes", Value: ui.Number(one.Mailboxes)},
		{Name: "Services", Value: orDash(strings.Join(one.Services, ", ")), Note: "third-party, stopped during Setup"},
		{Name: "Profile", Value: one.Profile, Href: profileHref(one.Profile)},
		{Name: "Imported", Value: clock.Moment(one.ImportedAt).Text, Note: "by " + one.ImportedBy},
	}
	if read {
		items[2].Value, items[2].Note = orDash(build.String()), "as read from its hosts, "+buildWords(build)
		if build != one.Build {
			items[2].Note += "; imported as " + orDash(one.Build.String())
		}
	}
	if one.InternetFacing {
		items[1].Note = "internet-facing"
	}
	if one.Cluster != exchange.Standalone {
		items = append(items, page.Item{Name: "Cluster", Value: string(one.Cluster)})
	}
	if len(one.Tags) > 0 {
		items = append(items, page.Item{Name: "Tags", Value: strings.Join(one.Tags, ", ")})
	}
	return items
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

func hostView(h store.Host, facts map[string]store.Fact, clock ui.Clock) page.Host {
	out := page.Host{Name: h.Name, Address: h.Address, At: clock.MomentOf(h.FactsAt), Stale: h.FactsAt != nil && clock.Now.Sub(*h.FactsAt) > 24*time.Hour}
	if h.Port > 0 {
		out.Address = net.JoinHostPort(h.Address, strconv.Itoa(h.Port))
	}
	if h.LastProbeAt != nil {
		out.Probe = "Last probe " + clock.Ago(*h.LastProbeAt) + ": " + h.Outcome
		if h.Outcome != "done" {
			out.Bad = true
			out.Probe += ". " + clean(h.Error)
		}
	}
	names := make([]string, 0, len(facts))
	for name := range facts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f := facts[name]
		out.Facts = append(out.Facts, page.HostFact{Name: factName(name), Value: factShown(name, f.Value, clock), Source: f.Source, At: clock.Moment(f.At)})
	}
	return out
}

// factNames are the facts whose name alone does not say what they are.
var factNames = map[string]string{
	"arch": "architecture", "boot_time": "running since", "clock_offset_seconds": "clock is off by, seconds", "dotnet20_sp": ".NET 2.0 service pack",
	"fqdn": "full name", "hotfixes": "updates", "install_path": "Exchange's folder", "os": "Windows", "os_service_pack": "Windows service pack",
	"os_version": "Windows version", "pending_restart": "waits for a restart", "setup_processes": "Setup processes", "utc_offset_minutes": "zone, minutes from UTC",
	"winrm": "WinRM",
}

func factName(name string) string {
	if words, ok := factNames[name]; ok {
		return words
	}
	return strings.ReplaceAll(name, "_", " ")
}

// factShown is a fact's value on the page: times in the viewer's zone, and a
// word for what was read and is empty.
func factShown(name string, value json.RawMessage, clock ui.Clock) string {
	words := factWords(name, value)
	if at, err := time.Parse(time.RFC3339, words); err == nil {
		return clock.Moment(at).Text
	}
	switch {
	case words != "":
		return words
	case name == "pending_restart":
		return "no"
	default:
		return "none"
	}
}

// factWords shows a fact's JSON as words: text as it is, a list with commas,
// roles with their builds, services as a count.
func factWords(name string, value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return clean(text)
	}
	var list []any
	if json.Unmarshal(value, &list) == nil {
		if len(list) > 12 || name == "services" {
			return ui.Count(len(list), "entry", "entries")
		}
		words := make([]string, 0, len(list))
		for _, one := range list {
			words = append(words, elementWords(one))
		}
		return clean(strings.Join(words, ", "))
	}
	var roles map[string]struct {
		Configured, Action, Watermark string
	}
	if name == "roles" && json.Unmarshal(value, &roles) == nil {
		words := make([]string, 0, len(roles))
		for role, r := range roles {
			one := role + " " + r.Configured
			if r.Action != "" || r.Watermark != "" {
				one += " (Setup began and did not end)"
			}
			words = append(words, one)
		}
		slices.Sort(words)
		return clean(strings.Join(words, ", "))
	}
	var object map[string]any
	if json.Unmarshal(value, &object) == nil && len(object) > 12 {
		return ui.Count(len(object), "entry", "entries")
	}
	return clean(string(value))
}

// elementWords shows one element of a fact's list: text as it is, a disk with
// what is free on it.
func elementWords(one any) string {
	m, ok := one.(map[string]any)
	if !ok {
		return fmt.Sprint(one)
	}
	free, isDisk := m["free"].(float64)
	if size, ok := m["size"].(float64); ok && isDisk {
		return fmt.Sprintf("%v %s GB free of %s GB", m["name"], gigabytes(free), gigabytes(size))
	}
	words := make([]string, 0, len(m))
	for _, key := range sortedKeys(m) {
		words = append(words, fmt.Sprintf("%s %v", key, m[key]))
	}
	return strings.Join(words, " ")
}

func gigabytes(bytes float64) string { return strconv.FormatFloat(bytes/(1<<30), 'f', 1, 64) }

func upgradeLine(name string, u store.UpgradeOfServer, clock ui.Clock) page.UpgradeLine {
	line := page.UpgradeLine{
		Href: upgradeHref(u.Rollout, u.Server), Rollout: u.PlanName, Package: packageWords(u.Package), State: ui.State{Key: u.State},
		Started: clock.MomentOf(u.StartedAt),
	}
	if u.Server != name {
		line.Rollout += ", as " + u.Server + " on the same nodes"
	}
	if u.State == string(rollout.Done) {
		line.Build = u.Build
	}
	line.Took = took(u.StartedAt, u.EndedAt, clock.Now)
	return line
}

// took says how long something took, or has taken so far.
func took(began, ended *time.Time, now time.Time) string {
	switch {
	case began == nil:
		return ""
	case ended == nil:
		return ui.Duration(now.Sub(*began)) + " so far"
	default:
		return ui.Duration(ended.Sub(*began))
	}
}

// stateOf is a state as a component takes it.
func stateOf[T ~string](s T) ui.State { return ui.State{Key: string(s)} }
