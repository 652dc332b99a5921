package hook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Webhook is an address that an admin allowed.
type Webhook struct {
	Name   string
	URL    string
	Points []string
	// Networks are address ranges ("10.1.0.0/16") in which the host may lie although
	// they are private, link-local or this machine's own.
	Networks []string
	// Secret signs each call; it is never logged and never in an error.
	Secret []byte
	// CA is the certificates, in PEM, that its host's is checked against; empty =
	// the system's.
	CA string
}

// The headers of a signed call. The signature is "v1=" and the HMAC-SHA256, in
// hex, of the time stamp, a point, and the body.
const (
	TimeHeader      = "X-Wavekeeper-Time" // seconds since 1970: refuse what is older than five minutes
	SignatureHeader = "X-Wavekeeper-Signature"
	IDHeader        = "X-Wavekeeper-Id"
)

// Sign is the signature of a body that is sent at a time.
func Sign(secret []byte, at int64, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%d.", at)
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Check says what keeps a webhook from being allowed, or nil.
func (w Webhook) Check() error {
	u, err := url.Parse(w.URL)
	switch {
	case err != nil:
		return errors.New("the URL cannot be read")
	case u.Scheme != "https":
		return errors.New("a webhook is reached over https only")
	case u.Hostname() == "":
		return errors.New("the URL names no host")
	case u.User != nil:
		return errors.New("the URL holds an account; calls are signed instead")
	case u.Fragment != "":
		return errors.New("the URL has a fragment (#), which is never sent")
	case len(w.Points) == 0:
		return fmt.Errorf("name at least one point: %s", strings.Join(points, ", "))
	case len(w.Secret) > 0 && len(w.Secret) < 16:
		return errors.New("a secret of less than 16 bytes signs nothing well")
	}
	for _, p := range w.Points {
		if !slices.Contains(points, p) {
			return fmt.Errorf("%q is no point; there are %s", p, strings.Join(points, ", "))
		}
	}
	if w.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(w.CA)) {
		return errors.New("the file of certificates holds none in PEM")
	}
	ranges, err := w.networks()
	if err != nil {
		return err
	}
	return reachable(u.Hostname(), ranges)
}

// reachable refuses a host of which it is known, without a look at DNS, that no
// call will ever come to it: an address that no range allows, or this machine's
// name (RFC 6761 6.3).
func reachable(host string, ranges []netip.Prefix) error {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	address, err := netip.ParseAddr(host)
	switch {
	case err == nil:
		if err := allowed(address, ranges); err != nil {
			return fmt.Errorf("the URL leads to an address that is never called: %w; name its range with --network if it is meant", err)
		}
	case host == "localhost" || strings.HasSuffix(host, ".localhost"):
		if allowed(netip.AddrFrom4([4]byte{127, 0, 0, 1}), ranges) != nil && allowed(netip.IPv6Loopback(), ranges) != nil {
			return fmt.Errorf("the URL leads to %s, which is never called: %w; name its range with --network if it is meant", host, ErrAddress)
		}
	}
	return nil
}

// The widest ranges that may be allowed: those of RFC 1918 and RFC 4193 are no
// wider, and whoever allows all addresses has no check of them left.
const widest4, widest6 = 8, 7

func (w Webhook) networks() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, n := range w.Networks {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return nil, fmt.Errorf("%q is no address range such as 10.1.0.0/16", n)
		}
		if p.Bits() < widest4 && p.Addr().Is4() || p.Bits() < widest6 {
			return nil, fmt.Errorf("the range %s is too wide: it would allow addresses that nobody meant, this machine's own among them; name the one in which the host lies, such as 10.1.0.0/16, none wider than /%d (IPv6: /%d)", n, widest4, widest6)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// SHA256 is the hash of all that an approval of the webhook binds: where it
// leads, the points, the address ranges, the certificates and which secret signs.
func (w Webhook) SHA256() string {
	key := sha256.Sum256(append([]byte("wavekeeper webhook secret\x00"), w.Secret...))
	ranges, named := slices.Sorted(slices.Values(w.Networks)), slices.Sorted(slices.Values(w.Points))
	content, err := json.Marshal([]any{1, w.Name, w.URL, named, ranges, w.CA, hex.EncodeToString(key[:])})
	if err != nil {
		return "" // texts alone always have a form
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// ErrAddress says that a host's address is none that a webhook may lead to.
var ErrAddress = errors.New("the address is this machine's, the local network's or private, and no admin allowed its range")

// allowed decides on an address after the name was looked up, for each
// connection: a name that leads elsewhere a moment later is looked at again.
func allowed(address netip.Addr, ranges []netip.Prefix) error {
	address = address.Unmap().WithZone("")
	for _, r := range ranges {
		if r.Contains(address) {
			return nil
		}
	}
	if !address.IsGlobalUnicast() || address.IsPrivate() || special(address) {
		return fmt.Errorf("%s: %w", address, ErrAddress)
	}
	return nil
}

// specials are ranges that look global and are not (RFC 6890): shared address
// space, protocol assignments, documentation, benchmarking, what was class E,
// and the ways of IPv6 to IPv4 addresses.
var specials = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

func special(a netip.Addr) bool {
	return slices.ContainsFunc(specials, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Run calls the webhook once. No proxy of the environment is used, no redirect
// is followed. 200 to 299 is done, 202 asks to be called again, all else failed.
func (w Webhook) Run(ctx context.Context, call Call) (Run, error) {
	if err := w.Check(); err != nil {
		return failed("it was not called: %v", err), nil
	}
	ranges, err := w.networks()
	if err != nil {
		return failed("it was not called: %v", err), nil
	}
	body, err := call.body()
	if err != nil {
		return Run{}, err
	}
	limited, cancel := context.WithTimeout(ctx, Within)
	defer cancel()
	request, err := http.NewRequestWithContext(limited, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return failed("it was not called: the URL cannot be used"), nil
	}
	at := time.Now().Unix()
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "wavekeeper")
	request.Header.Set(IDHeader, call.ID)
	request.Header.Set(TimeHeader, strconv.FormatInt(at, 10))
	request.Header.Set(SignatureHeader, Sign(w.Secret, at, body))
	client := w.client(ranges)
	defer client.CloseIdleConnections()
	began := time.Now()
	answer, err := client.Do(request)
	if ctx.Err() != nil {
		return Run{}, fmt.Errorf("call the webhook %s: %w", w.Name, ctx.Err())
	}
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // without the address, which may hold a token
		}
		return failed("the call failed: %v", err), nil
	}
	defer answer.Body.Close()
	out, err := io.ReadAll(io.LimitReader(answer.Body, MostOutput))
	if ctx.Err() != nil {
		return Run{}, fmt.Errorf("call the webhook %s: %w", w.Name, ctx.Err())
	}
	took := time.Since(began).Round(100 * time.Millisecond)
	r := Run{State: Done, Words: fmt.Sprintf("answered %s after %s", answer.Status, took), Output: out}
	switch {
	case err != nil:
		r.State, r.Words = Failed, fmt.Sprintf("answered %s, and the answer did not come whole: %v", answer.Status, err)
	case answer.StatusCode == http.StatusAccepted:
		r.State = Later
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		r.State, r.Words = Failed, fmt.Sprintf("answered %s: redirects are not followed; allow the address that it leads to", answer.Status)
	case answer.StatusCode < 200 || answer.StatusCode >= 300:
		r.State = Failed
	}
	return r, nil
}

func (w Webhook) client(ranges []netip.Prefix) *http.Client {
	dialer := &net.Dialer{
		Timeout: 10 * time.Second,
		// After the name was looked up, right before each connection.
		Control: func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("%s: %w", address, ErrAddress)
			}
			return allowed(to.Addr(), ranges)
		},
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if w.CA != "" {
		settings.RootCAs = x509.NewCertPool()
		settings.RootCAs.AppendCertsFromPEM([]byte(w.CA))
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: settings, DisableKeepAlives: true,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: Within, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
