package httpd

import (
	"fmt"
	"net/http"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// rules lists all rules of preflight, and the values that they compare with.
func (s *server) rules(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	set, err := s.Store.PolicyValues(r.Context())
	if err != nil {
		return err
	}
	all := preflight.Rules()
	view := page.Rules{Lead: ui.Count(len(all), "rule", "rules")}
	for _, one := range all {
		view.Rows = append(view.Rows, page.RuleRow{
			Link: ui.Link{Href: ruleHref(one.Name), Text: one.Name}, State: ui.State{Key: string(one.Severity)}, Words: one.Words, For: appliesTo(one),
		})
	}
	byName := map[string]store.PolicyValue{}
	for _, one := range set {
		byName[one.Name] = one
	}
	clock := v.clock(s.Now())
	for _, p := range preflight.PolicyValues() {
		row := page.PolicyRow{
			Name: p.Name, Words: p.Words, Value: p.Say(p.Default), Own: fmt.Sprintf("%s (%s)", p.Say(p.Default), p.Source),
		}
		if one, ok := byName[p.Name]; ok {
			row.Value = p.Say(one.Value)
			row.Set = clean(fmt.Sprintf("%s by %s: %s", clock.Ago(one.SetAt), one.SetBy, one.Reason))
		}
		view.Values = append(view.Values, row)
	}
	view.Frame = s.frame(r, v, "Rules", "servers")
	return s.render(w, r, http.StatusOK, page.RulesPage(view))
}

// rule shows one rule with where it comes from.
func (s *server) rule(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	for _, one := range preflight.Rules() {
		if one.Name != part(r, "rule") {
			continue
		}
		view := page.Rule{Name: one.Name, State: ui.State{Key: string(one.Severity)}, Words: one.Words + ".", Items: []page.Item{
			{Name: "Source", Value: one.Source},
			{Name: "Applies to", Value: appliesTo(one)},
			{Name: "At the gravest", Value: ui.State{Key: string(one.Severity)}.Word()},
			{Name: "When not known", Value: ui.State{Key: string(one.Unknown)}.Word()},
			{Name: "Rests on", Value: orDash(strings.Join(one.Needs, ", "))},
			{Name: "May be accepted", Value: "no, it has to be cured"},
		}}
		if one.Waivable {
			view.Items[5].Value = "yes, for at most 30 days, by an operator who did not plan the upgrade"
		}
		if fix, ok := s.fixNamed(one.Fix); ok {
			view.Items = append(view.Items, page.Item{Name: "Can be fixed", Value: fix.Words, Note: fix.Before})
		}
		view.Frame = s.frame(r, v, "Rule "+one.Name, "servers")
		return s.render(w, r, http.StatusOK, page.RulePage(view))
	}
	return rollout.NotFound("There is no rule %q.", part(r, "rule"))
}

// appliesTo says in words for what a rule is.
func appliesTo(r preflight.Rule) string {
	var words []string
	if len(r.Levels) > 0 {
		var levels []string
		for _, n := range r.Levels {
			levels = append(levels, fmt.Sprintf("SP%d", n))
		}
		words = append(words, strings.Join(levels, ", "))
	}
	if len(r.Kinds) > 0 {
		words = append(words, strings.ReplaceAll(strings.Join(r.Kinds, ", "), "-", " "))
	}
	if len(r.Roles) > 0 {
		words = append(words, strings.Join(r.Roles, ", "))
	}
	if len(r.OS) > 0 {
		words = append(words, "Windows Server "+strings.Join(r.OS, ", "))
	}
	switch r.Cluster {
	case preflight.Standalone:
		words = append(words, "standalone servers")
	case preflight.OnNodes:
		words = append(words, "nodes of clusters")
	case preflight.Anywhere:
	}
	if len(words) == 0 {
		return "every server"
	}
	return strings.Join(words, " · ")
}
