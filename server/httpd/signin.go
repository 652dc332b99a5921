package httpd

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
)

func (s *server) signInForm(w http.ResponseWriter, r *http.Request) error {
	needed, err := s.Store.NeedsFirstAdmin(r.Context())
	if err != nil {
		return err
	}
	if needed {
		http.Redirect(w, r, "/first-admin", http.StatusSeeOther)
		return nil
	}
	next := ours(r.URL.Query().Get("next"))
	if _, err := s.viewer(r); err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
	return s.render(w, r, http.StatusOK, page.SignInPage(page.SignIn{Frame: s.plainFrame(r, "Sign in"), Next: next}))
}

func (s *server) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := wholeForm(r); err != nil {
		return err
	}
	name, next := r.PostFormValue("name"), ours(r.PostFormValue("next"))
	id, err := auth.SignIn(r.Context(), s.Store, name, r.PostFormValue("password"), r.RemoteAddr)
	switch {
	case errors.Is(err, auth.ErrSignIn), errors.Is(err, auth.ErrTooMany):
		status := http.StatusUnauthorized
		if errors.Is(err, auth.ErrTooMany) {
			status = http.StatusTooManyRequests
		}
		return s.render(w, r, status, page.SignInPage(page.SignIn{Frame: s.plainFrame(r, "Sign in"), Name: name, Next: next, Error: sentence(err.Error())}))
	case err != nil:
		return err
	}
	return s.enter(w, r, id, next)
}

// enter begins a session under a new token; nothing of the one before is kept.
func (s *server) enter(w http.ResponseWriter, r *http.Request, person int64, next string) error {
	p, err := s.Store.PersonByID(r.Context(), person)
	if err != nil {
		return err
	}
	if err := s.sessions.Clear(r.Context()); err != nil {
		return err
	}
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	s.sessions.Put(r.Context(), store.SessionPerson, person)
	s.sessions.Put(r.Context(), store.SessionStamp, p.Stamp)
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

func (s *server) signOut(w http.ResponseWriter, r *http.Request) error {
	if v, err := s.viewer(r); err == nil {
		if err := s.Store.Note(r.Context(), v.actor(r), store.Record{What: "sign-out", Subject: v.Name}); err != nil {
			return err
		}
	}
	person := s.signedIn(r.Context())
	if err := s.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	s.Live.Ring(fmt.Sprintf("person:%d", person)) // the session's streams end
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
	return nil
}

func (s *server) firstAdminForm(w http.ResponseWriter, r *http.Request) error {
	needed, err := s.Store.NeedsFirstAdmin(r.Context())
	if err != nil {
		return err
	}
	if !needed {
		http.Redirect(w, r, "/signin", http.StatusSeeOther)
		return nil
	}
	return s.render(w, r, http.StatusOK, page.FirstAdminPage(page.FirstAdmin{Frame: s.plainFrame(r, "First administrator"), Token: r.URL.Query().Get("token")}))
}

func (s *server) firstAdmin(w http.ResponseWriter, r *http.Request) error {
	v := page.FirstAdmin{Frame: s.plainFrame(r, "First administrator"), Token: strings.TrimSpace(r.PostFormValue("token")), Name: r.PostFormValue("name")}
	refuse := func(text string) error {
		v.Error = text
		return s.render(w, r, http.StatusUnprocessableEntity, page.FirstAdminPage(v))
	}
	// Before the costly hash: while there is an admin this address does nothing.
	needed, err := s.Store.NeedsFirstAdmin(r.Context())
	if err != nil {
		return err
	}
	if !needed {
		return rollout.Conflict("There is an admin already.")
	}
	if r.PostFormValue("password") != r.PostFormValue("again") {
		return refuse("The two passwords are not the same.")
	}
	hash, err := auth.HashPassword(r.PostFormValue("password"))
	if errors.Is(err, auth.ErrPassword) {
		return refuse(sentence(err.Error()))
	}
	if err != nil {
		return err
	}
	id, err := s.Store.AddFirstAdmin(r.Context(), v.Token, v.Name, hash, r.RemoteAddr)
	var told *rollout.Error
	if errors.As(err, &told) {
		return refuse(told.Text)
	}
	if err != nil {
		return err
	}
	return s.enter(w, r, id, "/")
}

// setTheme keeps the theme in a cookie, and with the person who is signed in.
func (s *server) setTheme(w http.ResponseWriter, r *http.Request) error {
	theme := r.PostFormValue("theme")
	if theme != "light" && theme != "dark" {
		theme = ""
	}
	cookie := &http.Cookie{Name: "theme", Value: theme, Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()), HttpOnly: true, Secure: !s.Insecure, SameSite: http.SameSiteLaxMode}
	if theme == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
	if v, err := s.viewer(r); err == nil {
		if err := s.Store.SetPreferences(r.Context(), v.ID, v.Language, theme, v.Zone); err != nil {
			return err
		}
	}
	http.Redirect(w, r, ours(r.PostFormValue("return")), http.StatusSeeOther)
	return nil
}

// ours keeps an address inside the console. Browsers read a backslash as a
// slash and leave out control characters, so neither may be in it.
func ours(address string) string {
	foreign := func(c rune) bool { return c == '\\' || c == utf8.RuneError || unicode.IsControl(c) }
	if !strings.HasPrefix(address, "/") || strings.HasPrefix(address, "//") || strings.ContainsFunc(address, foreign) {
		return "/"
	}
	if u, err := url.Parse(address); err != nil || u.Scheme != "" || u.Host != "" || u.User != nil {
		return "/"
	}
	return address
}

// sentence makes an error's text a sentence.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
