//go:build !race

package torture

import (
	"fmt"
	"io"
	"sort"
	"sync"
	"text/tabwriter"
)

// ledger counts what was done to break an invariant, and how often the
// invariant was looked at, over all tests of the package.
var ledger tally

type tally struct {
	mu     sync.Mutex
	counts map[[2]string]int
}

// injected counts one injection of a kind ("kill before a write") in a test.
func (l *tally) injected(kind string, n int) { l.add("injection", kind, n) }

// held counts one check of an invariant that held.
func (l *tally) held(invariant string, n int) { l.add("invariant held", invariant, n) }

func (l *tally) add(what, name string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = map[[2]string]int{}
	}
	l.counts[[2]string{what, name}] += n
}

// print writes the table.
func (l *tally) print(w io.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := make([][2]string, 0, len(l.counts))
	for k := range l.counts {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i][0]+keys[i][1] < keys[j][0]+keys[j][1] })
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, k := range keys {
		fmt.Fprintf(table, "torture: %s\t%s\t%d\n", k[0], k[1], l.counts[k])
	}
	_ = table.Flush() // a terminal that is gone is not told
}
