package winrm

import (
	"maps"
	"slices"
	"time"
)

// Good says when a host took the credential last, as far as this account saw it
// (never: the zero time), and which hosts refused it since, by name.
func (a *Account) Good() (last time.Time, doubted []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.good, slices.Sorted(maps.Keys(a.row))
}
