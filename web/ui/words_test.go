package ui_test

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/web/ui"
)

func TestDurationsAreTheTwoLargestUnitsThatMatter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   time.Duration
		want string
	}{
		{0, "0 s"},
		{59 * time.Second, "59 s"},
		{time.Minute, "1 min"},
		{72 * time.Minute, "1 h 12 min"},
		{2 * time.Hour, "2 h"},
		{24 * time.Hour, "1 day"},
		{76 * time.Hour, "3 days 4 h"},
		{-time.Hour, "0 s"},
	} {
		if got := ui.Duration(c.in); got != c.want {
			t.Errorf("Duration(%v) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestMomentsNameTheViewersZone(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2008, 3, 14, 22, 0, 0, 0, time.UTC)
	clock := ui.Clock{Now: now, Zone: berlin}
	for _, c := range []struct {
		at        time.Time
		text, ago string
	}{
		{now, "23:00:00 CET", "just now"},
		{now.Add(-12 * time.Minute), "22:48:00 CET", "12 min ago"},
		{now.Add(-23 * time.Hour), "00:00:00 CET", "23 h ago"},
		{now.Add(-400 * 24 * time.Hour), "8 Feb 2007, 23:00 CET", "400 days ago"},
		{now.Add(2 * time.Hour), "15 Mar, 01:00 CET", "in 2 h"},
	} {
		got := clock.Moment(c.at)
		if got.Text != c.text || got.Ago != c.ago || got.ISO != c.at.Format(time.RFC3339) {
			t.Errorf("Moment(%v) = %+v, want %q, %q", c.at, got, c.text, c.ago)
		}
	}
	if !clock.Moment(time.Time{}).Zero() {
		t.Errorf("the zero time is not the zero moment")
	}
}

func TestNumbersAndCounts(t *testing.T) {
	t.Parallel()
	for in, want := range map[int]string{0: "0", 999: "999", 18204: "18,204", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := ui.Number(in); got != want {
			t.Errorf("Number(%d) = %q, want %q", in, got, want)
		}
	}
	if got := ui.Count(1, "server", "servers") + ", " + ui.Count(1200, "server", "servers"); got != "1 server, 1,200 servers" {
		t.Errorf("Count = %q", got)
	}
	if got := ui.List([]string{"a", "b", "c", "d"}, 2); got != "a, b and 2 more" {
		t.Errorf("List = %q", got)
	}
}

func TestEveryStateOfTheGlossaryHasItsOwnWord(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, h := range ui.StateHelps() {
		word := ui.State{Key: h.Key}.Word()
		if word == h.Key || seen[word] {
			t.Errorf("state %q has the word %q", h.Key, word)
		}
		seen[word] = true
		if h.Key == "done" && (!strings.Contains(h.Means, "server at the target") || !strings.Contains(h.Means, "organization prepared")) {
			t.Errorf("done is %q, which does not fit plans of either kind", h.Means)
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d states in the glossary, want 10", len(seen))
	}
}
