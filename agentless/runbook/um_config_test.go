package runbook_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
)

const (
	globBefore = "<?xml version=\"1.0\"?>\r\n<!-- ours --><Global version=\"8.0\"><MaxCalls>250</MaxCalls><Old>1</Old><add key=\"b\" value=\"x\"/><add key=\"a\" value=\"mine &amp; yours\"/></Global>"
	globAfter  = "<?xml version=\"1.0\"?>\r\n<Global version=\"8.1\">\r\n  <MaxCalls>100</MaxCalls>\r\n  <New>2</New>\r\n  <add key=\"a\" value=\"theirs\"/>\r\n  <add key=\"b\" value=\"x\"/>\r\n</Global>\r\n"
)

// TestWhatDiffersIsToldByValue: layout, comments and the order of named settings
// count for nothing.
func TestWhatDiffersIsToldByValue(t *testing.T) {
	t.Parallel()
	got, err := runbook.ConfigDifferences([]byte(globBefore), []byte(globAfter))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"path":"/Global[1]/@version","old":"8.0","new":"8.1"},{"path":"/Global[1]/MaxCalls[1]","old":"250","new":"100"},` +
		`{"path":"/Global[1]/Old[1]","old":"1","new":"","gone":true},{"path":"/Global[1]/add(a)[1]/@value","old":"mine \u0026 yours","new":"theirs"},` +
		`{"path":"/Global[1]/New[1]","old":"","new":"2","fresh":true}]`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
}

// TestReapplyingChangesNoOtherByte of the new file.
func TestReapplyingChangesNoOtherByte(t *testing.T) {
	t.Parallel()
	all, err := runbook.ConfigDifferences([]byte(globBefore), []byte(globAfter))
	if err != nil {
		t.Fatal(err)
	}
	var chosen []runbook.ConfigDifference
	for _, d := range all {
		if strings.Contains(d.Path, "MaxCalls") || strings.Contains(d.Path, "add(a)") {
			chosen = append(chosen, d)
		}
	}
	got, err := runbook.Reapply([]byte(globAfter), chosen)
	want := strings.NewReplacer(">100<", ">250<", `"theirs"`, `"mine &amp; yours"`).Replace(globAfter)
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
	}
	for _, d := range all { // no place for it
		if d.Gone || d.Fresh {
			if _, err := runbook.Reapply([]byte(globAfter), []runbook.ConfigDifference{d}); !errors.Is(err, runbook.ErrNotReapplied) {
				t.Errorf("%s: %v", d.Path, err)
			}
		}
	}
	if _, err := runbook.Reapply(got, chosen); !errors.Is(err, runbook.ErrNotReapplied) {
		t.Errorf("what is not as compared any more was changed: %v", err)
	}
}

func FuzzConfigDifferences(f *testing.F) {
	f.Add([]byte(globBefore), []byte(globAfter))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		all, err := runbook.ConfigDifferences(before, after)
		if err != nil {
			return
		}
		for _, d := range all {
			got, err := runbook.Reapply(after, []runbook.ConfigDifference{d})
			if err == nil && len(got) == 0 {
				t.Errorf("%+v emptied the file", d)
			}
		}
	})
}
