package exchange

import (
	"bytes"
	"strconv"
)

// Steps is a step list that Setup generates before it configures a role, such
// as Install-HubTransportRole-20071130-173515.ps1 in the folder of its logs:
// each task has a header "# [ID = fdfe6b1a, Wt = 1, isFatal = False]". The
// registry's watermark holds the ID of the task that was begun last. Source:
// Exchange Team Blog, How does Exchange 2007 setup know to resume a failed setup;
// that Wt is the weight of a task among the others is as remembered.
type Steps struct {
	Tasks  int            `json:"tasks,omitempty"`
	Weight int            `json:"weight,omitempty"`
	Before map[string]int `json:"before,omitempty"` // by ID: the weight of what comes before it
}

const mostTasks = 20000

// Read takes in the next lines of a list, in any encoding: what counts of them is
// ASCII.
func (s *Steps) Read(lines []byte) {
	if bytes.IndexByte(lines, 0) >= 0 { // UTF-16
		lines = bytes.ReplaceAll(lines, []byte{0}, nil)
	}
	for line := range bytes.SplitSeq(lines, []byte("\n")) {
		s.read(line)
	}
}

// Part is how much of the list's weight lies before a watermark, from 0 to 1;
// known is false when the watermark is of another list.
func (s Steps) Part(watermark string) (part float64, known bool) {
	done, known := s.Done(watermark)
	if !known || s.Weight == 0 {
		return 0, known
	}
	return float64(done) / float64(s.Weight), true
}

// read takes in a header line.
func (s *Steps) read(line []byte) bool {
	line = bytes.TrimLeft(bytes.TrimSpace(line), "\ufeff")
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(line, "\xff\xfe"), []byte("# [ID = "))
	if !ok || s.Tasks == mostTasks {
		return false
	}
	id, rest, ok := bytes.Cut(rest, []byte(","))
	if !ok || len(id) == 0 || len(id) > 64 {
		return false
	}
	weight := 1
	if _, after, ok := bytes.Cut(rest, []byte("Wt = ")); ok {
		number, _, _ := bytes.Cut(after, []byte(","))
		if n, err := strconv.Atoi(string(bytes.TrimSpace(number))); err == nil && n >= 0 && n <= 1000 {
			weight = n
		}
	}
	if s.Before == nil {
		s.Before = map[string]int{}
	}
	s.Before[string(bytes.ToLower(bytes.TrimSpace(id)))] = s.Weight
	s.Tasks++
	s.Weight += weight
	return true
}

// Done is how much of the list's weight lies before a watermark; known is
// false when the watermark is of another list.
func (s Steps) Done(watermark string) (done int, known bool) {
	done, known = s.Before[string(bytes.ToLower([]byte(watermark)))]
	return done, known
}
