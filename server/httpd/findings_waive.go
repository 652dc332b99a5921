package httpd

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"wavekeeper/server/auth"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// waiveAsk shows a finding and asks for how long it is to be accepted.
func (s *server) waiveAsk(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	one, err := s.Store.ServerByName(r.Context(), part(r, "server"))
	if err != nil {
		return err
	}
	pkg, err := s.judgedFor(r.Context(), r.URL.Query().Get("package"))
	if err != nil {
		return err
	}
	f, err := s.Store.FindingToWaive(r.Context(), one, pkg.Name, r.URL.Query().Get("rule"))
	if err != nil {
		return err
	}
	switch {
	case !f.Waivable:
		return rollout.Conflict("The rule %s cannot be waived: what it asks for has to be cured. What to do: %s", f.Rule, orDash(f.Remedy))
	case f.Severity != preflight.Blocker && f.Severity != preflight.Warning:
		return rollout.Conflict("The last check of %s for %s found nothing to accept by the rule %s: %s", one.Name, pkg.Words, f.Rule, f.Text)
	}
	view := page.Confirm{
		Crumbs: []ui.Link{{Href: "/servers", Text: "Servers"}, {Href: serverHref(one.Name), Text: one.Name}, {Href: findingsHref(one.Name, pkg.Name), Text: "Findings"}},
		Title:  "Accept a finding for a while: " + f.Rule,
		Lead:   "You ask that this finding be accepted on this server, for this package. An operator who did not plan the upgrade grants it; until then it blocks as before. It ends by itself.",
		Action: serverHref(one.Name) + "/waive", Reason: "Why it may be accepted, kept on record", Kind: "primary", Button: "Ask for it",
		Back: ui.Link{Href: findingsHref(one.Name, pkg.Name), Text: "Back, change nothing"}, Why: v.why(auth.Probe), Field: "days",
		Choices: []page.Choice{
			{Value: "1", Text: "For a day"}, {Value: "7", Text: "For a week", On: true}, {Value: "30", Text: "For 30 days", Hint: "the longest"},
		},
		Hidden: []page.Hidden{{Name: "package", Value: pkg.Name}, {Name: "rule", Value: f.Rule}, {Name: "text", Value: f.Text}},
		Rows: []page.ConfirmRow{{
			Server: one.Name, State: ui.State{Key: string(f.Severity)}, Then: "is upgraded to " + pkg.Words + " though this was found, as soon as the waiver is granted",
		}},
		Parts: []page.ConfirmPart{
			{Title: "What was found", Lines: []string{clean(f.Text), orDash(clean(f.Evidence))}},
			{Title: "What cures it", Lines: []string{orDash(clean(f.Remedy)), "Where the rule comes from: " + orDash(f.Source)}},
		},
	}
	if len(one.Nodes) > 0 {
		view.Lead += " On a node that several clustered mailbox servers share it is accepted for all of them."
	}
	view.Frame = s.frame(r, v, "Accept a finding", "servers")
	return s.render(w, r, http.StatusOK, page.ConfirmPage(view))
}

// waive asks for a waiver of what the last check found, if it is what was shown.
func (s *server) waive(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Probe)
	if err != nil {
		return err
	}
	one, err := s.Store.ServerByName(r.Context(), part(r, "server"))
	if err != nil {
		return err
	}
	pkg, err := s.judgedFor(r.Context(), r.PostFormValue("package"))
	if err != nil {
		return err
	}
	days, err := strconv.Atoi(r.PostFormValue("days"))
	if err != nil || days < 1 || days > 30 {
		return rollout.Invalid("Say for how long: a day to 30 days.")
	}
	f, err := s.Store.FindingToWaive(r.Context(), one, pkg.Name, r.PostFormValue("rule"))
	if err != nil {
		return err
	}
	if f.Text != r.PostFormValue("text") {
		return rollout.Conflict("It is not as you saw it: %s. Look again before you accept it.", f.Text)
	}
	now, err := s.Store.Now(r.Context())
	if err != nil {
		return err
	}
	_, err = s.Store.AskWaiver(r.Context(), v.actor(r), store.WaiverAsk{
		Server: one.ID, Package: pkg.Name, Rule: f.Rule, Severity: string(f.Severity), Text: f.Text, Evidence: f.Evidence, Waivable: f.Waivable,
		Reason: reason(r), Until: now.Add(time.Duration(days) * 24 * time.Hour),
	})
	if err != nil {
		return err
	}
	return s.done(w, r, findingsHref(one.Name, pkg.Name), "Asked for. An operator who did not plan the upgrade decides.")
}

// waiver shows one waiver with what can be done about it.
func (s *server) waiver(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	id, err := number(r, "waiver")
	if err != nil {
		return err
	}
	one, err := s.Store.WaiverByID(r.Context(), id)
	if err != nil {
		return err
	}
	clock := v.clock(s.Now())
	view := page.Confirm{
		Crumbs: []ui.Link{{Href: "/servers", Text: "Servers"}, {Href: serverHref(one.Server), Text: one.Server}, {Href: findingsHref(one.Server, one.Package), Text: "Findings"}},
		Title:  fmt.Sprintf("Waiver %d: %s on %s", one.ID, one.Rule, one.Server), Action: waiverHref(id), Reason: "Reason, kept on record", Field: "ruling",
		Back: ui.Link{Href: findingsHref(one.Server, one.Package), Text: "Back, change nothing"},
		Rows: []page.ConfirmRow{{Server: one.Server, State: ui.State{Key: one.Severity}, Then: waiverState(one).Word() + noteOf(waiverState(one))}},
		Parts: []page.ConfirmPart{
			{Title: "What is accepted", Lines: []string{clean(one.Text), orDash(clean(one.Evidence)), "for " + packageWords(one.Package) + ", until " + clock.Moment(one.Until).Text}},
			{Title: "Why", Lines: []string{clean(one.AskedBy + ": " + one.Reason)}},
		},
	}
	if len(one.Others) > 0 {
		view.Parts[0].Lines = append(view.Parts[0].Lines, "Accepted for "+ui.List(one.Others, 5)+", too: they share the nodes")
	}
	if one.DecidedBy != "" {
		view.Parts[1].Lines = append(view.Parts[1].Lines, clean(one.DecidedBy+": "+one.Decision))
	}
	if one.WithdrawnBy != "" {
		view.Parts[1].Lines = append(view.Parts[1].Lines, clean(one.WithdrawnBy+" took it back: "+one.Withdrawal))
	}
	grant := page.Ruling{Value: "grant", Text: "Accept it", Kind: "primary", Hint: "the finding does not block this server until then"}
	refuse := page.Ruling{Value: "refuse", Text: "Refuse", Kind: "danger", Hint: "it has to be cured"}
	withdraw := page.Ruling{Value: "withdraw", Text: "Take it back", Kind: "danger", Hint: "the finding blocks again"}
	switch {
	case one.Over, one.State == store.WaiverRefused, one.State == store.WaiverWithdrawn:
		view.Lead, view.Reason, view.Button, view.Why = "It is over.", "", "Accept it", "It is over: ask for another one."
	case one.State == store.WaiverGranted:
		view.Lead, view.Rulings, view.Why = "It stands until its end, or until somebody takes it back.", []page.Ruling{withdraw}, v.why(auth.Probe)
	default:
		view.Lead, view.Rulings, view.Why = "It waits for an operator who neither asked for it nor planned the upgrade.", []page.Ruling{grant, refuse}, v.why(auth.Approve)
		if view.Why == "" && one.AskedByID == v.ID {
			view.Why = "You asked for it: somebody else grants it."
		}
	}
	view.Frame = s.frame(r, v, view.Title, "servers")
	return s.render(w, r, http.StatusOK, page.ConfirmPage(view))
}

func noteOf(state ui.State) string {
	if state.Note == "" {
		return ""
	}
	return ": " + state.Note
}

// waiverDecide grants, refuses or withdraws.
func (s *server) waiverDecide(w http.ResponseWriter, r *http.Request) error {
	ruling := r.PostFormValue("ruling")
	need := auth.Approve
	if ruling == "withdraw" {
		need = auth.Probe
	}
	v, err := s.allowed(r, need)
	if err != nil {
		return err
	}
	id, err := number(r, "waiver")
	if err != nil {
		return err
	}
	one, err := s.Store.WaiverByID(r.Context(), id)
	if err != nil {
		return err
	}
	words := "It is accepted."
	switch ruling {
	case "grant":
		err = s.Store.DecideWaiver(r.Context(), v.actor(r), id, true, reason(r))
	case "refuse":
		words, err = "It is refused.", s.Store.DecideWaiver(r.Context(), v.actor(r), id, false, reason(r))
	case "withdraw":
		words, err = "The waiver is taken back.", s.Store.WithdrawWaiver(r.Context(), v.actor(r), id, reason(r))
	default:
		return rollout.Invalid("Say what is to be done: accept, refuse or take back.")
	}
	if err != nil {
		return err
	}
	return s.done(w, r, findingsHref(one.Server, one.Package), words)
}
