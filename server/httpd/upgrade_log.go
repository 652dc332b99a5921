package httpd

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// logView is 500 lines of the setup log: the last, those before a line, or
// those that hold a text.
func (s *server) logView(ctx context.Context, u store.UpgradeView, before int64, query string) (page.Log, error) {
	href := upgradeHref(u.Rollout, u.Server)
	view := page.Log{Query: query, Action: href, Quiet: "Setup has not run yet; its log appears here as it is written."}
	var lines []store.LogLine
	var err error
	switch {
	case query != "":
		lines, err = s.Store.SearchSetupLog(ctx, u.ID, query, linesOfLog)
		view.Words, view.Quiet = ui.Count(len(lines), "line", "lines")+" with “"+query+"”", "No line holds “"+query+"”."
		view.Newest = href + "#log"
	case before > 1:
		lines, err = s.Store.SetupLog(ctx, u.ID, max(0, before-1-linesOfLog), linesOfLog)
		lines = slices.DeleteFunc(lines, func(l store.LogLine) bool { return l.Line >= before })
		view.Newest = href + "#log"
	default:
		lines, err = s.Store.SetupLogTail(ctx, u.ID, linesOfLog)
	}
	if err != nil || len(lines) == 0 {
		return view, err
	}
	for _, l := range lines {
		view.Lines = append(view.Lines, page.LogLine{Number: fmt.Sprint(l.Line), Text: clean(l.Text), Kind: lineKind(l.Text)})
	}
	view.Raw = href + "/log"
	if query == "" {
		view.Words = fmt.Sprintf("lines %s to %s", ui.Number(int(lines[0].Line)), ui.Number(int(lines[len(lines)-1].Line)))
		if lines[0].Line > 1 {
			view.Older = fmt.Sprintf("%s?before=%d#log", href, lines[0].Line)
		}
	}
	return view, nil
}

// lineKind reads the tokens that Setup writes untranslated into its log.
func lineKind(text string) string {
	switch {
	case strings.Contains(text, "[ERROR]"):
		return "error"
	case strings.Contains(text, "[WARNING]"):
		return "warning"
	default:
		return ""
	}
}

// upgradeLog is the whole log as it was read, as a file.
func (s *server) upgradeLog(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.allowed(r, auth.Read); err != nil {
		return err
	}
	u, err := s.upgradeOf(r)
	if err != nil {
		return err
	}
	unlimited(r)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="ExchangeSetup-%s.log"`, strings.Map(plainName, u.Server)))
	for after := int64(0); ; {
		lines, err := s.Store.SetupLog(r.Context(), u.ID, after, 5000)
		if err != nil {
			return err
		}
		moreTime(w)
		for _, l := range lines {
			if _, err := w.Write([]byte(l.Text + "\r\n")); err != nil {
				return nil // the browser is gone
			}
			after = l.Line
		}
		if len(lines) < 5000 {
			return nil
		}
	}
}

func plainName(c rune) rune {
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' {
		return c
	}
	return '_'
}
