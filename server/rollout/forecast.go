package rollout

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// rankTails gives every class the minutes of the longest chain that waits for
// it, and every unit its priority: the longest way to the end first.
func (o *order) rankTails() {
	for _, c := range slices.Backward(o.classes) {
		way := longest(c) + c.tail
		for _, g := range c.before {
			for _, p := range g.classes {
				p.tail = max(p.tail, way)
			}
		}
		for _, u := range c.units {
			u.priority = u.minutes + c.tail
		}
	}
}

func longest(c *class) int {
	most := 0
	for _, u := range c.units {
		most = max(most, u.minutes)
	}
	return most
}

func (m *maker) forecast() Forecast {
	p50 := m.simulate(func(u *unit) int { return u.minutes })
	return Forecast{
		P50Minutes: p50, P90Minutes: m.simulate(func(u *unit) int { return u.slow }), PlannedMinutes: p50,
		LowerBoundMinutes: m.lowerBound(), CriticalPath: m.criticalPath(),
	}
}

// criticalPath follows the longest chain of classes that wait for each other
// and names the longest server of each.
func (m *maker) criticalPath() []string {
	var first *class
	for _, c := range m.order.classes {
		if first == nil || longest(c)+c.tail > longest(first)+first.tail {
			first = c
		}
	}
	path := []string{}
	for c := first; c != nil; {
		best := c.units[0]
		for _, u := range c.units {
			if u.minutes > best.minutes {
				best = u
			}
		}
		path = append(path, best.name)
		var next *class
		for _, s := range m.order.classes {
			if longest(s)+s.tail == c.tail && s.waitsFor(c) {
				next = s
				break
			}
		}
		c = next
	}
	return path
}

func (c *class) waitsFor(p *class) bool {
	return slices.ContainsFunc(c.before, func(g group) bool { return slices.Contains(g.classes, p) })
}

// lowerBound is what no schedule within the order and the limits can beat: the
// longest chain, the work divided by the places, and the same for each site and
// for each role of a site under its floor.
func (m *maker) lowerBound() int {
	bound, work := 0, 0
	policy := m.plan.Policy
	siteWork := map[string]int{}
	roleWork := map[siteRole]int{}
	waveLongest := map[int]int{}
	for _, c := range m.order.classes {
		bound = max(bound, longest(c)+c.tail)
		waveLongest[c.wave] = max(waveLongest[c.wave], longest(c))
		for _, u := range c.units {
			work += u.minutes
			siteWork[u.siteKey] += u.minutes
			for _, r := range u.server.Roles {
				roleWork[siteRole{u.siteKey, r}] += u.minutes
			}
		}
	}
	if !policy.Overlap {
		sum := 0
		for _, minutes := range waveLongest {
			sum += minutes
		}
		bound = max(bound, sum)
	}
	bound = max(bound, perPlace(work, policy.AtOnce))
	for _, minutes := range siteWork {
		bound = max(bound, perPlace(minutes, policy.AtOncePerSite))
	}
	count := population(m.units, m.outside)
	for key, minutes := range roleWork {
		bound = max(bound, perPlace(minutes, mayLeave(policy.Floor, count[key])))
	}
	return bound
}

// perPlace divides work over places, rounded up; no places is no limit.
func perPlace(minutes, places int) int {
	if places <= 0 {
		return 0
	}
	return (minutes + places - 1) / places
}

// mayLeave is how many of n servers a floor lets out of service at once. Where
// it lets none, a finding blocks the plan and the forecast goes on with one.
func mayLeave(f Floor, n int) int { return max(n-f.Of(n), 1) }

// bucket is the units of one class in one site: limits treat them alike.
type bucket struct {
	class *class
	site  string
	units []*unit // by priority
}

func (b *bucket) head() *unit { return b.units[0] }

// bucketHeap is a heap of buckets by their first unit's priority.
type bucketHeap []*bucket

func (h bucketHeap) Len() int { return len(h) }
func (h bucketHeap) Less(i, j int) bool {
	a, b := h[i].head(), h[j].head()
	return cmp.Or(cmp.Compare(b.priority, a.priority), strings.Compare(a.name, b.name)) < 0
}
func (h bucketHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push adds a bucket, for container/heap.
func (h *bucketHeap) Push(x any) {
	if b, ok := x.(*bucket); ok {
		*h = append(*h, b)
	}
}

// Pop removes the last bucket, for container/heap.
func (h *bucketHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// ending is a unit that runs and when it ends.
type ending struct {
	at   int
	unit *unit
}

type endings []ending

func (h endings) Len() int { return len(h) }
func (h endings) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].at, h[j].at), strings.Compare(h[i].unit.name, h[j].unit.name)) < 0
}
func (h endings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push adds an ending, for container/heap.
func (h *endings) Push(x any) {
	if e, ok := x.(ending); ok {
		*h = append(*h, e)
	}
}

// Pop removes the last ending, for container/heap.
func (h *endings) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// simulation is one run of a plan in which every server takes its minutes.
type simulation struct {
	policy      Policy
	ready       bucketHeap
	parked      map[string][]*bucket // by site, until something there ends
	running     endings
	inSite      map[string]int
	out         map[siteRole]int
	may         map[siteRole]int
	left        map[*class]int // units of a class that did not end
	pending     map[*class]int // classes that a class waits for
	after       map[*class][]*class
	facing      int // classes of internet-facing client access that did not end
	waveLeft    []int
	wave        int // the open wave; all are open with overlap
	waiting     map[*class][]*bucket
	afterFacing []*class // classes that wait for all of facing
	changed     bool     // a class or a wave may have become free to begin
}

// simulate returns the minutes until the last server ends.
func (m *maker) simulate(minutes func(*unit) int) int {
	s := m.newSimulation()
	now := 0
	for {
		s.open()
		s.start(now, minutes)
		if len(s.running) == 0 {
			return now
		}
		now = s.running[0].at
		for len(s.running) > 0 && s.running[0].at == now {
			if e, ok := heap.Pop(&s.running).(ending); ok {
				s.end(e.unit)
			}
		}
	}
}

func (m *maker) newSimulation() *simulation {
	s := &simulation{
		policy: m.plan.Policy, parked: map[string][]*bucket{}, inSite: map[string]int{}, out: map[siteRole]int{}, may: map[siteRole]int{},
		left: map[*class]int{}, pending: map[*class]int{}, after: map[*class][]*class{}, waveLeft: make([]int, len(m.plan.Waves)+2), wave: 1,
		waiting: map[*class][]*bucket{}, changed: true, facing: len(m.order.facing),
	}
	for key, n := range population(m.units, m.outside) {
		s.may[key] = mayLeave(s.policy.Floor, n)
	}
	for _, c := range m.order.classes {
		s.left[c] = len(c.units)
		s.waveLeft[c.wave] += len(c.units)
		before := map[*class]bool{}
		for _, g := range c.before {
			if g.rule.Name == internetFacingFirst { // one token for all of them
				s.pending[c]++
				s.afterFacing = append(s.afterFacing, c)
				continue
			}
			for _, p := range g.classes {
				if !before[p] {
					before[p] = true
					s.after[p] = append(s.after[p], c)
				}
			}
		}
		s.pending[c] += len(before)
		bySite := map[string]*bucket{}
		for _, u := range c.units {
			b, ok := bySite[u.siteKey]
			if !ok {
				b = &bucket{class: c, site: u.siteKey}
				bySite[u.siteKey] = b
				s.waiting[c] = append(s.waiting[c], b)
			}
			b.units = append(b.units, u)
		}
		for _, b := range s.waiting[c] {
			slices.SortStableFunc(b.units, func(a, z *unit) int { return cmp.Compare(z.priority, a.priority) })
		}
	}
	return s
}

// open moves the classes whose wave is open and that wait for nothing to ready.
func (s *simulation) open() {
	for s.wave < len(s.waveLeft) && s.waveLeft[s.wave] == 0 {
		s.wave++
		s.changed = true
	}
	if !s.changed {
		return
	}
	s.changed = false
	for c, buckets := range s.waiting {
		if s.pending[c] > 0 || (!s.policy.Overlap && c.wave > s.wave) {
			continue
		}
		for _, b := range buckets {
			heap.Push(&s.ready, b)
		}
		delete(s.waiting, c)
	}
}

func (s *simulation) start(now int, minutes func(*unit) int) {
	for len(s.ready) > 0 && (s.policy.AtOnce == 0 || len(s.running) < s.policy.AtOnce) {
		b, ok := heap.Pop(&s.ready).(*bucket)
		if !ok {
			return
		}
		if !s.fits(b) {
			s.parked[b.site] = append(s.parked[b.site], b)
			continue
		}
		u := b.head()
		s.take(u, 1)
		heap.Push(&s.running, ending{now + minutes(u), u})
		if b.units = b.units[1:]; len(b.units) > 0 {
			heap.Push(&s.ready, b)
		}
	}
}

func (s *simulation) fits(b *bucket) bool {
	if s.policy.AtOncePerSite > 0 && s.inSite[b.site] >= s.policy.AtOncePerSite {
		return false
	}
	return !slices.ContainsFunc(b.class.roles, func(r exchange.Role) bool {
		key := siteRole{b.site, r}
		return s.out[key] >= s.may[key]
	})
}

func (s *simulation) take(u *unit, n int) {
	s.inSite[u.siteKey] += n
	for _, r := range u.server.Roles {
		s.out[siteRole{u.siteKey, r}] += n
	}
}

func (s *simulation) end(u *unit) {
	s.take(u, -1)
	for _, b := range s.parked[u.siteKey] {
		heap.Push(&s.ready, b)
	}
	delete(s.parked, u.siteKey)
	s.waveLeft[u.class.wave]--
	if s.left[u.class]--; s.left[u.class] > 0 {
		return
	}
	if u.class.facing && u.class.has(exchange.ClientAccess) {
		if s.facing--; s.facing == 0 {
			for _, c := range s.afterFacing {
				s.pending[c]--
			}
		}
	}
	s.changed = true
	for _, c := range s.after[u.class] {
		s.pending[c]--
	}
}
