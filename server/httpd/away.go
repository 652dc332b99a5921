package httpd

import (
	"errors"
	"net/http"

	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// awayFor is after how many seconds a browser may ask again.
const awayFor = "5"

// carried is the answer of a request that did what was asked and then could not
// make the next page.
func carried(q *request, f *page.Failure) {
	f.Title, f.Text = "It was carried out", q.done
	f.Safe = "Only the next page could not be shown: the database went away right after. Do not do it again."
	f.Next = ui.Link{Href: q.to, Text: "See it, when the database is back"}
}

// away is the page of a database that cannot work now. It needs no database. A
// page loads itself again; a form says what became of it and never repeats itself.
func away(w http.ResponseWriter, r *http.Request, err error, f *page.Failure) {
	h := w.Header()
	h.Set("Retry-After", awayFor)
	f.Title = "The database is away"
	f.Text = "It is restarting, cannot be reached or has no room, so nothing can be shown or decided now."
	if tooSlow(r) {
		f.Title = "It took too long"
		f.Text = "The database, or this machine, is too busy to answer now."
	}
	f.Hosts = "Setup that runs on a server goes on there. No coordinator starts anything before the database is back; then each server is asked first how it stands."
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		f.Safe = "Nothing was asked for but this page. It loads itself again every " + awayFor + " seconds."
		f.Next = ui.Link{Href: r.URL.RequestURI(), Text: "Try again now"}
		if r.Header.Get("HX-Request") == "" {
			h.Set("Refresh", awayFor)
		}
		return
	}
	f.Next = back(r)
	if errors.Is(err, store.ErrUnsettled) {
		f.Title = "It is not known whether it was carried out"
		f.Text = "The database went away at the very moment of writing down what you asked. All of it was done or nothing; only the database can say which."
		f.Safe = "Look before you do it again: the page that you came from shows it, and so does the history."
		return
	}
	f.Safe = "Nothing of what you asked was carried out. Do it again when the database is back."
}

// unkept answers when a session could not be loaded or kept. What the handler
// still writes afterwards is not sent.
func (s *server) unkept(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Del("Location")
	s.answer(w, r, err)
	requestOf(r).writer.shut = true
}
