package httpd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"time"
)

// pageTime is how long a page or a form may take to be worked out. Who waits
// for longer, for a database that does not answer, is told so.
const pageTime = 30 * time.Second

// errTooSlow is the cause with which a request's context ends when that is over.
var errTooSlow = errors.New("the answer took too long to work out")

type requestKey struct{}

// request is what is known of one request beside its address.
type request struct {
	id     string
	writer *onceWriter
	limit  *time.Timer
	done   string // what was carried out, in words; said even when the next page cannot be made
	to     string // where to see it
}

// asRequest gives each request an id, for the log and for people to quote, and
// a limit in time, which streams and long files lift.
func (s *server) asRequest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b [6]byte
		_, _ = rand.Read(b[:]) // never fails, see crypto/rand
		ctx, end := context.WithCancelCause(r.Context())
		defer end(nil)
		q := &request{id: hex.EncodeToString(b[:]), writer: &onceWriter{ResponseWriter: w}}
		q.limit = time.AfterFunc(s.Patience, func() { end(errTooSlow) })
		defer q.limit.Stop()
		w.Header().Set("X-Request-Id", q.id)
		next.ServeHTTP(q.writer, r.WithContext(context.WithValue(ctx, requestKey{}, q)))
	})
}

func requestOf(r *http.Request) *request {
	if q, ok := r.Context().Value(requestKey{}).(*request); ok {
		return q
	}
	return &request{writer: &onceWriter{}}
}

func idOf(r *http.Request) string { return requestOf(r).id }

// unlimited lets an answer take as long as it is read.
func unlimited(r *http.Request) {
	if q := requestOf(r); q.limit != nil {
		q.limit.Stop()
	}
}

// tooSlow reports whether a request was ended by its limit.
func tooSlow(r *http.Request) bool { return errors.Is(context.Cause(r.Context()), errTooSlow) }

// onceWriter takes no second answer: the session is kept while the first line of
// an answer is written, and when that fails, an error page takes its place.
type onceWriter struct {
	http.ResponseWriter
	began bool // something is on its way to the browser
	shut  bool
}

func (w *onceWriter) WriteHeader(status int) {
	if !w.shut {
		w.began = true
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *onceWriter) Write(b []byte) (int, error) {
	if w.shut {
		return len(b), nil
	}
	w.began = true
	return w.ResponseWriter.Write(b)
}

// breakOff ends an answer of which a part was sent, so that the browser does
// not take the part for the whole.
func (w *onceWriter) breakOff() {
	w.shut = true
	// A writer that cannot is no network connection.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(-time.Second))
}

// Unwrap is for http.ResponseController.
func (w *onceWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
