package httpd

import "testing"

// What was confirmed is a list of points with their sources: an auditor reads texts.
func TestDetailsOfADecisionAreReadable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    any
		want string
	}{
		{[]any{map[string]any{"text": "Read the notes.", "source": "KB1"}, map[string]any{"text": "No way back.", "source": "KB2"}}, "Read the notes., No way back."},
		{[]any{map[string]any{"kind": "SCC", "build": float64(3)}}, "build 3, kind SCC"},
		{[]any{"CAS01", "CAS02"}, "CAS01, CAS02"},
	} {
		if got := detailWords(c.v); got != c.want {
			t.Errorf("%v: %q, want %q", c.v, got, c.want)
		}
	}
}
