package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"wavekeeper/server/hook"
	"wavekeeper/server/jobs"
	"wavekeeper/server/store"
)

// HookDirFlags name the directory of hooks.
type HookDirFlags struct {
	HookDir string `name:"hook-dir" help:"Directory with programs that run at points of an upgrade: POINT or POINT.NAME, POINT one of announce, drain, cms-stop, cms-online, undrain, after. Only root and this program's account may be able to write it and what leads to it; every coordinator needs the same files. Empty: none." env:"WAVEKEEPER_HOOK_DIR" placeholder:"DIR"`
}

// dir opens the directory.
func (f HookDirFlags) dir() (hook.Dir, error) {
	d, err := hook.Open(f.HookDir)
	if err != nil {
		return hook.Dir{}, fmt.Errorf("--hook-dir: %w", err)
	}
	return d, nil
}

// HookCmd is the commands for what runs at points of an upgrade besides Setup.
type HookCmd struct {
	List   HookListCmd   `cmd:"" help:"List hooks: files of --hook-dir and allowed webhooks, with the hashes that approvals bind."`
	Allow  HookAllowCmd  `cmd:"" help:"Allow a webhook: an https address that is called at points of upgrades."`
	Forbid HookForbidCmd `cmd:"" help:"Forbid a webhook."`
	Test   HookTestCmd   `cmd:"" help:"Run one hook now, as a test: the call says so, and nothing is upgraded."`
}

// HookListCmd lists hooks.
type HookListCmd struct {
	DatabaseFlags
	HookDirFlags
}

// Run prints one line per hook and point.
func (c *HookListCmd) Run(g *Globals) error {
	ctx := context.Background()
	dir, err := c.dir()
	if err != nil {
		return err
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	all, err := jobs.HooksNow(s, dir)(ctx)
	if err != nil {
		return err
	}
	webhooks, err := s.Webhooks(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "POINT\tHOOK\tSHA-256\tWHERE")
	for _, h := range all {
		where := dir.Path
		for _, one := range webhooks {
			if store.WebhookHook(one.Name) == h.Name {
				where = fmt.Sprintf("%s, allowed by %s: %s", one.URL, one.AllowedBy, one.Reason)
				if len(one.Networks) > 0 {
					where += " (also in " + strings.Join(one.Networks, ", ") + ")"
				}
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", h.Point, h.Name, h.SHA256, where)
	}
	return w.Flush()
}

// HookAllowCmd allows a webhook.
type HookAllowCmd struct {
	DatabaseFlags
	KeyFlags
	Name       string   `arg:"" help:"Name of the webhook in lower case, such as balancer. One of that name is replaced."`
	URL        string   `name:"url" required:"" help:"Its https address." placeholder:"URL"`
	Point      []string `required:"" help:"Point at which it is called (${enum}); may be given several times." enum:"announce,drain,cms-stop,cms-online,undrain,after" placeholder:"POINT"`
	Network    []string `help:"Address range in which its host may lie although it is private, such as 10.1.0.0/16; none wider than /8 (IPv6: /7). Without it only public addresses are called." placeholder:"RANGE"`
	CAFile     string   `name:"ca-file" help:"PEM file with the certificates that its host's is checked against; its content is stored. Empty: the system's." type:"path" placeholder:"FILE"`
	SecretFile string   `name:"secret-file" help:"File with the secret that signs calls, in its first line; - is standard input. Empty: one is made and printed once." placeholder:"FILE"`
	Reason     string   `required:"" help:"Why; kept on record." placeholder:"TEXT"`
}

// Run seals the secret and stores the webhook.
func (c *HookAllowCmd) Run(g *Globals) error {
	ctx := context.Background()
	if lower := strings.ToLower(c.Name); lower != c.Name {
		return fmt.Errorf("the webhook %s is not allowed: its name is written in lower case, %s", c.Name, lower)
	}
	w := hook.Webhook{Name: c.Name, URL: c.URL, Points: slices.Compact(slices.Sorted(slices.Values(c.Point))), Networks: c.Network}
	made := c.SecretFile == ""
	if made {
		raw := make([]byte, 32)
		if _, err := rand.Read(raw); err != nil {
			return fmt.Errorf("make the secret: %w", err)
		}
		w.Secret = []byte(hex.EncodeToString(raw))
	} else {
		given, err := readSecret(g, c.SecretFile)
		if err != nil {
			return err
		}
		w.Secret = []byte(given)
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return fmt.Errorf("read --ca-file: %w", err)
		}
		w.CA = string(pem)
	}
	if err := w.Check(); err != nil {
		return fmt.Errorf("the webhook %s is not allowed: %w", c.Name, err)
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	key, err := c.key(ctx, s, false)
	if err != nil {
		return err
	}
	sealed, err := key.Seal(w.Secret, 0, store.WebhookPurpose(w.Name))
	if err != nil {
		return err
	}
	if err := s.AllowWebhook(ctx, commandLine(), store.Webhook{
		Name: w.Name, URL: w.URL, Points: w.Points, Networks: w.Networks, CA: w.CA, Sealed: sealed, KeyID: key.ID(), SHA256: w.SHA256(), Reason: c.Reason,
	}); err != nil {
		return err
	}
	fmt.Fprintf(g.Stdout, "the webhook %s is allowed at %s; waves that come to these points have to be approved with it\n", w.Name, strings.Join(w.Points, ", "))
	if made {
		_, err = fmt.Fprintf(g.Stdout, "the secret that signs its calls, shown this once: %s\n", w.Secret)
	}
	return err
}

// HookForbidCmd forbids a webhook.
type HookForbidCmd struct {
	DatabaseFlags
	Name   string `arg:"" help:"Name of the webhook."`
	Reason string `required:"" help:"Why; kept on record." placeholder:"TEXT"`
}

// Run forbids it.
func (c *HookForbidCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.ForbidWebhook(ctx, commandLine(), c.Name, c.Reason); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.Stdout, "the webhook %s is not called any more\n", c.Name)
	return err
}

// HookTestCmd runs one hook.
type HookTestCmd struct {
	DatabaseFlags
	KeyFlags
	HookDirFlags
	Name  string `arg:"" help:"A file of --hook-dir, or webhook:NAME."`
	Point string `help:"Point that the call names; empty: the file's, or the webhook's first." placeholder:"POINT"`
}

// Run runs the hook once and prints what came out; status 1 when it failed.
func (c *HookTestCmd) Run(g *Globals) error {
	ctx := context.Background()
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return fmt.Errorf("make the call's id: %w", err)
	}
	call := hook.Call{ID: "test-" + hex.EncodeToString(id), Point: c.Point, Server: "TEST", Host: "TEST", Package: "TEST", Attempt: 1, Test: true}
	run, err := c.call(ctx, call)
	if err != nil {
		return err
	}
	if len(run.Output) > 0 {
		fmt.Fprintf(g.Stdout, "%s\n", plainText(run.Output))
	}
	if run.State == hook.Failed {
		return fmt.Errorf("the hook %s failed: %s", c.Name, run.Words)
	}
	_, err = fmt.Fprintf(g.Stdout, "the hook %s: %s\n", c.Name, run.Words)
	return err
}

func (c *HookTestCmd) call(ctx context.Context, call hook.Call) (hook.Run, error) {
	name, isWebhook := strings.CutPrefix(c.Name, store.WebhookHook(""))
	if !isWebhook {
		dir, err := c.dir()
		if err != nil {
			return hook.Run{}, err
		}
		files, err := dir.List()
		if err != nil {
			return hook.Run{}, err
		}
		i := slices.IndexFunc(files, func(f hook.File) bool { return f.Name == c.Name })
		if i < 0 {
			return hook.Run{}, fmt.Errorf("no hook named %s is in the directory of hooks (--hook-dir); a webhook is named %s", c.Name, store.WebhookHook("NAME"))
		}
		if call.Point == "" {
			call.Point = files[i].Point
		}
		return dir.Run(ctx, files[i], call)
	}
	s, err := c.open(ctx)
	if err != nil {
		return hook.Run{}, err
	}
	defer s.Close()
	row, err := s.Webhook(ctx, name)
	if err != nil {
		return hook.Run{}, err
	}
	key, err := c.key(ctx, s, false)
	if err != nil {
		return hook.Run{}, err
	}
	w, err := jobs.OpenWebhook(key, row)
	if err != nil {
		return hook.Run{}, err
	}
	if call.Point == "" && len(w.Points) > 0 {
		call.Point = w.Points[0]
	}
	if !slices.Contains(w.Points, call.Point) {
		return hook.Run{}, errors.New("the webhook is not allowed at " + call.Point)
	}
	run, err := w.Run(ctx, call)
	return jobs.HideSecret(run, string(w.Secret)), err
}

// plainText is what a hook said without what would steer a terminal.
func plainText(output []byte) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return '\uFFFD'
		}
		return r
	}, strings.ReplaceAll(strings.TrimRight(strings.ToValidUTF8(string(output), "\uFFFD"), "\r\n"), "\r\n", "\n"))
}
