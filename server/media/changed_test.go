package media_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"wavekeeper/server/media"
)

// TestAHostThatAsksAnewMakesTheConsoleLookAtItsFile: a disk that gives other bytes
// than before changes neither size nor time. One line in the log is enough.
func TestAHostThatAsksAnewMakesTheConsoleLookAtItsFile(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.126.14", 1<<20, 1, media.Options{})
	info, err := os.Stat(s.path)
	if answer, _, err2 := get(t, "GET", s.url, token(0), nil); err != nil || err2 != nil || answer.StatusCode != 200 || s.next(t).Refused != "" {
		t.Fatal(answer, err, err2)
	}
	f, err := os.OpenFile(s.path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte{s.bundle[77] + 1}, 77)
	if err := errors.Join(err, f.Close(), os.Chtimes(s.path, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		answer, _, err := get(t, "GET", s.url, token(0), nil)
		if e := s.next(t); err != nil || answer.StatusCode != 410 || answer.Header.Get("Retry-After") != "1" || e.Refused != media.RefusedChanged {
			t.Errorf("asked again: %v, %v, %+v", answer, err, e)
		}
	}
	if lines := strings.Count(s.log.String(), "media cannot be served"); lines != 1 {
		t.Errorf("%d lines in the log, want 1:\n%s", lines, s.log.String())
	}
	if err := os.WriteFile(s.path, s.bundle, 0o600); err != nil { // added again
		t.Fatal(err)
	}
	if answer, _, err := get(t, "GET", s.url, token(0), nil); err != nil || answer.StatusCode != 200 || s.next(t).Refused != "" {
		t.Errorf("after it was added again: %v, %v", answer, err)
	}
}

func TestMediaChangedOnTheConsoleAreNotServed(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.126.5", 1<<20, 1, media.Options{})
	if answer, _, err := get(t, "GET", s.url, token(0), nil); err != nil || answer.StatusCode != 200 || s.next(t).Refused != "" {
		t.Fatal(answer, err)
	}
	changed := slices.Clone(s.bundle)
	changed[77]++
	if err := os.WriteFile(s.path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	answer, body, err := get(t, "GET", s.url, token(0), nil)
	if e := s.next(t); err != nil || answer.StatusCode != 410 || len(body) > 100 || answer.Header.Get("ETag") != "" || e.Refused != media.RefusedChanged {
		t.Errorf("changed: %v, %v, %+v", answer, err, e)
	}
	os.Remove(s.path)
	answer, _, err = get(t, "GET", s.url, token(0), nil)
	if e := s.next(t); err != nil || answer.StatusCode != 503 || e.Refused != media.RefusedMissing {
		t.Errorf("away: %v, %v, %+v", answer, err, e)
	}
}
