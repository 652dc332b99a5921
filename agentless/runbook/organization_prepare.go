package runbook

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// What a preparing step remembers of how far it is.
const (
	prepTurn   = "prep" // "" = look, "run", "proof"
	prepRun    = "run"
	prepProof  = "proof"
	prepBefore = "prep.before" // what was needed, in words
)

// proofWithin is how long the new versions are waited for at the domain
// controllers that are asked: Setup writes at one of the schema master's site, and
// replication within a site takes seconds.
const proofWithin = 15 * time.Minute

// preparationSteps are the steps of the preparations, which are the keys of their
// programs as well.
var preparationSteps = map[exchange.Preparation]string{
	exchange.PrepareLegacy: stepPrepareLegacy, exchange.PrepareSchema: stepPrepareSchema,
	exchange.PrepareAD: stepPrepareAD, exchange.PrepareDomains: stepPrepareDomains,
}

// preparing is the step of one preparation: look whether it is needed; Setup with
// its switch, once; look again until Active Directory shows it.
func preparing(what exchange.Preparation) func(context.Context, *Work) (Outcome, error) {
	return func(ctx context.Context, w *Work) (Outcome, error) {
		ran := w.Memory[setupRan]
		w.fresh()
		if ran != "" {
			w.Memory[setupRan] = ran
		}
		switch w.Memory[prepTurn] {
		case prepRun:
			return prepare(ctx, w, what)
		case prepProof:
			return prepProven(ctx, w, what)
		default:
			return prepNeeded(ctx, w, what)
		}
	}
}

// needOf reads the versions and says whether a preparation is needed; nil = it is
// not. The outcome is Done when that is known.
func needOf(ctx context.Context, w *Work, what exchange.Preparation) (Outcome, windows.Organization, *exchange.Need, error) {
	key := "org-" + preparationSteps[what]
	out, o, err := lookAtOrganization(ctx, w, w.numbered(key), windows.OrganizationVersions)
	if err != nil || out.Kind != Done {
		return out, o, nil, err
	}
	p, err := packageOf(w)
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: "Use the version of Wavekeeper that knows the package."}, o, nil, nil
	}
	d, unknown := directoryOf(o, w.Notes["before"]["legacy"] != "")
	if out, err := w.next(ctx, key); err != nil || out.Kind != Done {
		return out, o, nil, err
	}
	if unknown != nil {
		return Outcome{
			Kind: Failed, Message: "It cannot be said what is prepared: " + unknown.Error(),
			Remedy: "See to the domain controllers and DNS; then run again.",
		}, o, nil, nil
	}
	needs := exchange.PreparedFor(p, d)
	if i := slices.IndexFunc(needs, func(n exchange.Need) bool { return n.What == what }); i >= 0 {
		return Outcome{Kind: Done}, o, &needs[i], nil
	}
	// SP2 and SP3 share the organization's number: after the schema was extended
	// here, only PrepareAD itself brings what belongs to it (see exchange.PreparedFor).
	if what == exchange.PrepareAD && w.Notes[stepPrepareSchema][setupRan] != "" && w.Memory[prepTurn] == "" {
		return Outcome{Kind: Done}, o, &exchange.Need{What: what, Text: "the schema was extended, and the organization's number does not tell whether what belongs to it is there"}, nil
	}
	// The number is that of the level before, too, and nobody recorded that the
	// organization is prepared: PrepareAD may have failed in another plan after the
	// schema was extended. It may be run again at any time (bb125224).
	if level, ok := exchange.LevelFor(p); what == exchange.PrepareAD && ok && !w.Prepared && w.Memory[prepTurn] == "" &&
		d.Organization == level.Organization && !exchange.OrganizationTells(p) {
		return Outcome{Kind: Done}, o, &exchange.Need{What: what, Text: fmt.Sprintf("the organization is at %d, which is the level before as well, and nobody recorded that it is prepared for %s", d.Organization, p.Words)}, nil
	}
	return Outcome{Kind: Done}, o, nil, nil
}

// prepNeeded is the check before: nothing is run where nothing is needed.
func prepNeeded(ctx context.Context, w *Work, what exchange.Preparation) (Outcome, error) {
	out, o, need, err := needOf(ctx, w, what)
	if err != nil || out.Kind != Done {
		return out, err
	}
	if need == nil {
		return Outcome{
			Kind: Done, Percent: 100, Facts: o.Facts(w.Now),
			Message: fmt.Sprintf("Not needed: %s; Setup was not run", organizationWords(o)),
		}, nil
	}
	w.Memory[prepTurn], w.Memory[prepBefore] = prepRun, need.Text
	out = onward("Needed: %s", need.Text)
	out.Facts = o.Facts(w.Now)
	return out, nil
}

// prepare is the run of Setup.
func prepare(ctx context.Context, w *Work, what exchange.Preparation) (Outcome, error) {
	p := mediaSetup(w, preparationSteps[what], "Setup "+string(what), string(what))
	p.found = func(context.Context) (found, error) { return found{}, nil } // asked of Active Directory, before and after
	p.completed = "Setup " + string(what) + " completed"
	p.resume = "Read the end of the setup log, cure the cause and run again: what Active Directory has by then is not done again."
	p.broken = "Look at the host and the end of the setup log, which is kept with this upgrade. Run again: Active Directory is asked first, and Setup " + string(what) +
		" may be run again at any time (bb125224)."
	out, err := p.tick(ctx, w)
	if err != nil || out.Kind != Done {
		return out, err
	}
	w.Memory[prepTurn] = prepProof
	next := onward("%s: Active Directory is asked", out.Message)
	next.Log = out.Log
	return next, nil
}

// prepProven is the check after: exit code and log speak for success, and Active
// Directory has to show it.
func prepProven(ctx context.Context, w *Work, what exchange.Preparation) (Outcome, error) {
	out, o, need, err := needOf(ctx, w, what)
	if err != nil || out.Kind != Done {
		return out, err
	}
	if need == nil || what == exchange.PrepareLegacy { // the rights that it gives have no number
		return Outcome{
			Kind: Done, Percent: 100, Facts: o.Facts(w.Now),
			Message: fmt.Sprintf("%s: before, %s; now %s", strings.TrimPrefix(string(what), "/"), w.Memory[prepBefore], organizationWords(o)),
		}, nil
	}
	if w.since("proof") > proofWithin {
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("Setup %s ended well, and Active Directory does not show it: %s", what, need.Text), Facts: o.Facts(w.Now), Evidence: collect(ctx, w),
			Remedy: "See which domain controller the setup log names, and replication from there to the schema master; then run again.",
		}, nil
	}
	out = again("Setup %s ended well; Active Directory does not show it yet: %s", what, need.Text)
	out.After = 20 * time.Second
	return out, nil
}
