package rollout

import (
	"fmt"
	"strings"
)

// witnesses is which units are in work, and which host is the file share witness
// of which cluster. A cluster whose nodes are upgraded lives by its witness: it has
// one node less ("File share witness", KB921181), so that the two are never in work
// at the same time.
type witnesses struct {
	hosts  map[string]string   // unit by the name of its host
	of     map[string][]string // clusters by the unit that holds their witness
	holder map[string]string   // the unit that holds a cluster's witness
	work   map[string]bool     // units in work, or that were begun and are not back
}

func newWitnesses(d *decision, list []*unit) witnesses {
	w := witnesses{hosts: map[string]string{}, of: map[string][]string{}, holder: map[string]string{}, work: map[string]bool{}}
	for _, u := range list {
		for _, host := range u.hosts() {
			w.hosts[strings.ToUpper(host)] = u.name
		}
	}
	for _, u := range list {
		witness := ""
		if up := d.upgrades[u.name]; up != nil {
			witness = up.Witness
			w.work[u.name] = up.outOfService() || up.InWorkElsewhere
		} else if o := d.outside[u.name]; o != nil {
			witness = o.witness
			w.work[u.name] = o.elsewhere
		}
		if holder, ok := w.hosts[strings.ToUpper(witness)]; ok && witness != "" && holder != u.name {
			w.of[holder] = append(w.of[holder], u.name)
			w.holder[u.name] = holder
		}
	}
	return w
}

// begins counts a unit as in work.
func (w witnesses) begins(u *unit) { w.work[u.name] = true }

// witnessReasons holds the host of a witness while its cluster is in work, and
// the cluster while that host is. Nobody waives that: the cluster would lose its
// quorum with the next node.
func (l *limits) witnessReasons(u *unit) []Reason {
	var out []Reason
	for _, cluster := range l.witness.of[u.name] {
		if l.witness.work[cluster] {
			r := plainReason("witness-of-a-cluster-in-work", fmt.Sprintf("It holds the file share witness of %s, which is in work.", cluster))
			r.Servers, r.Count = []string{cluster}, 1
			out = append(out, r)
		}
	}
	if holder := l.witness.holder[u.name]; holder != "" && l.witness.work[holder] {
		r := plainReason("its-witness-is-in-work", fmt.Sprintf("The host of its file share witness, %s, is in work.", holder))
		r.Servers, r.Count = []string{holder}, 1
		out = append(out, r)
	}
	return out
}
