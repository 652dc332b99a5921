package canon

import (
	"encoding/json"
	"testing"
)

func TestJSONGoldenVectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{`{"b":1,"a":[true,null,"x"]}`, `{"a":[true,null,"x"],"b":1}`},
		// The string and key order examples of RFC 8785, sections 3.2.2 and 3.2.3.
		{`{"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/"}`, `{"string":"€$\u000f\nA'B\"\\\\\"/"}`},
		{
			`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`,
			"{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\ufb33\":3}",
		},
		{`{"a":"<>&\u2028\u007f"}`, "{\"a\":\"<>&\u2028\u007f\"}"},
		{`[-0,0,9007199254740991,-9007199254740991]`, `[0,0,9007199254740991,-9007199254740991]`},
		{`[]`, `[]`},
		{`{}`, `{}`},
		{`""`, `""`},
		{`"\b\t\n\f\r\u0000"`, `"\b\t\n\f\r\u0000"`},
		{`"�"`, `"�"`},
	} {
		got, err := JSON(json.RawMessage(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("JSON(%s) = %s, %v, want %s", c.in, got, err, c.want)
		}
	}
}

func TestJSONRefusesWhatHasNoOneForm(t *testing.T) {
	t.Parallel()
	for _, in := range []any{1.5, 1e300, json.Number("1e3"), json.Number("9007199254740992"), "\xff", map[string]int{"\xff": 1}, func() {}} {
		if got, err := JSON(in); err == nil {
			t.Errorf("JSON(%v) = %s, want a refusal", in, got)
		}
	}
}

func TestHashGoldenVector(t *testing.T) {
	t.Parallel()
	got, err := Hash(map[string]any{"format": "wavekeeper-test/1", "n": 1, "ü": []string{"a"}})
	want := "569414105372c8b8dc99a523f3c9916b1e56c46a122ed0ce9173a6bc4a791eec"
	if err != nil || got != want {
		t.Errorf("Hash = %s, %v, want %s", got, err, want)
	}
}
