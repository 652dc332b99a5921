package jobs

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"wavekeeper/server/store"
)

func TestHostOutsideTheProfileIsNotContacted(t *testing.T) {
	t.Parallel()
	ranges := store.Profile{Name: "berlin", Ranges: []string{"10.1.0.0/16", "2001:db8::/32"}}
	both := store.Profile{Name: "names", Ranges: []string{"10.1.0.0/16"}, Suffixes: []string{"contoso.com"}}
	suffix := store.Profile{Name: "suffix", Suffixes: []string{"contoso.com"}}
	for _, tc := range []struct {
		p             store.Profile
		address, fqdn string
		found         string // of the name service; "" = it is not asked
		want          string // "" = refused
	}{
		{ranges, "10.1.2.3", "", "", "10.1.2.3"},
		{ranges, "10.2.2.3", "", "", ""},
		{ranges, "::ffff:10.1.2.3", "", "", "10.1.2.3"},
		{ranges, "::ffff:10.2.2.3", "", "", ""},
		{ranges, "[2001:db8::7]", "", "", "2001:db8::7"},
		{ranges, "2001:db9::7", "", "", ""},
		{ranges, "mbx1", "", "10.1.2.3", "10.1.2.3"},
		{ranges, "mbx1", "", "169.254.169.254", ""},
		{ranges, "mbx1", "", "10.1.2.3 127.0.0.1", ""}, // one address outside is enough
		{ranges, "mbx1", "", "::ffff:10.1.2.3", "10.1.2.3"},
		{ranges, "mbx1", "", "::ffff:127.0.0.1", ""},
		{ranges, "127.1", "", "127.0.0.1", ""},      // an address in a form that only some resolvers read
		{ranges, "2130706433", "", "127.0.0.1", ""}, // the same
		{both, "mbx1.contoso.com", "", "10.1.2.3", "10.1.2.3"},
		{both, "mbx1.contoso.com", "", "10.2.2.3", ""},
		{both, "mbx1.fabrikam.com", "mbx1.contoso.com", "", ""},
		{suffix, "mbx1.contoso.com", "", "10.9.9.9", "10.9.9.9"},
		{suffix, "10.9.9.9", "mbx1.contoso.com", "", ""},
		{store.Profile{Name: "default"}, "10.1.2.3", "", "", ""},
	} {
		asked := false
		find := func(_ context.Context, _, host string) ([]netip.Addr, error) {
			asked = true
			if host != tc.address {
				t.Errorf("%s was looked up for %s", host, tc.address)
			}
			var found []netip.Addr
			for text := range strings.FieldsSeq(tc.found) {
				found = append(found, netip.MustParseAddr(text))
			}
			return found, nil
		}
		all, err := inside(t.Context(), tc.p, tc.address, tc.fqdn, find)
		got := strings.Join(all, " ")
		var rule *outsideProfile
		if got != tc.want || (tc.want == "") != errors.As(err, &rule) || asked != (tc.found != "") {
			t.Errorf("profile %s for %s (%s, found %s) dials %q, %v, want %q", tc.p.Name, tc.address, tc.fqdn, tc.found, got, err, tc.want)
		}
	}
	nowhere := func(context.Context, string, string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "no such host"}
	}
	if got, err := inside(t.Context(), ranges, "mbx1", "", nowhere); got != nil || err == nil {
		t.Errorf("a name that nobody knows dials %q, %v", got, err)
	}
}
