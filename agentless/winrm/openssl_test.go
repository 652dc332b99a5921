package winrm

import (
	"bufio"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// openssl runs openssl to its end, or skips.
func openssl(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("Debian's package openssl is not installed")
	}
	if out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl %q: %v: %s", args, err, out)
	}
}

// sServer is openssl as a host: what comes out of TLS is answered by our fake
// host, one connection after the other.
func sServer(t *testing.T, args ...string) (*fakeHost, int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.121.2:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	args = append([]string{"s_server", "-quiet", "-accept", "127.0.121.2:" + strconv.Itoa(port)}, args...)
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	words := &strings.Builder{}
	cmd.Stderr = words
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h, ended := newFakeHost(t), make(chan struct{})
	go func() {
		defer close(ended)
		requests := bufio.NewReader(out)
		for {
			r, err := http.ReadRequest(requests)
			if err != nil {
				return
			}
			w := newAnswer()
			h.serve(w, r)
			if _, err := io.WriteString(in, w.text()); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("openssl: %s", words)
		}
	})
	deadline := time.Now().Add(10 * time.Second)
	for {
		c, err := net.DialTimeout("tcp", "127.0.121.2:"+strconv.Itoa(port), time.Second)
		if err == nil {
			_ = c.Close()
			return h, port
		}
		if time.Now().After(deadline) {
			t.Fatalf("openssl does not listen: %v", err)
		}
	}
}

// answered is an answer as text.
type answered struct {
	header http.Header
	status int
	body   strings.Builder
}

func newAnswer() *answered { return &answered{header: http.Header{}, status: http.StatusOK} }

func (a *answered) Header() http.Header         { return a.header }
func (a *answered) WriteHeader(status int)      { a.status = status }
func (a *answered) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *answered) text() string {
	return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", a.status, a.header.Get("Content-Type"), a.body.Len(), a.body.String())
}

// openssl with TLS 1.0, RSA key exchange and a certificate as old tools made
// them: signed by itself with SHA-1, with a negative serial number.
func TestOpenSSLOfThatTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openssl(t, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha1", "-set_serial", "-5", "-subj", "/CN=mbx1.lab.test", "-days", "30", "-keyout", dir+"/key.pem", "-out", dir+"/cert.pem")
	text, err := os.ReadFile(dir + "/cert.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	pin := Pin(sha256.Sum256(block.Bytes))
	for _, suite := range []string{"AES128-SHA", "AES256-SHA", "ECDHE-RSA-AES128-SHA"} {
		h, port := sServer(t, "-tls1", "-cipher", suite+":@SECLEVEL=0", "-cert", dir+"/cert.pem", "-key", dir+"/key.pem")
		cfg := Config{Address: "127.0.121.2", Port: port, Host: "mbx1.lab.test", Account: Basic("u", "p"), TLS: &TLS{Old: true, Pins: []Pin{pin}}}
		pinned := dialTo(t, cfg)
		if _, err := pinned.Run(withDeadline(t, 10*time.Second), Command{Line: "hostname"}); err != nil {
			t.Errorf("%s: %v", suite, err)
		}
		pinned.Close() // openssl has one connection at a time
		asked := h.actions()
		cfg.TLS = &TLS{Old: true}
		var doubt *Untrusted
		if _, err := dialTo(t, cfg).Identify(withDeadline(t, 10*time.Second)); !errors.As(err, &doubt) || !strings.Contains(err.Error(), "signed by itself") {
			t.Errorf("%s, not pinned: %v", suite, err)
		}
		cfg.TLS = &TLS{Pins: []Pin{pin}}
		if _, err := dialTo(t, cfg).Identify(withDeadline(t, 10*time.Second)); err == nil || !strings.Contains(err.Error(), "allow it in the profile") && !strings.Contains(err.Error(), "which the profile can allow") {
			t.Errorf("%s, strict: %v", suite, err)
		}
		if h.actions() != asked {
			t.Errorf("%s: %q was sent without trust", suite, strings.TrimPrefix(h.actions(), asked))
		}
	}
}
