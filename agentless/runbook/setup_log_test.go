package runbook

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"wavekeeper/server/exchange"
)

const sample = "[30.11.2007 17:35:01] [0] Starting Microsoft Exchange Server 2007 Setup\r\n" +
	"[30.11.2007 17:35:15] [2] Deleteting DS object /dc=de/ü\r\n" +
	"   a line of a stack\r\n" +
	"[30.11.2007 17:45:15] [0] The Exchange Server setup operation completed successfully.\r\n"

func lines(s string) []string {
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(s, "\r", ""), "\n"), "\n")
}

func wide(s string, big bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune("\uFEFF" + s)) {
		low, high := byte(u), byte(u>>8)
		if big {
			low, high = high, low
		}
		b.WriteByte(low)
		b.WriteByte(high)
	}
	return b.String()
}

// TestLogIsReadAlikeInAnyPieces feeds the log cut at every byte, in every
// encoding, as ticks do: what is not a whole line is read again.
func TestLogIsReadAlikeInAnyPieces(t *testing.T) {
	t.Parallel()
	for name, log := range map[string]string{
		"utf-8": sample, "utf-16le": wide(sample, false), "utf-16be": wide(sample, true),
		"ansi": strings.ReplaceAll(sample, "ü", "\xfc"),
	} {
		for cut := range log {
			w := &Work{Memory: map[string]string{}}
			w.Memory["order"] = byteOrder([]byte(log[:min(4, len(log))]))
			first, used := take(w, []byte(log[:cut]), false)
			second, rest := take(w, []byte(log[used:]), true)
			if used+rest != len(log) {
				t.Fatalf("%s cut at %d: %d and %d bytes of %d were taken", name, cut, used, rest, len(log))
			}
			got := append(first, second...)
			if len(got) > 0 && got[0] == "" { // a byte order mark alone
				got = got[1:]
			}
			if diff := cmp.Diff(lines(sample), got); diff != "" {
				t.Fatalf("%s cut at %d:\n%s", name, cut, diff)
			}
			if got := w.Memory["verdict"]; got != string(exchange.VerdictSuccess) {
				t.Fatalf("%s cut at %d: verdict %q", name, cut, got)
			}
		}
	}
}

func TestSuccessNeedsAllThreeWitnesses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		exit           int
		verdict        exchange.Verdict
		below, markers []string
		want           int
	}{
		{0, exchange.VerdictSuccess, nil, nil, 0},
		{1, exchange.VerdictSuccess, nil, nil, 1},
		{0, exchange.VerdictFailure, nil, nil, 1},
		{0, exchange.VerdictNone, nil, nil, 1},
		{0, exchange.VerdictSuccess, []string{"Mailbox is at 8.0.685.25"}, nil, 1},
		{0, exchange.VerdictSuccess, nil, []string{"Mailbox: Action"}, 1},
		{1, exchange.VerdictFailure, []string{"x"}, []string{"y"}, 4},
	} {
		if got := (program{final: true}).against(c.exit, c.verdict, found{wrong: append(c.below, c.markers...)}); len(got) != c.want {
			t.Errorf("against(%d, %s, %v, %v) = %v, want %d reasons", c.exit, c.verdict, c.below, c.markers, got, c.want)
		}
	}
}
