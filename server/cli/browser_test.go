//go:build !race

package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"wavekeeper/deploy/demo"
	"wavekeeper/server/exchange"
)

// TestBrowserWholeWay is the first day with the product: lead imports twelve
// servers and plans SP1, operator approves wave by wave while the page moves by
// itself, auditor reads who decided what. What happened on the hosts is judged
// by the hosts' own journal.
func TestBrowserWholeWay(t *testing.T) {
	fleet := strings.ReplaceAll(string(demo.Fleet), "127.0.12.", "127.0.112.")
	fleet = strings.Replace(fleet, "trait:organization=rtm", "trait:organization=sp1", 1) // it was prepared by others, and that is recorded
	d := startDemo(t, fleet)
	names := serverNames(t, fleet)

	lead := d.signIn("lead")
	lead.open("/servers/import")
	lead.upload("#file", d.fleet)
	lead.press("Show what would change")
	lead.sees("12 servers")
	lead.submit("form[action='/servers/import/apply']")
	lead.sees("HQ-CAS01")

	lead.open("/plans/new")
	lead.fill("#plan-name", "Everything to SP1")
	lead.choose("#package", "sp1")
	lead.submit("form.plan-form")
	// A server that holds HubTransport and UnifiedMessaging cannot be ordered both ways.
	lead.sees("Mailbox should come before UnifiedMessaging")
	lead.fill("form[action$='/prepared'] [name=done_by]", "the directory's people")
	lead.fill("form[action$='/prepared'] [name=reason]", "prepared by hand, change 4711")
	lead.submit("form[action$='/prepared']")
	lead.submit("form[action*='/submit?']")
	rollout := lead.path()
	if !strings.HasPrefix(rollout, "/rollouts/") {
		t.Fatalf("submitting a plan leads to %s, want its rollout", rollout)
	}

	// The author may not approve what he planned.
	lead.open(rollout + "/waves/1")
	lead.seesNo("form[action*='/approve'] button")

	operator := d.signIn("operator")
	watcher := d.signIn("auditor")
	watcher.open(rollout)
	for wave := 1; ; wave++ {
		address := fmt.Sprintf("%s/waves/%d", rollout, wave)
		if !operator.exists(address) {
			break
		}
		operator.open(address)
		operator.fill("#reason", fmt.Sprintf("change 4712, wave %d", wave))
		operator.submit("form[action*='/approve']")
	}
	// Nobody touches this page: the stream alone moves it to its end. Around the
	// midnight of the hosts no task is registered for two minutes and a half.
	watcher.eventually(7*time.Minute, "every server ends as done", func() bool {
		return watcher.count("tr.matrix-row[data-state=done]") == len(names)
	})

	for _, name := range names {
		watcher.open("/servers/" + name)
		watcher.sees("8.1.240.6")
	}
	watcher.open("/history?kind=decision")
	for _, want := range []string{"lead", "operator", "change 4711", "change 4712, wave 1"} {
		watcher.sees(want)
	}
	d.judge(names)
}

func serverNames(t *testing.T, fleet string) []string {
	t.Helper()
	inventory, bad := exchange.ReadInventory(strings.NewReader(fleet))
	if len(bad) > 0 {
		t.Fatalf("the demo fleet: %v", bad)
	}
	var names []string
	for _, s := range inventory.Servers {
		names = append(names, s.Name)
	}
	return names
}

// demoRun is a running `wavekeeper demo`.
type demoRun struct {
	t         *testing.T
	dir       string
	fleet     string
	url       string
	passwords map[string]string
	browser   context.Context
}

var accountLine = regexp.MustCompile(`^  (admin|lead|operator|auditor)\s+(\S+)`)

// startDemo starts the whole product as a visitor would, with hosts of its own
// addresses, and reads the accounts from what it prints.
func startDemo(t *testing.T, fleet string) *demoRun {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: run tools/need.sh test")
	}
	dir := traversableDir(t)
	d := &demoRun{t: t, dir: filepath.Join(dir, "demo"), fleet: filepath.Join(dir, "fleet.csv"), passwords: map[string]string{}}
	if err := os.WriteFile(d.fleet, []byte(fleet), 0o644); err != nil {
		t.Fatal(err)
	}
	listen := freeAddress(t)
	d.url = "http://" + listen
	cmd := exec.Command(program(t), "demo", "--dir", d.dir, "--listen", listen, "--speed", "4000", "--fleet", d.fleet)
	cmd.Stderr = testWriter{t}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already, which is what is wanted
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for len(d.passwords) < 4 && lines.Scan() {
		if m := accountLine.FindStringSubmatch(lines.Text()); m != nil {
			d.passwords[m[1]] = m[2]
		}
	}
	if len(d.passwords) < 4 {
		t.Fatalf("the demo printed %d accounts, want 4", len(d.passwords))
	}
	go func() {
		for lines.Scan() { // a full pipe would stop it
		}
	}()

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox,
		chromedp.UserDataDir(filepath.Join(dir, "chromium")), chromedp.WindowSize(1280, 800),
		chromedp.Flag("disable-quic", true), chromedp.Flag("force-prefers-reduced-motion", true))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	browser, cancelBrowser := chromedp.NewContext(allocator)
	t.Cleanup(cancelBrowser)
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	d.browser = browser
	return d
}

// traversableDir is a temporary folder that the database's own user can reach.
func traversableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wavekeeper-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // what stays is in the system's temporary folder
	return dir
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// judge reads the hosts' journal: Setup ran once per server and the order was
// never broken.
func (d *demoRun) judge(names []string) {
	d.t.Helper()
	raw, err := os.ReadFile(filepath.Join(d.dir, "journal.jsonl"))
	if err != nil {
		d.t.Fatal(err)
	}
	started := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		var entry struct{ Host, What string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			d.t.Fatalf("journal line %q: %v", line, err)
		}
		switch entry.What {
		case "setup-started":
			started[entry.Host]++
		case "order-broken", "access-refused":
			d.t.Errorf("the journal says %s", line)
		}
	}
	for _, name := range names {
		if started[name] != 1 {
			d.t.Errorf("Setup was started %d times on %s, want once", started[name], name)
		}
	}
}

// visitor is one signed-in person in a browser context of his own.
type visitor struct {
	*demoRun
	ctx  context.Context
	name string
}

func (d *demoRun) signIn(name string) *visitor {
	d.t.Helper()
	ctx, cancel := chromedp.NewContext(d.browser, chromedp.WithNewBrowserContext())
	d.t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as this first call's context
		d.t.Fatalf("open a tab for %s: %v", name, err)
	}
	v := &visitor{demoRun: d, ctx: ctx, name: name}
	v.open("/signin")
	v.fill("#name", name)
	v.fill("#password", d.passwords[name])
	v.submit("form[action='/signin']")
	v.sees("DEMO")
	return v
}

func (v *visitor) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		v.t.Fatalf("%s: %s at %s: %v\n%s", v.name, what, v.path(), err, v.text())
	}
}

func (v *visitor) open(path string) {
	v.t.Helper()
	v.do("open "+path, chromedp.Navigate(v.url+path), chromedp.WaitReady("body"))
}

func (v *visitor) fill(selector, text string) {
	v.t.Helper()
	v.do("fill "+selector, chromedp.SetValue(selector, text))
}

func (v *visitor) choose(selector, value string) {
	v.t.Helper()
	v.do("choose "+value, chromedp.SetValue(selector, value))
}

func (v *visitor) upload(selector, file string) {
	v.t.Helper()
	v.do("upload "+file, chromedp.SetUploadFiles(selector, []string{file}))
}

// press clicks the button with this text and waits for the next page.
func (v *visitor) press(text string) {
	v.t.Helper()
	v.leave("press "+text, fmt.Sprintf(`[...document.querySelectorAll("button")].find(b => b.textContent.trim() === %q).click()`, text))
}

// submit presses the form's own button and waits for the next page.
func (v *visitor) submit(form string) {
	v.t.Helper()
	v.leave("submit "+form, fmt.Sprintf(`document.querySelector(%q).querySelector("button[type=submit]").click()`, form))
}

// leave runs what leads to another page and waits until that page is there.
func (v *visitor) leave(what, source string) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, 30*time.Second)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, script(source)); err != nil {
		v.t.Fatalf("%s: %s at %s: %v\n%s", v.name, what, v.path(), err, v.text())
	}
}

// script runs source in the page and drops what it gives.
func script(source string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Evaluate[any](source+"; null")(ctx, t)
		return err
	})
}

func (v *visitor) path() string {
	return strings.TrimPrefix(ask(v, chromedp.Location()), v.url)
}

// ask reads something from the page, within limits.
func ask[T any](v *visitor, action chromedp.Action[T]) T {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, 10*time.Second)
	defer cancel()
	answer, err := chromedp.Run(ctx, action)
	if err != nil {
		v.t.Errorf("%s: the page does not answer: %v", v.name, err)
	}
	return answer
}

func (v *visitor) text() string {
	return ask(v, chromedp.Evaluate[string]("document.body.innerText"))
}

func (v *visitor) sees(want string) {
	v.t.Helper()
	v.eventually(10*time.Second, "sees "+want, func() bool { return strings.Contains(v.text(), want) })
}

func (v *visitor) seesNo(selector string) {
	v.t.Helper()
	if n := v.count(selector); n != 0 {
		v.t.Errorf("%s at %s: %d of %s, want none", v.name, v.path(), n, selector)
	}
}

func (v *visitor) count(selector string) int {
	v.t.Helper()
	return ask(v, chromedp.Evaluate[int](fmt.Sprintf("document.querySelectorAll(%q).length", selector)))
}

// exists asks for a page without leaving this one.
func (v *visitor) exists(path string) bool {
	v.t.Helper()
	return ask(v, chromedp.Evaluate[bool](fmt.Sprintf("fetch(%q).then(r => r.ok)", path), chromedp.EvalAwaitPromise))
}

func (v *visitor) eventually(limit time.Duration, what string, ok func() bool) {
	v.t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			v.t.Fatalf("%s at %s: not within %s: %s\n%s", v.name, v.path(), limit, what, v.text())
		}
		<-time.After(100 * time.Millisecond)
	}
}
