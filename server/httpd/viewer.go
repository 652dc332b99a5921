package httpd

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones of viewers, also on machines without a zone database

	"github.com/go-chi/chi/v5"

	"wavekeeper/server/auth"
	"wavekeeper/server/live"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/static"
	"wavekeeper/web/ui"
)

// viewer is who looks at a page, and through which zone.
type viewer struct {
	store.Person
	zone *time.Location
}

// viewer returns who is signed in, with the rights that the person has now.
func (s *server) viewer(r *http.Request) (viewer, error) {
	id := s.signedIn(r.Context())
	if id == 0 {
		return viewer{}, errSignedOut
	}
	p, err := s.Store.PersonByID(r.Context(), id)
	if err != nil {
		return viewer{}, err
	}
	if p.Disabled || s.sessions.GetString(r.Context(), store.SessionStamp) != p.Stamp {
		return viewer{}, errSignedOut
	}
	return viewer{Person: p, zone: zoneOf(r, p.Zone)}, nil
}

type sessionKey struct{}

// withSession loads the session and marks that it is there: an error page of
// a request whose session could not be read has none.
func (s *server) withSession(next http.Handler) http.Handler {
	return s.sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, true)))
	}))
}

// signedIn returns the id of the session's person, 0 when there is none.
func (s *server) signedIn(ctx context.Context) int64 {
	if ctx.Value(sessionKey{}) == nil {
		return 0
	}
	return s.sessions.GetInt64(ctx, store.SessionPerson)
}

// allowed returns the viewer if the person has the right.
func (s *server) allowed(r *http.Request, p auth.Permission) (viewer, error) {
	v, err := s.viewer(r)
	if err != nil {
		return v, err
	}
	if !v.may(p) {
		return v, refusal{p}
	}
	return v, nil
}

func (v viewer) may(p auth.Permission) bool { return auth.May(v.Roles, p) }

// why is empty when the person has the right, else it says who has.
func (v viewer) why(p auth.Permission) string {
	if v.may(p) {
		return ""
	}
	return forbidden(p)
}

func forbidden(p auth.Permission) string {
	var who []string
	for _, r := range auth.Who(p) {
		article := "a"
		if strings.ContainsRune("aeiou", rune(string(r)[0])) {
			article = "an"
		}
		who = append(who, article+" "+string(r))
	}
	if len(who) == 0 {
		return "Nobody can do this."
	}
	return "Only " + strings.Join(who, " or ") + " can do this."
}

func (v viewer) actor(r *http.Request) store.Actor { return v.Actor(r.RemoteAddr) }

func (v viewer) clock(now time.Time) ui.Clock { return ui.Clock{Now: now, Zone: v.zone} }

// zoneOf returns the zone that the person chose, else the browser's.
func zoneOf(r *http.Request, chosen string) *time.Location {
	if chosen == "" {
		if c, err := r.Cookie("zone"); err == nil {
			if name, err := url.QueryUnescape(c.Value); err == nil {
				chosen = name
			}
		}
	}
	if chosen == "" || chosen == "Local" {
		return time.UTC
	}
	zone, err := time.LoadLocation(chosen)
	if err != nil {
		return time.UTC
	}
	return zone
}

// frame is what is around every page of a person.
func (s *server) frame(r *http.Request, v viewer, title, section string) ui.Frame {
	f := s.plainFrame(r, title)
	f.Section = section
	f.Person = ui.Person{Name: v.Name, Shown: v.DisplayName, Roles: strings.Join(v.Roles, ", ")}
	if f.Person.Shown == "" {
		f.Person.Shown = v.Name
	}
	if v.Theme != "" {
		f.Theme = v.Theme
	}
	f.Zone = v.zone.String()
	f.Now = v.clock(s.Now()).Moment(s.Now())
	waiting, err := s.waiting(r.Context(), v)
	if err != nil {
		s.Log.Warn("count what waits", "request", idOf(r), "err", err)
		f.Waiting = -1
	} else {
		f.Waiting = len(waiting)
	}
	if text := s.popFlash(r.Context()); text != "" {
		f.Notices = append(f.Notices, ui.Notice{Kind: "good", Text: text})
	}
	return f
}

func (s *server) plainFrame(r *http.Request, title string) ui.Frame {
	f := ui.Frame{Title: title, Demo: s.Demo, Missing: static.Missing(), Assets: s.assets.address, ReturnTo: "/"}
	if r.Method == http.MethodGet {
		f.ReturnTo = r.URL.RequestURI()
	}
	if c, err := r.Cookie("theme"); err == nil && slices.Contains([]string{"light", "dark"}, c.Value) {
		f.Theme = c.Value
	}
	return f
}

// done tells the person what was done, on the next page, and leads there.
func (s *server) done(w http.ResponseWriter, r *http.Request, to, text string) error {
	q := requestOf(r)
	q.done, q.to = text, to
	s.sessions.Put(r.Context(), "flash", text)
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (s *server) popFlash(ctx context.Context) string {
	if ctx.Value(sessionKey{}) == nil {
		return ""
	}
	return s.sessions.PopString(ctx, "flash")
}

// number returns an address's part as a number.
func number(r *http.Request, name string) (int64, error) {
	n, err := strconv.ParseInt(chi.URLParam(r, name), 10, 64)
	if err != nil || n < 1 {
		return 0, rollout.NotFound("There is no %s %q.", name, chi.URLParam(r, name))
	}
	return n, nil
}

// streamPage makes a stream's page for one session of a person: whoever may
// not look any more, or has signed out, is let go, and every page carries the
// count of what waits.
func (s *server) streamPage(r *http.Request, v viewer, key string, topics []string, parts func(context.Context, viewer) (live.Update, error)) live.Page {
	unlimited(r)
	id, zone, token := v.ID, v.zone, s.sessions.Token(r.Context())
	session := sha256.Sum256([]byte(token))
	return live.Page{
		Key:    fmt.Sprintf("%s|%d|%s|%x", key, id, zone, session[:8]),
		Topics: append(topics, fmt.Sprintf("person:%d", id)),
		Render: func(ctx context.Context) (u live.Update, err error) {
			defer func() {
				if p := recover(); p != nil {
					// Nobody above catches it: it would end the program.
					err = fmt.Errorf("render panicked: %v\n%s", p, debug.Stack())
				}
			}()
			p, err := s.present(ctx, id, token)
			if err != nil {
				return live.Update{}, err
			}
			now := viewer{Person: p, zone: zone}
			u, err = parts(ctx, now)
			if err != nil {
				return u, err
			}
			waiting, err := s.waiting(ctx, now)
			if err != nil {
				return u, err
			}
			return u, fragment(ctx, &u, "#waiting-count", ui.WaitingCount(len(waiting)))
		},
	}
}

// present returns the person as he is now, or live.ErrOver when his session is
// over or he may not look any more.
func (s *server) present(ctx context.Context, id int64, token string) (store.Person, error) {
	p, err := s.Store.PersonByID(ctx, id)
	if err != nil {
		return p, err
	}
	session, err := s.sessions.Load(ctx, token)
	if err != nil {
		return p, err
	}
	mine := s.sessions.GetInt64(session, store.SessionPerson) == id && s.sessions.GetString(session, store.SessionStamp) == p.Stamp
	if !mine || p.Disabled || !auth.May(p.Roles, auth.Read) {
		return p, live.ErrOver
	}
	return p, nil
}
