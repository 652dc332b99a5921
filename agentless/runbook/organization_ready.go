package runbook

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"wavekeeper/agentless/windows"
	rules "wavekeeper/server/preflight"
)

// organizationReady proves what the preparation needs: the media by SYSTEM, the
// account and its rights by a canary, then by the rules of preflight the place, the
// servers of Exchange 2003 and Windows Installer, and that all of the forest is
// reached. It ends with findings.
func organizationReady(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	if w.Attempt > 1 { // a preparation may have begun in an earlier one
		if out, err := disarm(ctx, w, ""); err != nil || out.Kind != Done {
			return unseen(out), err
		}
	}
	if w.Memory["media"] == "" {
		return proveMedia(ctx, w)
	}
	if w.Memory["canary"] == "" {
		return proveCanary(ctx, w)
	}
	out, o, err := lookAtOrganization(ctx, w, "org-ready", windows.OrganizationVersions)
	if err != nil || out.Kind != Done {
		return out, err
	}
	known, err := organizationKnown(w, o)
	if err != nil {
		return Outcome{}, err
	}
	w.Organization = known
	subject, told, err := subjectOf(ctx, w)
	if err != nil {
		return trouble("look at the host", err)
	}
	subject.Organizing = true
	out = judged(w, subject)
	out.Facts = append(told, o.Facts(w.Now)...)
	reach := Finding{
		Rule: "organization-reach", Severity: Pass, Source: "technet bb288907 (every domain has to be reachable for PrepareAD)",
		Text: fmt.Sprintf("Every domain is reached: %d of %d", len(o.Domains), len(o.Domains)), Evidence: organizationWords(o),
	}
	if _, err := directoryOf(o, false); err != nil {
		reach.Severity, reach.Text = Blocker, "Not all of the forest is reached: "+err.Error()
		reach.Remedy = "See to the domain controllers, DNS and port 389 to each domain; then run again."
		if out.Kind == Failed {
			out.Message = reach.Text + "; " + out.Message
		} else {
			out.Message = reach.Text
		}
		out.Kind, out.Remedy = Failed, reach.Remedy+" "+out.Remedy
	}
	out.Findings = append(out.Findings, reach)
	return out, nil
}

// organizationKnown is what rules look at of the organization: what is on record,
// then what the step before read, then what was read just now.
func organizationKnown(w *Work, o windows.Organization) (map[string]rules.Fact, error) {
	known := maps.Clone(w.Organization)
	if known == nil {
		known = map[string]rules.Fact{}
	}
	before := map[string]rules.Fact{}
	if text := w.Notes["before"][looked]; text != "" {
		if err := json.Unmarshal([]byte(text), &before); err != nil {
			return nil, fmt.Errorf("read what the step before kept: %w", err)
		}
	}
	now, err := factsOf(o.Facts(w.Now))
	if err != nil {
		return nil, err
	}
	maps.Copy(known, before)
	maps.Copy(known, now)
	return known, nil
}
