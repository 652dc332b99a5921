package winrm

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// words collects what a program says.
type words struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write is of io.Writer.
func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *words) count(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.text.String(), what)
}

// settled waits until the program said it as often as expected, and counts then: it
// speaks on its own time, maybe after its answer was read.
func (w *words) settled(t *testing.T, what string, expected int) int {
	t.Helper()
	for ctx := withDeadline(t, 10*time.Second); w.count(what) < expected && ctx.Err() == nil; {
		runtime.Gosched()
	}
	return w.count(what)
}

// sambaHost is a host whose NTLM is Samba's own, on a domain that is made for the
// test: accounts from a file, no daemon. What is inside the messages our fake
// host answers.
func sambaHost(t *testing.T) (h *fakeHost, port int, said *words) {
	t.Helper()
	const python = "/usr/bin/python3" // the one that Debian's packages are for
	if err := exec.CommandContext(t.Context(), python, "-c", "import samba.gensec").Run(); err != nil {
		t.Skip("Debian's package python3-samba is not installed")
	}
	if _, err := exec.LookPath("samba-tool"); err != nil {
		t.Skip("Debian's package samba is not installed")
	}
	if os.Getuid() != 0 {
		t.Skip("Samba makes a domain for root only")
	}
	dir := t.TempDir()
	tool := func(args ...string) {
		out, err := exec.CommandContext(t.Context(), "samba-tool", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("samba-tool %s: %v: %s", args[:2], err, out)
		}
	}
	if _, err := os.Stat("/usr/share/samba/setup"); err != nil {
		t.Skip("Debian's package samba-ad-provision is not installed")
	}
	conf, ldb := dir+"/etc/smb.conf", dir+"/private/sam.ldb"
	tool("domain", "provision", "--targetdir="+dir, "--realm=LAB.TEST", "--domain=LAB", "--server-role=dc", "--dns-backend=NONE",
		"--host-ip=127.0.121.3", "--host-name=dc1", "--adminpass="+rightPassword+"1", "--option=interfaces=lo 127.0.121.3/8", "--option=bind interfaces only=yes")
	tool("user", "create", "operator", rightPassword, "-H", ldb, "-s", conf)

	h, said = newFakeHost(t), &words{}
	cmd := exec.CommandContext(t.Context(), python, "testdata/samba_host.py", conf, ldb, "127.0.121.3", h.URL)
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Samba: %s", said.text.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the host with Samba's NTLM: %v: %s", err, said.text.String())
	}
	if port, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	return h, port, said
}

// Samba's own NTLM takes our logins and opens our messages, and we its.
func TestSambaTakesOurNTLM(t *testing.T) {
	t.Parallel()
	h, port, said := sambaHost(t)
	dial := func(user, password string) *Conn {
		return dialTo(t, Config{Address: "127.0.121.3", Port: port, Account: ntlmAccount(t, user, password)})
	}
	for i, user := range []string{"operator", `LAB\operator`, "operator@lab.test", `lab.test\Operator`} {
		long := strings.Repeat("ä", i*20_000)
		h.on("Receive", answer(200, received(long, "", i)))
		for range 2 {
			got, err := dial(user, rightPassword).Run(withDeadline(t, 20*time.Second), Command{Line: "more", Stdin: bytes.Repeat([]byte("x"), i*40_000), CodePage: 437})
			if err != nil || got.Exit != i || string(got.Stdout) != long {
				t.Errorf("%s: exit %d, %d bytes, %v", user, got.Exit, len(got.Stdout), err)
			}
		}
	}
	if logins := said.settled(t, "login sign=True seal=True", 8); logins != 8 || said.count("login") != logins || said.count("plain body") > 0 {
		t.Errorf("%d logins with sealing, of %d", logins, said.count("login"))
	}
	wrong := dial(`LAB\operator`, "wrong")
	for range 3 {
		if _, err := wrong.Identify(withDeadline(t, 10*time.Second)); Outcome(err) != OutcomeDenied {
			t.Error(err)
		}
	}
	if n := said.settled(t, "refused", 1); n != 1 {
		t.Errorf("a wrong password was shown %d times", n)
	}
	h.on("Receive", answer(200, received("x", "", 0)))
	many := dial("operator", rightPassword)
	var calls sync.WaitGroup
	for i := range 30 {
		calls.Go(func() {
			if _, err := many.Identify(withDeadline(t, 20*time.Second)); err != nil {
				t.Error(fmt.Errorf("call %d: %w", i, err))
			}
		})
	}
	calls.Wait()
	if n := said.count("login"); n > 11 {
		t.Errorf("%d logins for 30 calls at once", n-8)
	}
}
