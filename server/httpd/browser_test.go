package httpd_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// tab is a page in a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string
}

// browse opens a browser, signed in.
func (c console) browse(t *testing.T, name string) tab {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("Chromium is needed for this test (Debian package chromium): %v", err)
	}
	dir, err := os.MkdirTemp("", "wavekeeper-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // the browser may still write to it
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.UserDataDir(dir), chromedp.WindowSize(1280, 800), chromedp.Flag("disable-quic", true))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancelTab := chromedp.NewContext(allocator)
	t.Cleanup(cancelTab)
	b := tab{t: t, ctx: ctx, url: c.url}
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as this first call's context
		t.Fatalf("open a tab: %v", err)
	}
	b.open("/signin")
	limited, end := context.WithTimeout(ctx, 30*time.Second)
	defer end()
	if err := chromedp.Do(limited, chromedp.SetValue("#name", name), chromedp.SetValue("#password", password)); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.RunResponse(limited, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Evaluate[any](`document.querySelector("form[action='/signin'] button[type=submit]").click(); null`)(ctx, t)
		return err
	})); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b tab) open(path string) {
	b.t.Helper()
	ctx, end := context.WithTimeout(b.ctx, 30*time.Second)
	defer end()
	if err := chromedp.Do(ctx, chromedp.Navigate(b.url+path), chromedp.WaitReady("body")); err != nil {
		b.t.Fatalf("open %s: %v", path, err)
	}
}

func (b tab) ask(source string) string {
	b.t.Helper()
	ctx, end := context.WithTimeout(b.ctx, 30*time.Second)
	defer end()
	answer, err := chromedp.Run(ctx, chromedp.Evaluate[string](source))
	if err != nil {
		b.t.Fatalf("%s: %v", source, err)
	}
	return answer
}

// until waits for an answer that holds the text.
func (b tab) until(what, source, text string) {
	b.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for {
		got := b.ask(source)
		if strings.Contains(got, text) {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: %q, want %q", what, got, text)
		}
		select {
		case <-b.ctx.Done():
			b.t.Fatal(b.ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func TestBrowserPageIsMarkedStaleAndCatchesUpByItself(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead := c.signedIn(t, "lead")
	base := submitted(t, lead)
	b := c.browse(t, "operator")
	b.open(base)
	const stands, said = `document.getElementById("live").dataset.live`, `document.getElementById("live-words").textContent`
	b.until("at first", stands, "live")
	b.ask(`window.loaded = "once"`)
	comes := c.db.Leave(t)
	b.until("without the database", stands, "stale")
	b.until("without the database", said, "stale since ")
	comes()
	b.until("with the database again", stands, "live")
	if status, page := lead.post(base+"/stop", url.Values{"reason": {"wrong fleet"}}); status != http.StatusOK {
		t.Fatalf("stop: status %d: %s", status, words(page))
	}
	b.until("after the change", `document.getElementById("rollout-top").innerText`, "wrong fleet")
	if got := b.ask(`String(window.loaded)`); got != "once" {
		t.Error("the page was loaded again")
	}
}
