package exchange

import (
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

const stepList = "# [ID = fdfe6b1a, Wt = 1, isFatal = False]\r\nOne -Of 'them'\r\n\r\n# [ID = 0a, Wt = 3, isFatal = True]\r\nTwo\r\n# [ID = FF01, Wt = 6, isFatal = True]\r\n"

func TestAStepListIsReadAlikeInAnyPiecesAndEncoding(t *testing.T) {
	t.Parallel()
	wide := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(stepList)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	for name, file := range map[string][]byte{"ascii": []byte(stepList), "bom": []byte("\uFEFF" + stepList), "utf-16": wide} {
		var whole, lines Steps
		whole.Read(file)
		begin := 0
		for i, b := range file {
			if b == '\n' {
				lines.Read(file[begin : i+1])
				begin = i + 1
			}
		}
		lines.Read(file[begin:])
		want := Steps{Tasks: 3, Weight: 10, Before: map[string]int{"fdfe6b1a": 0, "0a": 1, "ff01": 4}}
		for _, got := range []Steps{whole, lines} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
		}
	}
}

func TestWeightsGiveThePercentage(t *testing.T) {
	t.Parallel()
	var s Steps
	s.Read([]byte(stepList))
	var got []float64
	for _, mark := range []string{"fdfe6b1a", "0A", "ff01"} {
		part, known := s.Part(mark)
		if !known {
			t.Errorf("%s is not known", mark)
		}
		got = append(got, part)
	}
	if want := []float64{0, 0.1, 0.4}; !slices.Equal(got, want) {
		t.Errorf("parts %v, want %v", got, want)
	}
	if _, known := s.Part("12345678"); known {
		t.Error("a watermark of another list is known")
	}
	for _, c := range []struct {
		done, total int
		part        float64
		want        int
	}{{0, 3, 0, 52}, {1, 2, 0, 71}, {1, 2, 0.5, 80}, {2, 2, 0, 90}, {5, 2, 3, 90}, {0, 0, 1, 52}} {
		if got := RolesPercent(c.done, c.total, c.part); got != c.want {
			t.Errorf("RolesPercent(%d, %d, %g) = %d, want %d", c.done, c.total, c.part, got, c.want)
		}
	}
}
