package windows

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func said(nonce string, pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "#%s %s=%s\r\n", nonce, pairs[i], base64.StdEncoding.EncodeToString([]byte(pairs[i+1])))
	}
	fmt.Fprintf(&b, "#%s END %d\r\n", nonce, len(pairs)/2)
	return b.String()
}

func TestRecordsAreReadInOrder(t *testing.T) {
	t.Parallel()
	out := "WARNING: a profile speaks\r\n" + said("0123456789abcdef", "exists", "1", "entry", "a|f|1|x", "entry", "ö = b\n") + "trailer\r\n"
	got, err := parseRecords([]byte(out), "0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	want := Records{{"exists", "1"}, {"entry", "a|f|1|x"}, {"entry", "ö = b\n"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a|f|1|x", "ö = b\n"}, got.All("entry")); diff != "" {
		t.Error(diff)
	}
}

func TestTruncatedOutputIsNotBelieved(t *testing.T) {
	t.Parallel()
	whole := said("aa", "exists", "1", "length", "17", "data", "xyz")
	for n := range whole {
		cut := whole[:n]
		_, err := parseRecords([]byte(cut), "aa")
		if strings.Contains(cut, "END 3") { // only the line end is missing
			if err != nil {
				t.Errorf("%q: %v", cut, err)
			}
			continue
		}
		if !errors.Is(err, ErrTruncated) {
			t.Errorf("%q: error %v, want ErrTruncated", cut, err)
		}
	}
	for name, out := range map[string]string{
		"another nonce":  said("bb", "exists", "1"),
		"a record lost":  strings.Replace(whole, "#aa length=MTc=\r\n", "", 1),
		"damaged base64": strings.Replace(whole, "MTc=", "MT*=", 1),
		"not utf-8":      "#aa x=/w==\r\n#aa END 1\r\n",
		"no equals sign": "#aa exists\r\n#aa END 1\r\n",
		"nothing":        "",
	} {
		if _, err := parseRecords([]byte(out), "aa"); !errors.Is(err, ErrTruncated) {
			t.Errorf("%s: error %v, want ErrTruncated", name, err)
		}
	}
}

func FuzzRecords(f *testing.F) {
	f.Add(said("aa", "exists", "1"))
	f.Add("#aa END 0")
	f.Fuzz(func(t *testing.T, out string) {
		if records, err := parseRecords([]byte(out), "aa"); err == nil && !strings.Contains(out, fmt.Sprintf("#aa END %d", len(records))) && !strings.Contains(out, "#aa END") {
			t.Fatalf("%q was believed without an end marker", out)
		}
	})
}
