package httpd

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// comesFrom puts the browser's address in the place of the proxy's, when the
// request came by one of the proxies that the operator named. X-Forwarded-For of
// anybody else is what a caller likes it to be, and is not looked at; neither is
// what stands in it before the first address that is none of our proxies.
func (s *server) comesFrom(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, ok := s.forwarded(r); ok {
			r.RemoteAddr = from.String()
		}
		next.ServeHTTP(w, r)
	})
}

func (s *server) forwarded(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	peer, err := netip.ParseAddr(host)
	if err != nil || !s.ourProxy(peer) {
		return netip.Addr{}, false
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		ip, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return netip.Addr{}, false
		}
		if !s.ourProxy(ip) {
			return ip.Unmap(), true
		}
	}
	return netip.Addr{}, false
}

func (s *server) ourProxy(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(s.Proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}
