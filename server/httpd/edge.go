package httpd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"

	"github.com/a-h/templ"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// handler answers a request or says why it cannot.
type handler func(w http.ResponseWriter, r *http.Request) error

// on turns a handler that returns errors into one that answers them.
func (s *server) on(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.answer(w, r, err)
		}
	}
}

// errSignedOut says that nobody is signed in.
var errSignedOut = errors.New("nobody is signed in")

// refusal says that a person does not have the right to do something.
type refusal struct{ permission auth.Permission }

func (e refusal) Error() string { return forbidden(e.permission) }

// answer is the one place in which errors become pages: the kinds of rollout
// with their own text, everything else with the id under which it is logged.
func (s *server) answer(w http.ResponseWriter, r *http.Request, err error) {
	id := idOf(r)
	w.Header().Del("Content-Disposition") // of a download that did not come to be
	f := page.Failure{ID: id, Next: ui.Link{Href: "/", Text: "Go to the home page"}, Safe: "Nothing was changed by this request."}
	status := http.StatusInternalServerError
	var told *rollout.Error
	var refused refusal
	q, gone := requestOf(r), store.Away(err) || tooSlow(r)
	switch {
	case q.writer.began:
		s.Log.Error("an answer broke off", "request", id, "path", r.URL.Path, "err", err)
		q.writer.breakOff()
		return
	case r.Context().Err() != nil && !tooSlow(r):
		w.WriteHeader(http.StatusRequestTimeout) // for who sent too slowly; else nobody waits for an answer
		return
	case q.done != "":
		status = http.StatusServiceUnavailable
		s.Log.Warn("the page after a decision could not be made", "request", id, "path", r.URL.Path, "err", err)
		carried(q, &f)
	case gone:
		status = http.StatusServiceUnavailable
		s.Log.Warn("the database is away", "request", id, "method", r.Method, "path", r.URL.Path, "err", err)
		away(w, r, err, &f)
	case errors.Is(err, errSignedOut):
		s.signInFirst(w, r)
		return
	case errors.As(err, &refused):
		status, f.Title, f.Text = http.StatusForbidden, "Not yours to do", refused.Error()
		s.noteRefused(r, string(refused.permission))
	case errors.As(err, &told) && errors.Is(err, rollout.ErrNotFound):
		status, f.Title, f.Text = http.StatusNotFound, "Not found", told.Text
	case errors.As(err, &told) && errors.Is(err, store.ErrOwnWork):
		status, f.Title, f.Text = http.StatusForbidden, "A second person decides this", told.Text
		s.noteRefused(r, "four eyes")
	case errors.As(err, &told) && errors.Is(err, rollout.ErrForbidden):
		status, f.Title, f.Text = http.StatusForbidden, "Not yours to do", told.Text
		s.noteRefused(r, "taken away meanwhile")
	case errors.As(err, &told) && errors.Is(err, rollout.ErrConflict):
		status, f.Title, f.Text = http.StatusConflict, "It is not as you saw it", told.Text
		f.Next, f.Last = back(r), s.meanwhile(r)
	case errors.As(err, &told):
		status, f.Title, f.Text = http.StatusUnprocessableEntity, "That cannot be right", told.Text
		f.Next = back(r)
	default:
		s.Log.Error("request failed", "request", id, "method", r.Method, "path", r.URL.Path, "err", err)
		f.Title, f.Text, f.Safe = "Something went wrong here", "The server could not answer. What happened is in its log under the id below.", "Servers that are being upgraded are not touched by this."
	}
	f.Frame = s.plainFrame(r, f.Title)
	if !gone && q.done == "" {
		if v, err := s.viewer(r); err == nil {
			f.Frame = s.frame(r, v, f.Title, "")
		}
	}
	if err := s.render(w, r, status, page.FailurePage(f)); err != nil {
		s.Log.Error("error page failed", "request", id, "err", err)
		http.Error(w, f.Title+" ("+id+")", status)
	}
}

// signInFirst sends a browser to the sign-in page; a stream and a form get the
// bare status.
func (s *server) signInFirst(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.Header.Get("HX-Request") != "" {
		http.Error(w, "sign in first", http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, "/signin?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
}

// noteRefused puts a refused attempt on the record.
func (s *server) noteRefused(r *http.Request, permission string) {
	v, err := s.viewer(r)
	if err != nil || r.Method == http.MethodGet {
		return
	}
	record := store.Record{What: "refused", Subject: r.URL.Path[:min(len(r.URL.Path), 200)], Detail: map[string]any{"permission": permission}}
	if err := s.Store.Note(r.Context(), v.actor(r), record); err != nil {
		s.Log.Error("note a refused attempt", "request", idOf(r), "err", err)
	}
}

// back leads to the page that the request came from, when it was one of ours.
func back(r *http.Request) ui.Link {
	if u, err := url.Parse(r.Referer()); err == nil && u.Host == r.Host && u.Path != "" {
		return ui.Link{Href: ours(u.RequestURI()), Text: "Back to the page"}
	}
	return ui.Link{Href: "/", Text: "Go to the home page"}
}

// render writes a page in one piece, so that an error on the way still gets a
// status of its own.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	var b bytes.Buffer
	// A page that was worked out is sent, though its time may be over by now.
	if err := c.Render(context.WithoutCancel(r.Context()), &b); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(visible(b.Bytes())) // a browser that is gone needs no answer
	return nil
}

// recovered answers a panic like any other error and logs where it was.
func (s *server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			s.Log.Error("request panicked", "request", idOf(r), "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			http.Error(w, "internal error "+idOf(r), http.StatusInternalServerError)
		}()
		next.ServeHTTP(w, r)
	})
}

// secureHeaders are on every answer, whatever answers.
func (s *server) secureHeaders(next http.Handler) http.Handler {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if r.TLS != nil || !s.Insecure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}
