package audit_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/audit"
)

var at = time.Date(2026, 11, 22, 17, 30, 0, 123456000, time.FixedZone("CET", 3600))

func entry(seq int64) audit.Entry {
	return audit.Entry{
		Seq: seq, At: at, Who: "erika", Person: 7, Roles: []string{"planner"}, From: "10.0.0.7", What: "plan.submit",
		Subject: "plan 3 revision 2", Rollout: 5, Reason: "Übung", Detail: map[string]any{"waves": 3, "hash": "ab"},
	}
}

func rows(t *testing.T, n int64) []audit.Row {
	t.Helper()
	prev := audit.Start
	var out []audit.Row
	for seq := int64(1); seq <= n; seq++ {
		e := entry(seq)
		b, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		r := audit.Row{Seq: seq, Prev: prev, Hash: audit.Hash(prev, b), Bytes: string(b), At: e.At, Who: e.Who, What: e.What, Subject: e.Subject, RolloutID: e.Rollout}
		out = append(out, r)
		prev = r.Hash
	}
	return out
}

// TestFormIsForEver is the golden vector of format 1.
func TestFormIsForEver(t *testing.T) {
	t.Parallel()
	b, err := entry(1).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"at":"2026-11-22T16:30:00.123456Z","detail":{"hash":"ab","waves":3},"format":"wavekeeper-audit/1","from":"10.0.0.7","person":7,` +
		`"reason":"Übung","roles":["planner"],"rollout":5,"seq":1,"subject":"plan 3 revision 2","what":"plan.submit","who":"erika"}`
	if string(b) != want {
		t.Errorf("Bytes() =\n%s\nwant\n%s", b, want)
	}
	const hash = "fc741b25ba803fc7b1da88fc3eee4aaba9545ed164d183e2176a5437ce769559"
	if got := audit.Hash(audit.Start, b); got != hash {
		t.Errorf("Hash = %s, want %s", got, hash)
	}
}

func TestFirstBadEntryIsNamed(t *testing.T) {
	t.Parallel()
	good := rows(t, 4)
	head := good[3]
	if n, err := audit.Verify(good, head.Seq, head.Hash); n != 4 || err != nil {
		t.Fatalf("Verify of a good record = %d, %v", n, err)
	}
	if n, err := audit.Verify(nil, 0, audit.Start); n != 0 || err != nil {
		t.Errorf("Verify of an empty record = %d, %v", n, err)
	}
	for name, tc := range map[string]struct {
		spoil func([]audit.Row) []audit.Row
		seq   int64
		why   string
	}{
		"altered": {func(r []audit.Row) []audit.Row {
			r[1].Bytes = strings.Replace(r[1].Bytes, "erika", "erich", 1)
			return r
		}, 2, "hash"},
		"deleted":   {func(r []audit.Row) []audit.Row { return append(r[:1], r[2:]...) }, 2, "missing"},
		"reordered": {func(r []audit.Row) []audit.Row { r[1], r[2] = r[2], r[1]; return r }, 2, "missing"},
		"cut off":   {func(r []audit.Row) []audit.Row { return r[:3] }, 4, "missing"},
		"inserted":  {func(r []audit.Row) []audit.Row { return append(r, rows(t, 5)[4]) }, 5, "behind"},
		"column":    {func(r []audit.Row) []audit.Row { r[2].Subject = "plan 4"; return r }, 3, "column subject"},
		"time":      {func(r []audit.Row) []audit.Row { r[2].At = r[2].At.Add(time.Microsecond); return r }, 3, "column at"},
		"rehashed": {func(r []audit.Row) []audit.Row {
			r[1].Bytes = strings.Replace(r[1].Bytes, "erika", "erich", 1)
			r[1].Who, r[1].Hash = "erich", audit.Hash(r[1].Prev, []byte(strings.Replace(r[1].Bytes, "erika", "erich", 1)))
			return r
		}, 3, "does not follow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := audit.Verify(tc.spoil(rows(t, 4)), head.Seq, head.Hash)
			var broken *audit.Broken
			if !errors.As(err, &broken) || broken.Seq != tc.seq || !strings.Contains(broken.Why, tc.why) {
				t.Errorf("Verify = %v, want entry %d: %s", err, tc.seq, tc.why)
			}
		})
	}
}
