package winrm

import "net"

// Private reports whether what is sent cannot be read on the way: https, http
// whose messages are sealed (NTLM, Kerberos), or an address in 127.0.0.0/8. A
// name without either is not private, wherever it points.
func (c *Conn) Private() bool {
	if !c.cfg.plain() {
		return true
	}
	ip := net.ParseIP(c.cfg.Address)
	return ip != nil && inLoopback(ip)
}
