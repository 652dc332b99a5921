package exchange

import "slices"

// literals finds any of a fixed set of texts in one pass over a line, without
// regard to the case of ASCII letters: an Aho-Corasick automaton. A log of
// 100 MB is compared with some two hundred texts; regular expressions look only
// at lines in which one of theirs was found.
type literals struct {
	class   [256]uint16 // bytes that occur in no text share class 0
	classes int
	next    []uint16   // of state*classes + class
	found   [][]uint16 // texts that end in a state
}

func newLiterals(texts []string) *literals {
	l := &literals{classes: 1}
	for _, t := range texts {
		for i := range len(t) {
			if c := lower(t[i]); l.class[c] == 0 {
				l.class[c] = uint16(l.classes)
				l.classes++
			}
		}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		l.class[c] = l.class[lower(c)]
	}
	l.grow()
	for id, t := range texts {
		state := 0
		for i := range len(t) {
			at := state*l.classes + int(l.class[lower(t[i])])
			if l.next[at] == 0 {
				l.next[at] = uint16(l.grow())
			}
			state = int(l.next[at])
		}
		l.found[state] = append(l.found[state], uint16(id))
	}
	l.link()
	return l
}

func (l *literals) grow() int {
	l.next = append(l.next, make([]uint16, l.classes)...)
	l.found = append(l.found, nil)
	return len(l.found) - 1
}

// link turns the tree of texts into an automaton, breadth first: where a state
// has no way on, it goes on as its longest end does.
func (l *literals) link() {
	fail := make([]int, len(l.found))
	queue := []int{}
	for c := range l.classes {
		if s := int(l.next[c]); s != 0 {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		l.found[state] = slices.Concat(l.found[state], l.found[fail[state]])
		for c := range l.classes {
			at, other := state*l.classes+c, fail[state]*l.classes+c
			if s := int(l.next[at]); s != 0 {
				fail[s] = int(l.next[other])
				queue = append(queue, s)
			} else {
				l.next[at] = l.next[other]
			}
		}
	}
}

// in appends the texts that occur in a line, each as often as it does.
func (l *literals) in(line []byte, hits []uint16) []uint16 {
	state := 0
	for _, b := range line {
		state = int(l.next[state*l.classes+int(l.class[b])])
		if f := l.found[state]; f != nil {
			hits = append(hits, f...)
		}
	}
	return hits
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}
