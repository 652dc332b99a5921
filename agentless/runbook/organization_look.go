package runbook

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/rollout"
)

// OrganizationLook is the step that reads the organization from Active Directory,
// by a host task under the run-as account on the host that it is given; it changes
// nothing and may be walked outside upgrades.
const OrganizationLook = "organization-look"

// organizationLookStep is that step. Times: a domain controller that does not
// answer costs some twenty seconds, and a forest may have many.
func organizationLookStep() Step {
	return Step{rollout.Step{
		Name: OrganizationLook, Words: "The organization is read from Active Directory: versions, domains, servers, replication",
		Expected: 2 * time.Minute, Soft: 15 * time.Minute, Hard: time.Hour, Silence: 30 * time.Minute,
		Repeatable: true,
	}, organizationLook}
}

// LookingAtTheOrganization returns the steps that read the organization outside
// upgrades, on one host.
func LookingAtTheOrganization() Table {
	return Table{
		Name: OrganizationLook, Version: 1, Words: "The organization is read from Active Directory",
		Steps: []Step{organizationLookStep(), tidyStep()},
	}
}

// organizationLook reads everything and ends with the facts of the organization.
func organizationLook(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	out, o, err := lookAtOrganization(ctx, w, "org-look", windows.OrganizationAll)
	if err != nil || out.Kind != Done {
		return out, err
	}
	exported, templates, _, err := exportTemplates(ctx, w, "org-export")
	if err != nil || exported.Kind != Done && exported.Kind != Failed {
		return exported, err
	}
	out = Outcome{Kind: Done, Percent: 100, Facts: o.Facts(w.Now), Message: organizationWords(o)}
	if exported.Kind == Done && templates.All {
		out.Facts = append(out.Facts, templates.Fact(w.Now))
	}
	return out, nil
}

// organizationWords says what was read, in a sentence.
func organizationWords(o windows.Organization) string {
	text := fmt.Sprintf("Schema %d, organization %d, domains: %d, schema master %s", o.Schema, o.Version, len(o.Domains), o.Master.Host)
	behind, unasked := o.Behind()
	if len(behind) > 0 {
		text += "; behind: " + list(behind)
	}
	if len(unasked) > 0 {
		text += "; not reached: " + list(unasked)
	}
	return text
}

// lookAtOrganization drives one host task of organization-look and reads what it
// said; the organization counts when the outcome is Done.
func lookAtOrganization(ctx context.Context, w *Work, key, what string) (Outcome, windows.Organization, error) {
	const words = "the organization is read from Active Directory"
	name := w.taskName(key)
	task, err := windows.ScriptTask(name, windows.OrganizationLook, w.RunAs.Name, w.RunAs.Password, windows.OrganizationLookArguments(what)...)
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: "Correct the run-as account."}, windows.Organization{}, nil
	}
	out, _, err := drive(ctx, w, task, words)
	if err != nil || out.Kind != Done {
		return out, windows.Organization{}, err
	}
	o, err := w.Host.ReadOrganization(ctx, name, what)
	if err != nil {
		out, err = unreadTask(words, err)
		return out, o, err
	}
	return Outcome{Kind: Done}, o, nil
}

// exportTemplates drives the host task that writes the display templates into a
// file of its folder, and reads what it said of them. task names it.
func exportTemplates(ctx context.Context, w *Work, key string) (out Outcome, t windows.Templates, task string, err error) {
	const words = "the display templates are written into a file"
	task = w.taskName(key)
	made, err := windows.ScriptTask(task, windows.OrganizationExport, w.RunAs.Name, w.RunAs.Password, windows.OrganizationExportArguments(task)...)
	if err != nil {
		return Outcome{Kind: Failed, Message: err.Error(), Remedy: "Correct the run-as account."}, t, task, nil
	}
	if out, _, err = drive(ctx, w, made, words); err != nil || out.Kind != Done {
		return out, t, task, err
	}
	if t, err = w.Host.ReadTemplates(ctx, task); err != nil {
		out, err = unreadTask(words, err)
		return out, t, task, err
	}
	return Outcome{Kind: Done}, t, task, nil
}

// unreadTask is a task that ended and whose words are an error, or none.
func unreadTask(words string, err error) (Outcome, error) {
	var broken *windows.ScriptError
	if errors.As(err, &broken) || errors.Is(err, windows.ErrTruncated) {
		return Outcome{
			Kind: Failed, Message: fmt.Sprintf("%s: %v", words, err),
			Remedy: "Check the run-as account, DNS and the domain controllers of the host's site; then run again.",
		}, nil
	}
	return trouble("read what the task said: "+words, err)
}

// numbered is a key of the step's present one of several tasks in a row: next
// takes the present one off the host and goes on to the following.
func (w *Work) numbered(key string) string { return key + "-" + strconv.Itoa(1+w.count(key+".n")) }

// next removes the present one of several tasks in a row, so that polling leaves
// no hundreds of folders; Done when it is gone.
func (w *Work) next(ctx context.Context, key string) (Outcome, error) {
	name := w.taskName(w.numbered(key))
	look, err := w.Host.LookTask(ctx, name)
	if err != nil {
		return trouble("look at task "+name, err)
	}
	if err := w.intend(ctx, "remove host task "+name); err != nil {
		return Outcome{}, err
	}
	if err := remove(ctx, w.Host, name, look, nil); err != nil {
		return trouble("remove task "+name, err)
	}
	for _, of := range []string{".runs", ".run_at", ".dead", ".unscheduled"} {
		delete(w.Memory, name+of)
	}
	w.raise(key + ".n")
	return Outcome{Kind: Done}, nil
}
