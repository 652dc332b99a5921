package twin

import (
	"slices"
	"strings"
)

// forefrontNeeded is what the services of Exchange need of Forefront (technet
// bb795067: FSEIMC, which needs FSCController; the information store starts the
// latter).
var forefrontNeeded = map[string]string{"MSExchangeIS": "FSCController", "MSExchangeTransport": "FSEIMC"}

// fscutility takes or gives Exchange's services their dependence on Forefront.
// It refuses while they or its own run (the Exchange team's sample script stops
// them before; a public report of what it says otherwise). The program that the
// trait "forefront=deaf" puts there does nothing and ends with 0, that of
// "forefront=grumbling" does it and ends with 3.
func (c *call) fscutility(path string) int {
	h := c.s.h
	code := 0
	h.update(func() {
		switch f := h.fileAt(path); {
		case f != nil && strings.HasSuffix(string(f.Data), "deaf"):
			return
		case f != nil && strings.HasSuffix(string(f.Data), "grumbling"):
			defer func() { code = max(code, 3) }()
		}
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
		for exchange, its := range forefrontNeeded {
			s := h.service(exchange)
			if s == nil {
				continue
			}
			s.DependsOn = slices.DeleteFunc(slices.Clone(s.DependsOn), func(n string) bool { return strings.EqualFold(n, its) })
			if c.has("/enable") {
				s.DependsOn = append(s.DependsOn, its)
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
