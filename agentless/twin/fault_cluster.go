package twin

import "strings"

// askCopies lets faults take hold of the nodes' copies before the cluster is
// looked at, whose lock is taken after every host's.
func (c *cluster) askCopies() {
	suspended := map[string]bool{}
	for _, h := range c.hosts {
		h.update(func() { suspended[h.name] = h.strikes("copy-suspended", nil) != nil })
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.suspended = suspended
}

// handOffRefused says why a move to a node is refused by a declared fault, or "".
func (c *cluster) handOffRefused(node string) (words string) {
	for _, h := range c.hosts {
		if strings.EqualFold(h.name, node) {
			h.update(func() {
				if h.strikes("cms-move-refused", nil) != nil {
					words = "The passive node is not in an acceptable state for a handoff."
				}
			})
		}
	}
	return words
}
