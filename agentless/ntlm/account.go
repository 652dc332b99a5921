package ntlm

import "strings"

// Account is who logs on.
type Account struct{ User, Domain, Password string }

// ParseAccount takes the three forms a name may have: DOMAIN\user, user@domain
// (sent whole, with no domain: the host resolves it) and user (no domain: the
// host looks into its own accounts first). A domain of "." is the host itself.
func ParseAccount(name, password string) Account {
	if d, u, ok := strings.Cut(name, `\`); ok {
		return Account{User: u, Domain: d, Password: password}
	}
	return Account{User: name, Password: password}
}
