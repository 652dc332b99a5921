package winrm

import (
	"bufio"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// TestAnswersAreReadAsNetHTTPReadsThem: what quick takes it reads as net/http
// would, whatever comes in pieces; the rest it does not touch.
func TestAnswersAreReadAsNetHTTPReadsThem(t *testing.T) {
	t.Parallel()
	const end = "\r\n\r\n"
	for text, taken := range map[string]bool{
		"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml;charset=UTF-8\r\nServer: Microsoft-HTTPAPI/1.0\r\nContent-Length: 5" + end + "hello": true,
		"HTTP/1.1 200 \r\ncontent-length:5\r\nDate: Thu, 01 Jan 2009 00:00:00 GMT" + end + "hello":                                                  true,
		"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/soap+xml;charset=UTF-16\r\nContent-Length: 0" + end:                        true,
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close" + end + "hello":                                                                 false,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked" + end + "5\r\nhello\r\n0\r\n\r\n":                                                           false,
		"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0" + end:                                                       false,
		"HTTP/1.1 100 Continue" + end + "HTTP/1.1 200 OK\r\nContent-Length: 5" + end + "hello":                                                      false,
		"HTTP/1.0 200 OK\r\nContent-Length: 5" + end + "hello":                                                                                      false,
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5" + end + "hello":                                                                 false,
		"HTTP/1.1 200 OK\r\nContent-Length: -5" + end + "hello":                                                                                     false,
		"HTTP/1.1 200 OK\r\nContent-Length: +5" + end + "hello":                                                                                     false,
		"HTTP/1.1 200 OK" + end + "hello":                                                                                                           false,
		"HTTP/1.1 200 OK\r\n folded\r\nContent-Length: 5" + end + "hello":                                                                           false,
		"HTTP/1.1 200 OK\r\nContent-Length : 5" + end + "hello":                                                                                     false,
		"HTTP/1.1 200 OK\r\nContent-Length: 99" + end + "hello":                                                                                     true,
		"SSH-2.0-OpenSSH": false,
	} {
		in := bufio.NewReader(strings.NewReader(text))
		_, ok, _ := quick(in)
		if ok != taken {
			t.Errorf("%q: taken %t, want %t", text, ok, taken)
		}
		if left := in.Buffered(); !ok && left != len(text) {
			t.Errorf("%q: not taken, and %d bytes are gone", text, len(text)-left)
		}
		got, err := read(bufio.NewReader(strings.NewReader(text)))
		slow, slowErr := read(bufio.NewReader(iotest.OneByteReader(strings.NewReader(text)))) // net/http: never a head in one piece
		if (err == nil) != (slowErr == nil) {
			t.Errorf("%q: %v, by net/http %v", text, err, slowErr)
			continue
		}
		if err == nil && (got.status != slow.status || got.kind() != slow.kind() || got.last != slow.last || cmp.Diff(got.body, slow.body) != "") {
			t.Errorf("%q: %+v, by net/http %+v", text, got, slow)
		}
	}
}
