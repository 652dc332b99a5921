package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// paced paces what is written. It hands files on in pieces to the ReadFrom of
// net/http, so that the kernel still copies them to the socket (sendfile); a
// writer that only embeds http.ResponseWriter hides that and costs a third.
type paced struct {
	http.ResponseWriter
	ctx     context.Context
	l       *Listener
	token   string // its hash
	control *http.ResponseController
	checked time.Time
	chunk   int64 // of the next piece, by how long the host took for the last
	status  int
	sent    int64
}

// WriteHeader notes the status.
func (w *paced) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *paced) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// may waits until n bytes may be sent, and refuses when the job has ended.
func (w *paced) may(n int64) error {
	if err := context.Cause(w.ctx); err != nil {
		return err
	}
	if w.l.limiter != nil {
		if err := w.l.limiter.WaitN(w.ctx, int(n)); err != nil {
			return err
		}
	}
	now := time.Now()
	if now.Sub(w.checked) >= w.l.opt.Recheck {
		w.checked = now
		if _, err := w.l.opt.Grants.Grant(w.ctx, w.token); errors.Is(err, ErrNoGrant) {
			return errRevoked
		} // a database that does not answer for a moment ends no transfer
	}
	if err := w.control.SetWriteDeadline(now.Add(w.l.opt.Stall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// ReadFrom is what io.Copy calls in http.ServeContent.
func (w *paced) ReadFrom(src io.Reader) (int64, error) {
	to, ok := w.ResponseWriter.(io.ReaderFrom)
	if !ok {
		return 0, fmt.Errorf("a writer of type %T cannot read from a file", w.ResponseWriter)
	}
	left := int64(1<<63 - 1)
	if limited, is := src.(*io.LimitedReader); is {
		src, left = limited.R, limited.N
	}
	var all int64
	for left > 0 {
		n := min(left, w.chunk)
		if err := w.may(n); err != nil {
			return all, err
		}
		began := time.Now()
		got, err := to.ReadFrom(&io.LimitedReader{R: src, N: n})
		w.chunk = w.l.next(w.chunk, time.Since(began))
		all, left, w.sent = all+got, left-got, w.sent+got
		if err != nil {
			return all, err
		}
		if got < n {
			return all, io.ErrUnexpectedEOF // the file became shorter
		}
	}
	return all, nil
}

// next is how large the next piece may be when the last took so long: a host that
// takes little at a time, without a pause, is not one that takes nothing.
func (l *Listener) next(chunk int64, took time.Duration) int64 {
	switch {
	case took > l.opt.Stall/8:
		return minChunk
	case took < l.opt.Stall/64:
		return min(2*chunk, l.chunk)
	}
	return chunk
}

// Write is for what is no file: the text of a refused Range.
func (w *paced) Write(p []byte) (int, error) {
	if err := w.may(min(int64(len(p)), w.l.chunk)); err != nil {
		return 0, err
	}
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}
