package twin

import (
	"slices"
	"strings"
)

// fscutility takes or gives Exchange's services their dependence on Forefront.
// It refuses while they or its own run (the Exchange team's sample script stops
// them before; a public report of what it says otherwise).
func (c *call) fscutility() int {
	h := c.s.h
	code := 0
	h.update(func() {
		for _, name := range []string{"MSExchangeSA", "MSExchangeTransport", "MSExchangeIS", "FSCController"} {
			if s := h.service(name); s != nil && s.State != stopped {
				code = 1
				return
			}
		}
		if c.has("/disable") && h.strikes("forefront-stays", nil) != nil {
			code = 1
			return
		}
		for _, name := range []string{"MSExchangeIS", "MSExchangeTransport"} {
			s := h.service(name)
			if s == nil {
				continue
			}
			s.DependsOn = slices.DeleteFunc(slices.Clone(s.DependsOn), func(n string) bool { return strings.EqualFold(n, "FSCController") })
			if c.has("/enable") {
				s.DependsOn = append(s.DependsOn, "FSCController")
			}
		}
		word := "disabled"
		if c.has("/enable") {
			word = "enabled"
		}
		h.happened("exchange-changed", map[string]any{"setting": "forefront", "to": word})
	})
	if code != 0 {
		c.print("The services of Exchange and Forefront must be stopped first.\r\n")
	}
	return code
}
