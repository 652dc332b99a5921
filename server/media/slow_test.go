package media_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"wavekeeper/server/media"
)

// TestASlowHostIsNotCutOff: one that takes bytes without a pause gets all of
// them, though the largest piece lasts longer with it than Stall. The
// kernel's buffers stay small: grown ones empty in lumps that last longer, too.
func TestASlowHostIsNotCutOff(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.139.14", 4<<20, 1, media.Options{Stall: 3 * time.Second})
	s.buffer.Store(128 << 10)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(media.TokenHeader, token(0))
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(r.URL.Hostname())}}
		conn, err := from.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return conn, conn.(*net.TCPConn).SetReadBuffer(128 << 10)
	}
	answer, err := (&http.Transport{DisableKeepAlives: true, DialContext: dial}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	line, all, part := rate.NewLimiter(300_000, 10_000), 0, make([]byte, 10_000)
	for all < len(s.bundle) {
		if err := line.WaitN(t.Context(), min(len(part), len(s.bundle)-all)); err != nil {
			t.Fatal(err)
		}
		n, err := io.ReadFull(answer.Body, part[:min(len(part), len(s.bundle)-all)])
		if all += n; err != nil {
			t.Fatalf("cut off after %d of %d bytes: %v", all, len(s.bundle), err)
		}
	}
}
