package jobs

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavekeeper/server/store"
)

// dialLimit is how long one of a host's addresses has to answer before the next
// one is tried.
const dialLimit = 2 * time.Second

// lookup finds the addresses of a name, as net.Resolver does.
type lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// inside checks that the profile may be used for the host and returns the
// addresses that may be dialled, in an order that is always the same: for a name,
// those that were checked themselves, so that another answer of the name service a
// moment later changes nothing.
func inside(ctx context.Context, p store.Profile, address, fqdn string, find lookup) ([]string, error) {
	if err := p.Allows(address, fqdn); err != nil {
		return nil, &outsideProfile{err.Error()}
	}
	if ip, err := netip.ParseAddr(strings.Trim(address, "[]")); err == nil {
		return []string{ip.Unmap().String()}, nil
	}
	found, err := find(ctx, "ip", address)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", address, err)
	}
	slices.SortFunc(found, netip.Addr.Compare)
	var all []string
	for _, ip := range found {
		if !p.AllowsResolved(ip.Unmap()) {
			return nil, &outsideProfile{fmt.Sprintf("%s is %s, outside the address ranges of profile %s: it is not contacted", address, ip.Unmap(), p.Name)}
		}
		if one := ip.Unmap().String(); !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("look up %s: no address", address)
	}
	return all, nil
}

// dial chooses among a host's addresses: the one that it was reached at, for as
// long as the name service names it and it answers, else the first that does. A
// connection that was used a moment ago is alive: then nothing is asked.
func (e *Engine) dial(ctx context.Context, host store.HostAddress, p store.Profile, all []string) (address string, alive bool) {
	before, alive := e.conns.at(host.ID)
	if i := slices.Index(all, before); i > 0 {
		all = append([]string{before}, slices.Delete(slices.Clone(all), i, i+1)...)
	} else if i < 0 {
		alive = false
	}
	if len(all) == 1 || alive {
		return all[0], alive
	}
	port := host.Port
	if port == 0 {
		port = p.Port()
	}
	for _, address := range all {
		if answers(ctx, net.JoinHostPort(address, strconv.Itoa(port))) {
			return address, false
		}
	}
	return all[0], false
}

// answers reports whether something listens there. Nothing is sent.
func answers(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent that could be lost
	return true
}
