package runbook

import "testing"

// TestPartsOfABundleAreNeverNoneOfNone: small media are counted in kB.
func TestPartsOfABundleAreNeverNoneOfNone(t *testing.T) {
	t.Parallel()
	for want, c := range map[string][2]int64{
		"0 of 3 kB":      {0, 2100},
		"0 of 890 MB":    {1 << 19, 890 << 20},
		"890 of 890 MB":  {890 << 20, 890 << 20},
		"120 of 9216 kB": {120 << 10, 9 << 20},
	} {
		if got := partWords(c[0], c[1]); got != want {
			t.Errorf("partWords(%d, %d) = %q, want %q", c[0], c[1], got, want)
		}
	}
}
