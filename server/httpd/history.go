package httpd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"wavekeeper/server/audit"
	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

const historyPerPage = 100

// readHistoryFilter reads the address; days are days of the viewer's zone.
func readHistoryFilter(q url.Values, zone *time.Location) store.HistoryFilter {
	f := store.HistoryFilter{Who: q.Get("who"), Server: strings.TrimSpace(q.Get("server")), Kind: q.Get("kind"), Limit: historyPerPage + 1}
	f.Rollout, _ = strconv.ParseInt(q.Get("rollout"), 10, 64) // no number = any rollout
	if t, err := time.ParseInLocation(time.DateOnly, q.Get("from"), zone); err == nil {
		f.From = t
	}
	if t, err := time.ParseInLocation(time.DateOnly, q.Get("to"), zone); err == nil {
		f.To = t.AddDate(0, 0, 1)
	}
	f.Before = readKey(q.Get("before"))
	return f
}

func keyText(k store.HistoryKey) string {
	return fmt.Sprintf("%d-%s-%d-%d", k.At.UnixMicro(), k.Source, k.First, k.Second)
}

func readKey(text string) *store.HistoryKey {
	parts := strings.Split(text, "-")
	if len(parts) != 4 || parts[1] != "a" && parts[1] != "e" {
		return nil
	}
	at, err1 := strconv.ParseInt(parts[0], 10, 64)
	first, err2 := strconv.ParseInt(parts[2], 10, 64)
	second, err3 := strconv.ParseInt(parts[3], 10, 64)
	if errors.Join(err1, err2, err3) != nil {
		return nil
	}
	return &store.HistoryKey{At: time.UnixMicro(at), Source: parts[1], First: first, Second: second}
}

func (s *server) history(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	f := readHistoryFilter(q, v.zone)
	entries, err := s.Store.History(r.Context(), f)
	if err != nil {
		return err
	}
	view, err := s.historyFrame(r, v, q)
	if err != nil {
		return err
	}
	if f.Before != nil {
		first := cloned(q, "before", "")
		view.First = address("/history", first)
	}
	if len(entries) > historyPerPage {
		entries = entries[:historyPerPage]
		view.Next = address("/history", cloned(q, "before", keyText(entries[len(entries)-1].Key())))
	}
	for _, e := range entries {
		view.Rows = append(view.Rows, historyRow(e, v.clock(s.Now())))
	}
	return s.render(w, r, http.StatusOK, page.HistoryPage(view))
}

// historyFrame is everything of the page but its rows.
func (s *server) historyFrame(r *http.Request, v viewer, q url.Values) (page.History, error) {
	ctx := r.Context()
	view := page.History{Frame: s.frame(r, v, "History", "history"), Empty: ui.Empty{Title: "Nothing fits", Text: "No decision and no event has all that is asked for.", Action: ui.Link{Href: "/history", Text: "Show everything"}}}
	decisions, events, err := s.Store.HistorySize(ctx)
	if err != nil {
		return view, err
	}
	view.Words = ui.Count(decisions, "decision", "decisions") + ", " + ui.Count(events, "event", "events")
	protected, err := s.Store.ProtectedRecord(ctx)
	if err != nil {
		return view, err
	}
	if !protected {
		view.Warning = "The database's rights do not protect this record: the program runs as the owner of its tables. Its triggers refuse changes, but an owner can drop triggers. Give the program a role of its own (see README, “Two database roles”)."
	}
	view.Chain = s.chain.words(ctx, s.Store, v.clock(s.Now()))
	kindsA, kindsE, err := s.Store.HistoryKinds(ctx)
	if err != nil {
		return view, err
	}
	people, err := s.Store.HistoryPeople(ctx)
	if err != nil {
		return view, err
	}
	rollouts, err := s.Store.Rollouts(ctx, 200)
	if err != nil {
		return view, err
	}
	filter := page.HistoryFilter{Who: q.Get("who"), Server: q.Get("server"), Rollout: q.Get("rollout"), From: q.Get("from"), To: q.Get("to")}
	add := func(value, text string) {
		filter.Kinds = append(filter.Kinds, page.Choice{Value: value, Text: text, On: value == q.Get("kind")})
	}
	add("decision", "all decisions")
	add("event", "all events")
	for _, k := range kindsA {
		add(k, kindWord(k))
	}
	for _, k := range kindsE {
		add(k, "Event: "+kindWord(k))
	}
	for _, name := range people {
		filter.People = append(filter.People, page.Choice{Value: name, Text: name, On: name == q.Get("who")})
	}
	for _, o := range rollouts {
		id := strconv.FormatInt(o.ID, 10)
		filter.Rollouts = append(filter.Rollouts, page.Choice{Value: id, Text: id + ": " + o.PlanName, On: id == q.Get("rollout")})
	}
	for _, name := range []string{"who", "server", "rollout", "kind", "from", "to"} {
		filter.Set = filter.Set || q.Get(name) != ""
	}
	view.Filter = filter
	rest := cloned(q, "before", "")
	view.Exports = []ui.Link{{Href: address("/history.csv", rest), Text: "CSV"}, {Href: address("/history.ndjson", rest), Text: "NDJSON"}}
	return view, nil
}

func cloned(q url.Values, name, value string) url.Values {
	out := url.Values{}
	for k, list := range q {
		for _, one := range list {
			if one != "" && k != name {
				out.Add(k, one)
			}
		}
	}
	if value != "" {
		out.Set(name, value)
	}
	return out
}

func address(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func historyRow(e store.HistoryEntry, clock ui.Clock) page.HistoryRow {
	row := page.HistoryRow{
		ID: entryID(e), At: clock.Moment(e.At), Decision: e.Source == "a", Who: e.Who, What: kindWord(e.Kind), Kind: e.Kind, Subject: e.Subject, Hash: e.Hash, State: eventState(e.Kind, e.Text, dataOf(e.Detail)),
	}
	switch {
	case e.Server != "":
		row.Href = upgradeHref(e.Rollout, e.Server)
	case e.Wave > 0:
		row.Href = waveHref(e.Rollout, e.Wave)
	case e.Rollout != 0:
		row.Href = rolloutHref(e.Rollout)
	}
	row.Detail = clean(entryWords(e))
	return row
}

func entryID(e store.HistoryEntry) string {
	if e.Source == "a" {
		return strconv.FormatInt(e.First, 10)
	}
	return fmt.Sprintf("%d.%d", e.First, e.Second)
}

// entryWords is what an entry says beside who, what and about what.
func entryWords(e store.HistoryEntry) string {
	if e.Source == "e" {
		return e.Text
	}
	words := e.Reason
	detail := dataOf(e.Detail)
	var parts []string
	before, _ := detail["before"].(map[string]any) // nothing is before what is new
	if after, ok := detail["after"].(map[string]any); ok {
		parts = changes(before, after)
		delete(detail, "before")
		delete(detail, "after")
	}
	for _, key := range sortedKeys(detail) {
		if text := spokenDetail(key, detailWords(detail[key])); text != "" {
			parts = append(parts, strings.ReplaceAll(key, "_", " ")+" "+text)
		}
	}
	if words != "" && len(parts) > 0 {
		words += " · "
	}
	return words + strings.Join(parts, ", ")
}

// decisionWords are the names of decisions on the upgrade's page.
var decisionWords = map[string]string{
	rollout.DecideLook: "Look again", rollout.DecideClear: "Clear Action and Watermark", rollout.DecideUndo: "Put the cleared values back",
	rollout.DecideDoubt: stopWaiting,
}

// spokenDetail says states and decisions as the other pages do; exports keep
// what is on record.
func spokenDetail(key, text string) string {
	switch key {
	case "state":
		return rollout.State(text).Words()
	case "decision":
		if words, ok := decisionWords[text]; ok {
			return words
		}
	}
	return text
}

// changes says each value that differs: what it was and what it is.
func changes(before, after map[string]any) []string {
	all := map[string]any{}
	maps.Copy(all, before)
	maps.Copy(all, after)
	var out []string
	for _, key := range sortedKeys(all) {
		was, is := detailWords(before[key]), detailWords(after[key])
		if was != is {
			out = append(out, fmt.Sprintf("%s %s → %s", strings.ReplaceAll(key, "_", " "), orDash(was), orDash(is)))
		}
	}
	return out
}

func detailWords(v any) string {
	switch v := v.(type) {
	case string:
		if len(v) == 64 && !strings.ContainsAny(v, " ") {
			return ui.Short(v)
		}
		return v
	case []any:
		if len(v) == 0 {
			return ""
		}
		var names []string
		for _, one := range v {
			names = append(names, listedWords(one))
		}
		return ui.List(names, 6)
	case map[string]any:
		if len(v) == 0 {
			return ""
		}
		return ui.List(sortedKeys(v), 6)
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// listedWords shows one of a list: what has a text or a name by it.
func listedWords(v any) string {
	if m, ok := v.(map[string]any); ok {
		for _, key := range []string{"text", "name"} {
			if text, ok := m[key].(string); ok && text != "" {
				return text
			}
		}
		var words []string
		for _, key := range sortedKeys(m) {
			words = append(words, key+" "+detailWords(m[key]))
		}
		return strings.Join(words, ", ")
	}
	return detailWords(v)
}

// chainCheck verifies the chain of decisions at most every half minute.
type chainCheck struct {
	mu   sync.Mutex
	at   time.Time
	good int64
	err  error
}

func (c *chainCheck) words(ctx context.Context, st *store.Store, clock ui.Clock) page.Chain {
	c.mu.Lock()
	defer c.mu.Unlock()
	if clock.Now.Sub(c.at) > 30*time.Second {
		c.good, c.err = st.VerifyAudit(ctx)
		c.at = clock.Now
	}
	const limits = "Every entry holds the hash of the one before: none was changed, taken out or put in between. Without a checkpoint kept elsewhere, tampering by the database's administrator cannot be detected."
	var broken *audit.Broken
	switch {
	case c.err == nil:
		return page.Chain{Key: "done", Text: fmt.Sprintf("Verified to entry %s at %s", ui.Number(int(c.good)), clock.Moment(c.at).Text), Note: limits}
	case errors.As(c.err, &broken):
		return page.Chain{Key: "failed", Text: "The record is broken: " + broken.Error(), Note: fmt.Sprintf("The first %s are good. Keep the database as it is and tell an auditor.", ui.Count(int(c.good), "entry", "entries"))}
	default:
		return page.Chain{Key: "warning", Text: "The record could not be verified just now.", Note: "Load the page again."}
	}
}
