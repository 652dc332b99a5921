package page

import "wavekeeper/server/exchange"

// roleName returns the whole name of a role's short form, for those who hover.
func roleName(short string) string {
	if r, err := exchange.ParseRole(short); err == nil {
		return string(r)
	}
	return short
}

func current(on bool) string {
	if on {
		return "true"
	}
	return "false"
}

func sorted(direction string) string {
	if direction == "" {
		return "none"
	}
	return direction
}

// pick returns the first text where the claim holds, else the second.
func pick(claim bool, yes, no string) string {
	if claim {
		return yes
	}
	return no
}
