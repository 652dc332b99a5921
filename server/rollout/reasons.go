package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// reasons says what keeps a server of an open wave from starting. Limits are
// looked at only when nothing else does, readings only when limits do not.
func (d *decision) reasons(u *UpgradeStatus) []Reason {
	if u.NotLetIn != "" {
		return []Reason{plainReason("host-does-not-let-us-in", u.NotLetIn)}
	}
	if d.s.Plan.Kind == OfOrganization {
		return d.organizationReasons(u)
	}
	if reasons := append(u.elsewhereReasons(), u.unwaived(slices.Concat(d.approvalReasons(u), d.orderReasons(u), u.mediaReasons()))...); len(reasons) > 0 {
		return reasons
	}
	if reasons := d.limits.witnessReasons(d.units[u.Server]); len(reasons) > 0 {
		return reasons
	}
	reasons := u.unwaived(d.limits.reasons(d.units[u.Server], u))
	d.lookAround()
	if len(reasons) == 0 {
		reasons = d.readingReasons(u)
	}
	return reasons
}

// organizationReasons says what keeps the preparation of the organization from
// starting. It takes nothing out of service, so that no limit and no order holds
// it; it is what others wait for.
func (d *decision) organizationReasons(u *UpgradeStatus) []Reason {
	if on := d.s.PreparingOn; on != "" { // two runs of Setup would change one schema; nobody waives that
		return []Reason{plainReason("organization-is-being-prepared", "Another rollout prepares the organization on "+on+" now.")}
	}
	if reasons := append(u.elsewhereReasons(), u.unwaived(append(d.approvalReasons(u), u.mediaReasons()...))...); len(reasons) > 0 {
		return reasons
	}
	reasons, _ := d.factReasons(u)
	return u.unwaived(reasons)
}

// elsewhereReasons is what another rollout does on the server, or left there:
// what is found on it now is not the state to come back to. Nobody waives that.
func (u *UpgradeStatus) elsewhereReasons() []Reason {
	switch {
	case u.InWorkElsewhere:
		return []Reason{plainReason("in-work-in-another-rollout", u.Server+" is in work in another rollout.")}
	case u.Fixing != "":
		return []Reason{plainReason("fix-in-work", u.Server+" waits: "+u.Fixing+" is in work, and ends first.")}
	case u.OwedElsewhere:
		return []Reason{plainReason("not-put-back-in-another-rollout", "What another rollout changed on "+u.Server+" is not put back. Decide there: skip "+u.Server+", which puts it back, or run it again.")}
	}
	return nil
}

// unwaived leaves out what a person waived.
func (u *UpgradeStatus) unwaived(reasons []Reason) []Reason {
	return slices.DeleteFunc(reasons, func(r Reason) bool { return slices.Contains(u.Waived, r.Rule) })
}

// unprepared says what of the organization the plan's Setup would still change
// by itself; "" = nothing. What was read of it counts more than what was recorded.
func (d *decision) unprepared() string {
	switch {
	case d.s.Plan.Kind == OfOrganization || d.s.Plan.Package.Kind != exchange.ServicePack:
		return ""
	case len(d.s.Unprepared) > 0:
		return "The first Setup of " + d.s.Plan.Package.Words + " would still change the organization itself: " + strings.Join(d.s.Unprepared, "; ") + ". Prepare it first, with a plan of its own."
	case !d.s.Prepared:
		return "Nobody recorded that the organization is prepared for " + d.s.Plan.Package.Words + "; the first Setup would prepare it unasked."
	}
	return ""
}

func (d *decision) approvalReasons(u *UpgradeStatus) []Reason {
	var out []Reason
	if missing := d.unprepared(); missing != "" {
		out = append(out, plainReason("organization-is-not-prepared", missing))
	}
	switch u.Approval {
	case ApprovalMatching:
	case ApprovalStale:
		out = append(out, plainReason("approval-does-not-match", "The approval no longer matches what would be done: "+strings.Join(u.Changed, "; ")+". Approve the wave again."))
	case ApprovalNone:
		out = append(out, plainReason("approval-is-missing", fmt.Sprintf("No approval of wave %d covers this server.", u.Wave)))
	default:
		out = append(out, plainReason("approval-is-missing", fmt.Sprintf("No approval of wave %d covers this server.", u.Wave)))
	}
	return out
}

// mediaReasons holds a server whose package is on its way to it: fetching it is
// no work for the window. Waived, the upgrade's own step does it.
func (u *UpgradeStatus) mediaReasons() []Reason {
	if u.MediaAwaited == "" {
		return nil
	}
	return []Reason{plainReason("media-is-not-staged", u.MediaAwaited)}
}

// unmet is what of a class does not satisfy its successors.
type unmet struct {
	servers []string // names, sorted
	read    []string // those outside whose builds were not read lately
	aging   []string // those outside that are verified and whose builds will soon not have been
	only    bool     // nothing but a reading is missing
}

func (d *decision) unmetOf(c *class) unmet {
	if known, ok := d.unmet[c]; ok {
		return known
	}
	out := unmet{only: true}
	for _, u := range c.units {
		if up := d.upgrades[u.name]; up != nil {
			if up.State != Done || up.VerifiedAt.IsZero() {
				out.servers = append(out.servers, u.name)
				out.only = false
			}
			continue
		}
		o := d.outside[u.name]
		reached := o.reached(d.s.Plan.Target().Target)
		fresh := d.fresh(o.readAt)
		if reached && fresh {
			if !within(o.readAt, d.now, FactsFresh/2) {
				out.aging = append(out.aging, u.name)
			}
			continue
		}
		out.servers = append(out.servers, u.name)
		if !fresh {
			out.read = append(out.read, u.name)
		}
		if !reached && fresh {
			out.only = false
		}
	}
	d.unmet[c] = out
	return out
}

// reached reports whether a server outside counts as verified: as a server of
// the rollout does only after its verify step, one that a Setup left half done,
// whose roles were not all found or that is out of service does not.
func (o *outsideUnit) reached(target exchange.Build) bool {
	return o.build.AtLeast(target) && len(o.doubts) == 0 && !o.Down && len(o.DownRoles) == 0
}

func (d *decision) fresh(readAt time.Time) bool {
	return within(readAt, d.now, FactsFresh)
}

// within reports whether something was at most so long ago. What lies in the
// future was before the clock was set back, nobody knows how long ago.
func within(at, now time.Time, age time.Duration) bool {
	return !at.IsZero() && now.Sub(at) <= age && at.Sub(now) <= time.Minute
}

// orderReasons has one reason for each rule whose earlier servers are not all
// verified; rules that only follow from others speak when no direct one does. When nothing but readings is missing, they are asked for.
// Servers of one class wait for the same, so the answer is kept by class.
func (d *decision) orderReasons(u *UpgradeStatus) []Reason {
	c := d.units[u.Server].class
	if len(u.Waived) > 0 {
		return d.classReasons(c, u.Waived)
	}
	known, ok := d.byOrder[c]
	if !ok {
		known = d.classReasons(c, nil)
		d.byOrder[c] = known
	}
	return known
}

func (d *decision) classReasons(waiting *class, waived []string) []Reason {
	var out []Reason
	var read, aging []string
	only := true
	for _, g := range waiting.before {
		if slices.Contains(waived, g.rule.Name) {
			continue
		}
		for _, c := range g.classes {
			aging = append(aging, d.unmetOf(c).aging...)
		}
		if g.chain && len(out) > 0 {
			continue
		}
		r := Reason{Rule: g.rule.Name, Strength: g.strength, Scope: g.scope, Servers: []string{}}
		for _, c := range g.classes {
			missing := d.unmetOf(c)
			r.Servers = append(r.Servers, missing.servers...)
			read = append(read, missing.read...)
			only = only && missing.only
		}
		if r.Count = len(r.Servers); r.Count == 0 {
			continue
		}
		slices.Sort(r.Servers)
		r.Text = fmt.Sprintf("Waits for %s to be verified at %s or newer: %s.", shortList(r.Servers), d.s.Plan.Target().Words, g.rule.Reason)
		if gone := d.skippedOf(r.Servers); len(gone) > 0 {
			r.Text += fmt.Sprintf(" %s skipped in this rollout, so that cannot come in it: skip what waits, or stop the rollout and plan anew what is left, skipped servers included.", wasOrWere(gone))
		}
		r.Servers = r.Servers[:min(len(r.Servers), mostNamed)]
		out = append(out, r)
	}
	if only && len(out) > 0 {
		slices.Sort(read)
		for _, name := range slices.Compact(read) {
			d.readOutside(name, "whose builds were not read in the last 30 minutes")
		}
		// One after the other they would grow old while the others are read, and
		// nothing might ever start.
		slices.Sort(aging)
		for _, name := range slices.Compact(aging) {
			d.readOutside(name, "whose builds are read with those of others")
		}
	}
	return out
}

// skippedOf lists the servers that were skipped here: they never satisfy one
// that waits for them.
func (d *decision) skippedOf(servers []string) []string {
	var out []string
	for _, name := range servers {
		if up := d.upgrades[name]; up != nil && up.State == Skipped {
			out = append(out, name)
		}
	}
	return out
}

func wasOrWere(servers []string) string {
	if len(servers) == 1 {
		return servers[0] + " was"
	}
	return shortList(servers) + " were"
}

func (d *decision) readOutside(name, why string) {
	o := d.outside[name]
	if !o.refreshing && (o.readError == "" || d.now.Sub(o.triedAt) >= ReadAgainAfter) {
		d.ask(name, "Another server waits for "+name+", "+why+".")
	}
}

func (d *decision) ask(name, text string) {
	if d.asked[name] {
		return
	}
	d.asked[name] = true
	d.act(Action{Kind: DoRefresh, Server: name, Text: text})
}

// readingReasons holds a server until its own builds and facts are fresh, and
// until those that must stay in service were seen so lately. While they are read
// its place is kept; a server that does not answer keeps none.
func (d *decision) readingReasons(u *UpgradeStatus) []Reason {
	unit := d.units[u.Server]
	reasons := d.limits.healthReasons(unit)
	d.lookAround()
	facts, place := d.factReasons(u)
	if reasons = u.unwaived(append(reasons, facts...)); len(reasons) > 0 && place {
		d.limits.take(unit)
	}
	return reasons
}

// lookAround asks for a look at the servers on whose being in service the start
// that was judged last depends.
func (d *decision) lookAround() {
	for _, name := range d.limits.unsure {
		refreshing := false
		if up := d.upgrades[name]; up != nil {
			refreshing = up.Refreshing
		} else if o := d.outside[name]; o != nil {
			refreshing = o.refreshing
		}
		if !refreshing {
			d.ask(name, "Whether "+name+" is in service was not seen lately, and a start depends on it.")
		}
	}
	d.limits.unsure = nil
}

// factReasons says what is missing of a server's own facts, and whether its
// place is kept.
func (d *decision) factReasons(u *UpgradeStatus) (reasons []Reason, place bool) {
	if d.fresh(u.ReadAt) {
		return nil, true
	}
	if u.ReadError != "" {
		if !u.Refreshing && d.now.Sub(u.ReadTriedAt) >= ReadAgainAfter {
			d.ask(u.Server, u.Server+" did not answer; it is asked again.")
		}
		return []Reason{plainReason("host-does-not-answer", "Its builds cannot be read: "+u.ReadError+".")}, false
	}
	if !u.Refreshing {
		d.ask(u.Server, u.Server+" may start; its builds and facts are read first.")
	}
	return []Reason{plainReason("facts-are-old", "Its builds and facts were not read in the last 30 minutes; they are being read now.")}, true
}
