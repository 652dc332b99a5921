package windows

import (
	"maps"
	"testing"

	"wavekeeper/agentless/winrm"
)

func TestValuesKeepTheirKinds(t *testing.T) {
	t.Parallel()
	text := func(s string) winrm.Value { return winrm.Value{Text: s} }
	null := winrm.Value{Nil: true}
	for name, c := range map[string]struct {
		names, kinds []winrm.Value
		want         map[string]ValueKind
	}{
		"no values":          {[]winrm.Value{null}, []winrm.Value{null}, map[string]ValueKind{}},
		"a default value":    {[]winrm.Value{null, text("Action")}, []winrm.Value{text("1"), text("4")}, map[string]ValueKind{"": String, "Action": DWORD}},
		"fewer kinds":        {[]winrm.Value{text("a"), text("b")}, []winrm.Value{text("1")}, map[string]ValueKind{"a": String}},
		"an empty name text": {[]winrm.Value{text(""), text("b")}, []winrm.Value{text("3"), text("7")}, map[string]ValueKind{"": 3, "b": MultiString}},
	} {
		got, err := kindsOf(winrm.Instance{"sNames": c.names, "Types": c.kinds})
		if err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		}
	}
	if _, err := kindsOf(winrm.Instance{"sNames": {text("a")}, "Types": {text("x")}}); err == nil {
		t.Error("a kind that is no number was taken")
	}
}
