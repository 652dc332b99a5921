package media_test

import (
	"io"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"wavekeeper/server/media"
)

// TestASlowHostIsNotCutOff: one that takes bytes without a pause gets all of
// them, though the largest piece lasts longer with it than Stall.
func TestASlowHostIsNotCutOff(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.139.14", 16<<20, 1, media.Options{Stall: time.Second})
	answer, err := begin(t, "GET", s.url, token(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	line, all, part := rate.NewLimiter(2_500_000, 100_000), 0, make([]byte, 100_000)
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
