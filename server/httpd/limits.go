package httpd

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"wavekeeper/server/rollout"
)

// Sizes of what a browser may send. Who is not signed in may send a form of a
// few fields.
const (
	maxFile    = 16 << 20    // an inventory of many thousand servers
	maxApplied = 4 * maxFile // the same as a form's field, where a byte may take three
	maxForm    = 1 << 20     // a plan of many thousand servers
	maxSmall   = 64 << 10    // sign-in and the like
	maxHeader  = 64 << 10    // for http.Server.MaxHeaderBytes
	maxStreams = 60          // open at one time, of one person
	formTime   = 30 * time.Second
	fileTime   = 5 * time.Minute
	answerTime = time.Minute // a browser that does not take a page for so long is let go
)

// bodyLimit is how much a form may hold and how long it may take to arrive.
func bodyLimit(path string) (int64, time.Duration) {
	switch path {
	case "/servers/import/apply":
		return maxApplied, fileTime
	case "/servers/import":
		return maxFile + maxSmall, fileTime
	case "/signin", "/signout", "/first-admin", "/theme":
		return maxSmall, formTime
	default:
		return maxForm, formTime
	}
}

// limitBody bounds a request's body in size and time, and the time in which the
// answer has to be taken. Streams set a time of their own with every message.
func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		moreTime(w)
		if r.Body != nil && r.Body != http.NoBody {
			size, wait := bodyLimit(r.URL.Path)
			control := http.NewResponseController(w)
			// A writer that cannot is no network connection and waits for nothing.
			_ = control.SetReadDeadline(time.Now().Add(wait))
			r.Body = http.MaxBytesReader(w, &timedBody{ReadCloser: r.Body, control: control}, size)
		}
		next.ServeHTTP(w, r)
	})
}

// moreTime gives the browser time to take the next part of an answer.
func moreTime(w http.ResponseWriter) {
	// A writer that cannot is no network connection and waits for nothing.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
}

// timedBody takes the time limit away when the whole body has come: what is
// then done with it may take its time. It stays when the body breaks off, since
// the server looks for the rest of it once more before it answers.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		// As in limitBody.
		_ = b.control.SetReadDeadline(time.Time{})
		_ = b.control.SetWriteDeadline(time.Now().Add(answerTime))
	}
	return n, err
}

// wholeForm reads a form, or says why it cannot be read.
func wholeForm(r *http.Request) error {
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return rollout.Invalid("The form is larger than can be taken at once.")
	case err != nil:
		return rollout.Invalid("The form could not be read.")
	}
	return nil
}

// readable refuses addresses that hold what no text may: a NUL, or bytes that
// are not UTF-8.
func (s *server) readable(next http.Handler) http.Handler {
	good := func(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }
	return s.on(func(w http.ResponseWriter, r *http.Request) error {
		ok := good(r.URL.Path)
		for name, values := range r.URL.Query() {
			ok = ok && good(name)
			for _, v := range values {
				ok = ok && good(v)
			}
		}
		if !ok {
			return rollout.Invalid("The address holds characters that no text may hold.")
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// streams counts the open event streams of each person.
type streams struct {
	mu   sync.Mutex
	open map[int64]int
}

// few lets a person have a bounded number of streams open.
func (s *server) few(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := s.signedIn(r.Context())
		s.streams.mu.Lock()
		full := s.streams.open[id] >= maxStreams
		if !full {
			s.streams.open[id]++
		}
		s.streams.mu.Unlock()
		if full {
			http.Error(w, "too many pages are open", http.StatusTooManyRequests)
			return
		}
		defer func() {
			s.streams.mu.Lock()
			defer s.streams.mu.Unlock()
			if s.streams.open[id]--; s.streams.open[id] == 0 {
				delete(s.streams.open, id)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
