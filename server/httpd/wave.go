package httpd

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/server/auth"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// waveOf loads the rollout and the wave that the address names.
func (s *server) waveOf(r *http.Request) (store.RolloutView, store.WaveView, error) {
	id, err := number(r, "rollout")
	if err != nil {
		return store.RolloutView{}, store.WaveView{}, err
	}
	n, err := number(r, "wave")
	if err != nil {
		return store.RolloutView{}, store.WaveView{}, err
	}
	o, err := s.Store.Rollout(r.Context(), id)
	if err != nil {
		return o, store.WaveView{}, err
	}
	i := slices.IndexFunc(o.Waves, func(w store.WaveView) bool { return int64(w.Number) == n })
	if i < 0 {
		return o, store.WaveView{}, rollout.NotFound("The rollout has no wave %d.", n)
	}
	return o, o.Waves[i], nil
}

func (s *server) wave(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	o, wave, err := s.waveOf(r)
	if err != nil {
		return err
	}
	view, err := s.approveView(r, v, o, wave)
	if err != nil {
		return err
	}
	view.Frame = s.frame(r, v, view.Title, "rollouts")
	return s.render(w, r, http.StatusOK, page.ApprovePage(view))
}

func (s *server) approveView(r *http.Request, v viewer, o store.RolloutView, wave store.WaveView) (page.Approve, error) {
	report, err := s.explain(r.Context(), o.Content)
	if err != nil {
		return page.Approve{}, err
	}
	lines, err := s.Store.ServerLines(r.Context())
	if err != nil {
		return page.Approve{}, err
	}
	preparations, err := s.Store.Preparations(r.Context())
	if err != nil {
		return page.Approve{}, err
	}
	content, err := s.Store.WaveContent(r.Context(), wave.ID, s.Runbooks)
	if err != nil {
		return page.Approve{}, err
	}
	clock := v.clock(s.Now())
	by := map[string]store.ServerLine{}
	for _, l := range lines {
		by[l.Name] = l
	}
	base := waveHref(o.ID, wave.Number)
	count := ui.Count(len(wave.Upgrades), "server", "servers")
	view := page.Approve{
		Crumbs: rolloutCrumbs(o.ID, o.PlanName), Title: fmt.Sprintf("Approve wave %d", wave.Number), State: waveState(o.State, wave.State),
		Lead: o.PlanName + " · " + goalWords(o.Content), Hash: o.Hash, Revision: "Revision " + ui.Digits(o.Revision),
		Button: fmt.Sprintf("Approve wave %d: %s", wave.Number, count), Action: base + "/approve",
		Diff:  "The content below is revision " + ui.Digits(o.Revision) + " as it was submitted; it cannot change any more.",
		Stops: stopSentence(o.Content.Policy), Floor: floorSentence(o.Content.Policy), Prepared: prepared(v, o.Plan, o.Content.Package, preparations, clock).Text,
		NoReturn: s.noReturn(o.Content, wave),
	}
	if wave.State != rollout.WaveWaiting {
		view.Title = fmt.Sprintf("Wave %d", wave.Number)
	}
	view.Servers, view.Blast = approveServers(wave, o, report, by)
	view.Bound, view.Seen = boundServers(content), content.Seen
	view.Evidence = waveEvidence(wave, report)
	view.Fresh = freshness(wave, by, clock)
	if o.Content.Kind == rollout.OfServers {
		if view.Checks, err = s.checksOf(r.Context(), o.Content, waveUnits(content), clock); err != nil {
			return page.Approve{}, err
		}
	}
	view.When = waveTimes(wave, o, report, clock)
	if view.Media, err = s.waveMedia(r, v, o, wave, clock); err != nil {
		return page.Approve{}, err
	}
	facts, err := s.Store.OrganizationFacts(r.Context())
	if err != nil {
		return page.Approve{}, err
	}
	view.Prepared += byHandWords(facts)
	if o.Content.Kind == rollout.OfOrganization {
		if view.Know, view.Confirmed, err = s.confirmedPoints(r.Context(), o.ID, clock); err != nil {
			return page.Approve{}, err
		}
		_, known := preparations[o.Content.Package.Name]
		if err := s.approveOrganization(r.Context(), &view, o, known, clock); err != nil {
			return page.Approve{}, err
		}
	}
	view.Why = s.whyNotApprove(v, o, wave)
	for _, c := range content.Servers {
		if view.Why == "" && c.SetupSHA256 == "" {
			view.Why = fmt.Sprintf("No media of %s is registered for %s (%s, %s).", packageWords(c.Package), c.Server, c.Language, c.Arch)
		}
	}
	if changed := changedSince(wave); len(changed) > 0 {
		view.Title = fmt.Sprintf("Approve wave %d again", wave.Number)
		view.Diff = strings.Join(changed, " ")
	}
	if v.may(auth.Approve) && !ended(o.State) && begun(o) == 0 {
		view.Reject = rolloutHref(o.ID) + "/reject"
	}
	if wave.ApprovedBy != "" {
		view.Standing = fmt.Sprintf("%s approved it, %s: %s", wave.ApprovedBy, clock.MomentOf(wave.ApprovedAt).Text, wave.ApprovalReason)
		if v.may(auth.Approve) && wave.State == rollout.WaveApproved {
			view.Withdraw = base + "/withdraw"
		}
	}
	return view, nil
}

// changedSince says, server by server, what no longer fits the approval.
func changedSince(wave store.WaveView) []string {
	var out []string
	for _, u := range wave.Upgrades {
		for _, reason := range u.Reasons {
			if reason.Rule == "approval-does-not-match" && !u.State.Decided() {
				out = append(out, u.Server+": "+reason.Text)
			}
		}
	}
	return out
}

// whyNotApprove is empty when the viewer can approve the wave now. The store
// holds the same rules; here they are said before the button is pressed.
func (s *server) whyNotApprove(v viewer, o store.RolloutView, wave store.WaveView) string {
	switch {
	case v.ID == o.AuthorID:
		return "You wrote this plan; a second person approves it."
	case v.ID == o.Submitter:
		return "You submitted this plan; a second person approves it."
	case !v.may(auth.Approve):
		return v.why(auth.Approve)
	case o.State == rollout.RolloutStopped || o.State == rollout.RolloutDone:
		return "The rollout is " + strings.ToLower(stateOf(o.State).Word()) + "."
	case wave.State == rollout.WaveDone:
		return "The wave is done."
	case wave.ApprovedBy != "" && len(changedSince(wave)) == 0:
		return "It is approved already."
	default:
		return ""
	}
}

func approveServers(wave store.WaveView, o store.RolloutView, report rollout.Report, by map[string]store.ServerLine) ([]page.ApproveServer, []page.Item) {
	only := map[string]bool{}
	for _, f := range report.Findings {
		if f.Rule == "only-server-of-its-role-in-its-site" {
			for _, name := range f.Servers {
				only[name] = true
			}
		}
	}
	after := map[string][]string{}
	for _, w := range report.Waves {
		for _, one := range w.Servers {
			after[one.Server] = afterWords(one.After)
		}
	}
	var servers []page.ApproveServer
	mailboxes, last := 0, 0
	sites := map[string]bool{}
	for _, u := range wave.Upgrades {
		l := by[u.Server]
		one := page.ApproveServer{
			Name: u.Server, Href: serverHref(u.Server), Roles: short(u.Roles), Site: siteWords(u.Site), From: orDash(l.Build.String()), To: o.Content.Target().Target.String(),
			Mailboxes: ui.Number(l.Mailboxes),
		}
		if !slices.Contains(u.Roles, exchange.Mailbox) && l.Mailboxes == 0 {
			one.Mailboxes = "–"
		}
		if a := after[u.Server]; len(a) > 0 {
			one.After = a[0]
		}
		if only[u.Server] {
			one.Last = "the only one of a role in " + siteWords(u.Site)
			last++
		}
		mailboxes += l.Mailboxes
		sites[siteWords(u.Site)] = true
		servers = append(servers, one)
	}
	var names []string
	for name := range sites {
		names = append(names, name)
	}
	slices.Sort(names)
	return servers, []page.Item{
		{Name: "Servers", Value: ui.Number(len(servers))},
		{Name: "Mailboxes", Value: ui.Number(mailboxes)},
		{Name: "AD sites", Value: ui.Number(len(names)), Note: ui.List(names, 4)},
		{Name: "Last of a role in its site", Value: ui.Number(last)},
	}
}

// boundServers says what an approval would bind, server by server: it comes from
// what is hashed, not from the lists beside it.
func boundServers(content store.WaveContent) []page.BoundServer {
	var out []page.BoundServer
	for _, c := range content.Servers {
		one := page.BoundServer{
			Name: c.Server, Build: orDash(c.StartingBuild), Folder: orDash(c.Folder), Hash: c.SetupSHA256, Manifest: c.Manifest,
			RunAs: orDash(c.RunAs), Profile: c.Profile, Services: "stops no service of a third party",
		}
		one.Runbook = fmt.Sprintf("%s, version %d", c.Runbook, c.Version)
		if len(c.Servers) > 1 {
			one.As = c.Cluster + " cluster with " + strings.Join(c.Servers, ", ")
		}
		if c.Then.Package != "" {
			one.Then = &page.BoundPackage{Name: packageWords(c.Then.Package), Folder: orDash(c.Then.Folder), Hash: c.Then.SetupSHA256, Manifest: c.Then.Manifest}
		}
		for _, h := range c.Hooks {
			one.Hooks = append(one.Hooks, page.BoundHook{Point: h.Point, Name: h.Name, Hash: h.SHA256})
		}
		if len(c.Services) > 0 {
			one.Services = "stops " + strings.Join(c.Services, ", ")
		}
		for _, h := range c.Hosts {
			address := h.Address
			if h.Port != 0 {
				address = net.JoinHostPort(h.Address, strconv.Itoa(h.Port))
			}
			if len(c.Hosts) > 1 || h.Name != c.Server {
				address = h.Name + " " + address
			}
			one.Addresses = append(one.Addresses, address)
		}
		out = append(out, one)
	}
	return out
}

// waveEvidence is what planning found about the servers of a wave.
func waveEvidence(wave store.WaveView, report rollout.Report) []page.Finding {
	in := func(names []string) []string {
		var out []string
		for _, u := range wave.Upgrades {
			if slices.Contains(names, u.Server) {
				out = append(out, u.Server)
			}
		}
		return out
	}
	var out []page.Finding
	for _, f := range report.Findings {
		if names := in(f.Servers); len(names) > 0 {
			out = append(out, page.Finding{Severity: string(f.Severity), Rule: f.Rule, Text: f.Text, Servers: ui.List(names, 12)})
		}
	}
	for _, t := range report.Tensions {
		if names := in(t.Servers); len(names) > 0 {
			severity := "warning"
			if t.Strength == rollout.Breaks {
				severity = "blocker"
			}
			out = append(out, page.Finding{Severity: severity, Rule: t.Rule, Text: t.Text, Servers: ui.List(names, 12)})
		}
	}
	return out
}

func freshness(wave store.WaveView, by map[string]store.ServerLine, clock ui.Clock) string {
	var oldest time.Time
	missing := 0
	for _, u := range wave.Upgrades {
		at := by[u.Server].FactsAt
		if at == nil {
			missing++
			continue
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = *at
		}
	}
	text := "read again from the hosts when each server starts; the preflight runs then"
	switch {
	case missing == len(wave.Upgrades):
		return "none were read yet; they are " + text
	case missing > 0:
		return fmt.Sprintf("%s without; the oldest are %s old; %s", ui.Count(missing, "server", "servers"), ui.Duration(clock.Now.Sub(oldest)), text)
	default:
		return "at most " + ui.Duration(clock.Now.Sub(oldest)) + " old; " + text
	}
}

func floorSentence(p rollout.Policy) string {
	if p.Floor.Count == 0 && p.Floor.Percent == 0 {
		return "none: all servers of a role in a site may be out of service together"
	}
	return p.Floor.String() + " that has two or more; checked again at every start"
}

func waveTimes(wave store.WaveView, o store.RolloutView, report rollout.Report, clock ui.Clock) []page.Item {
	expected, slow := map[string]time.Duration{}, map[string]time.Duration{}
	for _, w := range report.Waves {
		for _, one := range w.Servers {
			expected[one.Server] = time.Duration(one.P50Minutes) * time.Minute
			slow[one.Server] = time.Duration(one.P90Minutes) * time.Minute
		}
	}
	begins := "as soon as it is approved"
	for _, w := range o.Waves {
		if w.Number < wave.Number && w.State != rollout.WaveDone {
			begins = fmt.Sprintf("when wave %d is done or decided", wave.Number-1)
			if o.Content.Policy.Overlap {
				begins = "each server as soon as what it waits for is verified"
			}
		}
	}
	if wave.StartedAt != nil {
		begins = "began " + clock.MomentOf(wave.StartedAt).Text
	}
	items := []page.Item{
		{Name: "Window", Value: "the plan has none: it may start at any time"},
		{Name: "Begins", Value: begins},
	}
	if d := waveLeft(wave, expected, o.Content); d > 0 {
		items = append(items, page.Item{Name: "Takes", Value: "about " + ui.Duration(d) + ", " + ui.Duration(waveLeft(wave, slow, o.Content)) + " if it goes slowly"})
	}
	return items
}

// noReturn says what cannot be undone.
func (s *server) noReturn(p rollout.Plan, wave store.WaveView) []string {
	out := []string{"Setup takes each server to " + p.Package.Words + ". There is no way back but to restore it."}
	switch {
	case p.Kind == rollout.OfOrganization:
		out = []string{"Setup changes schema, organization and domains for " + p.Package.Words + ". There is no way back but to restore Active Directory."}
	case p.Package.Kind == exchange.Rollup:
		out = []string{"Each server gets " + p.Package.Words + ". This program does not take it off again."}
	case p.Then != nil:
		out[0] += " " + p.Then.Words + " follows on each."
	}
	var said []string
	for _, u := range wave.Upgrades {
		for _, st := range s.book(u.Runbook).Steps {
			if name := shortStep(column(st)); st.NoReturn && !slices.Contains(said, name) {
				said = append(said, name)
			}
		}
	}
	switch {
	case len(said) == 1:
		out = append(out, "The point of no return is the step “"+said[0]+"”.")
	case len(said) > 1:
		out = append(out, "Points of no return are the steps “"+strings.Join(said, "”, “")+"”.")
	}
	if p.Kind == rollout.OfServers && p.Package.Kind == exchange.ServicePack && slices.ContainsFunc(wave.Upgrades, func(u store.UpgradeRow) bool { return slices.Contains(u.Roles, exchange.Mailbox) }) {
		out = append(out, "Mailbox databases are upgraded when they are mounted the first time afterwards.")
	}
	return out
}
