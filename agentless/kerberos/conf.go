package kerberos

import (
	"fmt"
	"net"
	"strings"
)

// conf is what we use of a krb5.conf. gokrb5's parser panics on a realm in one
// line, and knows no more.
type conf struct {
	realm   string
	kdcs    map[string][]string
	domains map[string]string
}

func parseConf(text string) (*conf, error) {
	c := &conf{kdcs: map[string][]string{}, domains: map[string]string{}}
	section, realm, depth := "", "", 0
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' || depth == 0 && strings.HasPrefix(line, "include") || strings.HasPrefix(line, "module ") {
			continue // what an include names is not read: said in the documentation
		}
		if line[0] == '[' {
			name, _, ok := strings.Cut(line[1:], "]")
			if !ok || depth != 0 {
				return nil, fmt.Errorf("line %d: %q", n+1, line)
			}
			section = strings.ToLower(strings.TrimSpace(name))
			continue
		}
		line = strings.ReplaceAll(strings.ReplaceAll(line, "{", " {\n"), "}", "\n}\n")
		for _, part := range strings.Split(line, "\n") {
			part = strings.TrimSpace(part)
			key, value, ok := strings.Cut(part, "=")
			key, value = strings.TrimSpace(key), strings.TrimSpace(value)
			switch {
			case part == "":
			case part == "}" || part == "}*":
				if depth--; depth < 0 {
					return nil, fmt.Errorf("line %d: } without {", n+1)
				}
			case !ok:
				return nil, fmt.Errorf("line %d: %q has no =", n+1, part)
			case value == "{":
				if depth++; depth == 1 {
					realm = key
				}
			case section == "libdefaults" && depth == 0 && key == "default_realm":
				c.realm = value
			case section == "domain_realm" && depth == 0:
				c.domains[strings.ToLower(key)] = value
			case section == "realms" && depth == 1 && key == "kdc":
				if _, _, err := net.SplitHostPort(value); err != nil {
					value = net.JoinHostPort(strings.Trim(value, "[]"), "88")
				}
				c.kdcs[realm] = append(c.kdcs[realm], value)
			}
		}
	}
	if depth != 0 {
		return nil, fmt.Errorf("a { is not closed")
	}
	return c, nil
}

// realmOf is a host's realm by domain_realm, or "": the KDC knows then.
func (c *conf) realmOf(host string) string {
	host = strings.ToLower(host)
	if r := c.domains[host]; r != "" {
		return r
	}
	for {
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			return ""
		}
		if r := c.domains["."+rest]; r != "" {
			return r
		}
		host = rest
	}
}
