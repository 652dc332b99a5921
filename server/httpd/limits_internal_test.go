package httpd

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestNextStaysInTheConsole(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"/": "/", "/servers?q=a&after=b#c": "/servers?q=a&after=b#c", "/rollouts/1/waves/2": "/rollouts/1/waves/2",
		"": "/", "servers": "/", "//evil.example": "/", "https://evil.example/": "/", `/\evil.example`: "/", "/\t/evil.example": "/",
		"/\n/evil.example": "/", "/\r/evil.example": "/", "\t//evil.example": "/", "/\x00/evil.example": "/", "/\u0085/evil.example": "/",
		"javascript:alert(1)": "/", "/%zz": "/",
	} {
		if got := ours(address); got != want {
			t.Errorf("ours(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestNothingHiddenIsLeftInAPage(t *testing.T) {
	t.Parallel()
	for html, want := range map[string]string{
		"<p>plain\r\n\ttext</p>":                  "<p>plain\r\n\ttext</p>",
		"<p title=\"a\u202eb\">\u2066c\u200b</p>": `<p title="a[U+202E]b">[U+2066]c[U+200B]</p>`,
		"a\x1b[31mb\x7f\x00\u0085":                "a\u241b[31mb\u2421\u2400[U+0085]",
		"\xff\xfe":                                "[U+FFFD][U+FFFD]",
		"\u202ea<textarea name=\"x\">\u202eb</textarea>\u202ec<textarea>\u202e": "[U+202E]a<textarea name=\"x\">\u202eb</textarea>[U+202E]c<textarea>\u202e",
	} {
		if got := string(visible([]byte(html))); got != want {
			t.Errorf("visible(%q) = %q, want %q", html, got, want)
		}
	}
}

func TestOnlyANamedProxySaysWhereABrowserIs(t *testing.T) {
	t.Parallel()
	s := &server{Options: Options{Proxies: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24"), netip.MustParsePrefix("fd00::/64")}}}
	for _, tc := range []struct{ peer, forwarded, want string }{
		{"203.0.113.9:1", "10.0.0.1", "203.0.113.9:1"},                    // a caller who makes it up
		{"10.9.0.1:1", "198.51.100.7", "198.51.100.7"},                    // the proxy
		{"[::ffff:10.9.0.1]:1", "198.51.100.7", "198.51.100.7"},           // the proxy, mapped
		{"10.9.0.1:1", "1.2.3.4, 198.51.100.7", "198.51.100.7"},           // made up in front
		{"10.9.0.1:1", "1.2.3.4, 198.51.100.7, 10.9.0.2", "198.51.100.7"}, // two proxies
		{"[fd00::2]:1", "2001:db8::5", "2001:db8::5"},
		{"10.9.0.1:1", "", "10.9.0.1:1"},
		{"10.9.0.1:1", "unknown", "10.9.0.1:1"},
		{"10.9.0.1:1", "1.2.3.4, nonsense", "10.9.0.1:1"},
		{"10.9.0.1:1", "10.9.0.2", "10.9.0.1:1"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = tc.peer
		if tc.forwarded != "" {
			for hop := range strings.SplitSeq(tc.forwarded, ", ") {
				r.Header.Add("X-Forwarded-For", hop) // one line or several are the same
			}
		}
		var got string
		s.comesFrom(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })).ServeHTTP(httptest.NewRecorder(), r)
		if got != tc.want {
			t.Errorf("%s forwarding %q comes from %s, want %s", tc.peer, tc.forwarded, got, tc.want)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	got := make(chan error, 1)
	server := httptest.NewServer(limitBody(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- wholeForm(r) })))
	defer server.Close()
	for _, tc := range []struct {
		path string
		size int
		fits bool
	}{
		{"/signin", maxSmall - 10, true},
		{"/signin", maxSmall + 1, false},
		{"/plans", maxForm - 10, true},
		{"/plans", maxForm + 1, false},
		{"/servers/import/apply", maxFile + maxFile/2, true},
	} {
		body := strings.NewReader("a=" + strings.Repeat("x", tc.size-2))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+tc.path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if response, err := http.DefaultClient.Do(r); err == nil {
			response.Body.Close()
		}
		if err := <-got; (err == nil) != tc.fits {
			t.Errorf("%d bytes to %s: %v, want fits %v", tc.size, tc.path, err, tc.fits)
		}
	}
}

// connection notes the time limits that a connection is given.
type connection struct {
	*httptest.ResponseRecorder
	read, write []bool // a limit was set; false = it was taken away
}

func (c *connection) SetReadDeadline(t time.Time) error {
	c.read = append(c.read, !t.IsZero())
	return nil
}

func (c *connection) SetWriteDeadline(t time.Time) error {
	c.write = append(c.write, !t.IsZero())
	return nil
}

func TestFormHasToArriveInTime(t *testing.T) {
	t.Parallel()
	c := &connection{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/signin", strings.NewReader("name=otto"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	limitBody(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if len(c.read) != 1 || !c.read[0] || len(c.write) != 1 || !c.write[0] {
			t.Errorf("before the body is read the limits are %v and %v, want one each", c.read, c.write)
		}
		if err := wholeForm(r); err != nil || r.PostFormValue("name") != "otto" {
			t.Errorf("the form: %v", err)
		}
		if c.read[len(c.read)-1] {
			t.Error("the limit outlived the body: a long answer would be cut off")
		}
	})).ServeHTTP(c, r)
	c = &connection{ResponseRecorder: httptest.NewRecorder()}
	r = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/signin", iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("name=otto"))))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	limitBody(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := wholeForm(r); err == nil {
			t.Error("a form that broke off was taken")
		}
	})).ServeHTTP(c, r)
	if slices.Contains(c.read, false) {
		t.Error("a body that did not come in time is waited for without a limit")
	}
	c = &connection{ResponseRecorder: httptest.NewRecorder()}
	limitBody(http.NotFoundHandler()).ServeHTTP(c, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/stream", nil))
	if len(c.read) != 0 {
		t.Error("a request without a body got a limit on reading, which would end its stream")
	}
}
