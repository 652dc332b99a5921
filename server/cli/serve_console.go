package cli

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/httpd"
	"wavekeeper/server/live"
	"wavekeeper/server/store"
)

// console makes the handler of the pages, and the one of /metrics and /readyz.
// With a token the second is at the console's address, too.
func (c *ServeCmd) console(s *store.Store, keyID string, hub *live.Hub, proxies []netip.Prefix, log *slog.Logger, counts ...prometheus.Collector) (pages, ops http.Handler) {
	sayMissing(log, httpd.MissingAssets())
	pages = httpd.New(httpd.Options{
		Store: s, Live: hub, Runbooks: runbook.Books{}, Demo: c.Demo, Insecure: c.insecure(), Proxies: proxies, Log: log,
		Constants: constants(), Fixes: fixes(), KeyID: keyID,
	})
	ops = operations(s, hub, counts...)
	if c.MetricsToken == "" {
		return pages, ops
	}
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	for _, path := range []string{"GET /metrics", "GET /readyz"} {
		mux.Handle(path, withToken(c.MetricsToken, ops))
	}
	return mux, ops
}

// fixes are the repairs that people may have done.
func fixes() []httpd.Fix {
	var all []httpd.Fix
	for _, f := range runbook.Fixes() {
		all = append(all, httpd.Fix(f))
	}
	return all
}

// sayMissing says that the program was built without files that browsers need:
// its pages still work, as plain as they come.
func sayMissing(log *slog.Logger, files []string) {
	if len(files) > 0 {
		log.Warn("built without browser assets: pages are plain and do not move by themselves; run `make assets` and build again",
			"part", "console", "missing", strings.Join(files, ", "))
	}
}

// insecure says that cookies may travel over http: only on loopback, where
// nothing says that people come by https.
func (c *ServeCmd) insecure() bool {
	return !strings.HasPrefix(c.PublicURL, "https://") && c.loopback()
}

// loopback says that the console is reached from this machine only.
func (c *ServeCmd) loopback() bool { return isLoopback(c.Listen) }

// isLoopback says that an address to listen on is for this machine only.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// check refuses a demo that others could reach, and reads the proxies.
func (c *ServeCmd) check(log *slog.Logger) ([]netip.Prefix, error) {
	if c.Demo && !c.loopback() {
		return nil, fmt.Errorf("--listen %s: a demo listens on loopback addresses only", c.Listen)
	}
	if err := c.checkMedia(); err != nil {
		return nil, err
	}
	var proxies []netip.Prefix
	for _, text := range c.TrustedProxy {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			ip, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("--trusted-proxy %s: an address or a range such as 10.0.0.5 or 10.0.0.0/24 is wanted", text)
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		proxies = append(proxies, prefix.Masked())
	}
	if strings.HasPrefix(c.PublicURL, "https://") && len(proxies) == 0 {
		log.Warn("people come through a proxy that is not named: its address stands on the record for everybody, and failed attempts to sign in count for everybody together; name it with --trusted-proxy",
			"part", "console")
	}
	return proxies, nil
}

// operations answers those who watch the program: is it ready, how is it.
func operations(s *store.Store, hub *live.Hub, counts ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(counts...)
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "wavekeeper_streams", Help: "Event streams that are open."},
			func() float64 { return float64(hub.Streams()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "wavekeeper_database_connections", Help: "Connections to the database that are in use."},
			func() float64 { return float64(s.Pool().Stat().AcquiredConns()) }),
	)
	return httpd.Internal(s.Ping, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
}

// withToken lets those pass who know the token.
func withToken(token string, next http.Handler) http.Handler {
	want := []byte("Bearer " + token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
