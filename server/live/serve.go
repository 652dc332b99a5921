package live

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"time"
)

const (
	beat      = 15 * time.Second // a sign of life when nothing changes
	writeTime = 10 * time.Second // a browser that does not read for so long is let go; it comes back
)

// Serve answers a request with the page's event stream, until the browser
// leaves, the audience may not look any more or the program ends.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, p Page) error {
	control := http.NewResponseController(w)
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	g, c := h.join(p)
	defer h.leave(g, c)
	heart := time.NewTicker(beat)
	defer heart.Stop()
	send := func(b []byte) error {
		if err := control.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
			return fmt.Errorf("limit a write to the stream: %w", err)
		}
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("write to the stream: %w", err)
		}
		return control.Flush()
	}
	if err := send([]byte("retry: 1000\n\n")); err != nil {
		return err
	}
	// Named events say how the page stands: "stale" when it may be out of date,
	// "alive" when it is not.
	said := false
	for {
		select {
		case <-r.Context().Done():
			return nil
		case <-h.done:
			return nil
		case <-heart.C:
			if err := send(stands(said)); err != nil {
				return err
			}
		case <-c.wake:
			u, stale, over := h.take(c)
			if over {
				return nil
			}
			if len(u.Fragments) > 0 {
				if err := send(Message(u)); err != nil {
					return err
				}
			}
			if stale == said {
				continue
			}
			said = stale
			if err := send(stands(stale)); err != nil {
				return err
			}
		}
	}
}

func stands(stale bool) []byte {
	if stale {
		return []byte("event: stale\n\n")
	}
	return []byte("event: alive\n\n")
}

// Message writes an update as one server-sent event of hx-partials. Every CR
// and LF in what is sent begins a data line of its own, so that no text can
// end the event.
func Message(u Update) []byte {
	var b bytes.Buffer
	if u.ID != "" {
		fmt.Fprintf(&b, "id: %s\n", u.ID)
	}
	for _, f := range u.Fragments {
		fmt.Fprintf(&b, "data: <hx-partial hx-target=\"%s\" hx-swap=\"outerMorph\">\n", html.EscapeString(f.Target))
		text := bytes.ReplaceAll(f.HTML, []byte("\r\n"), []byte("\n"))
		for line := range bytes.FieldsFuncSeq(text, func(c rune) bool { return c == '\r' || c == '\n' }) {
			b.WriteString("data: ")
			b.Write(line)
			b.WriteByte('\n')
		}
		b.WriteString("data: </hx-partial>\n")
	}
	b.WriteByte('\n')
	return b.Bytes()
}
