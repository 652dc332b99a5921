package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
	"wavekeeper/server/media"
	"wavekeeper/server/store"
)

// mediaFolder is where the demo keeps media, in its own folder.
const mediaFolder = "media"

// mediaListen is where the demo's hosts fetch media: two ports above the
// console, so that it is the same after a restart, or any other where that is taken.
func (c *DemoCmd) mediaListen(ctx context.Context) (string, error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", fmt.Errorf("--listen %s: %w", c.Listen, err)
	}
	wanted := "0"
	if n, err := strconv.Atoi(port); err == nil && n > 0 && n < 65534 {
		wanted = strconv.Itoa(n + 2)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, wanted))
	if err != nil {
		listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return "", fmt.Errorf("find a port for media: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

// demoMedia are the language and architecture of the media that a fleet needs,
// each pair once.
func demoMedia(fleet []byte) ([]store.Package, error) {
	inventory, faults := exchange.ReadInventory(bytes.NewReader(fleet))
	if len(faults) > 0 {
		all := []error{errors.New("the fleet has faulty lines")}
		for _, f := range faults {
			all = append(all, f)
		}
		return nil, errors.Join(all...)
	}
	var wanted []store.Package
	seen := map[string]bool{}
	for _, s := range inventory.Servers {
		p := store.Package{Language: s.Language, Arch: s.Arch}
		if key := p.Language + " " + p.Arch; !seen[key] {
			seen[key] = true
			wanted = append(wanted, p)
		}
	}
	return wanted, nil
}

// furnishMedia takes in the service packs' media in every language and
// architecture of the fleet, as far as they are missing. They are the simulated
// hosts' own small trees, packed and fetched as real ones are.
func furnishMedia(ctx context.Context, s *store.Store, actor store.Actor, fleet []byte, dir string) error {
	wanted, err := demoMedia(fleet)
	if err != nil {
		return err
	}
	have, err := s.Packages(ctx)
	if err != nil {
		return fmt.Errorf("register media: %w", err)
	}
	known := map[string]bool{}
	for _, p := range have {
		known[p.Name+" "+p.Language+" "+p.Arch] = p.Media != 0
	}
	shelf, err := media.OpenShelf(dir)
	if err != nil {
		return err
	}
	var languages []string
	missing := map[string]bool{}
	for _, p := range wanted {
		if p.Arch != "x64" {
			continue
		}
		languages = append(languages, p.Language)
		for _, r := range newestRollups() {
			missing[r.Name] = missing[r.Name] || !known[r.Name+" "+p.Language+" "+p.Arch]
		}
	}
	for _, r := range newestRollups() {
		if !missing[r.Name] || len(languages) == 0 {
			continue
		}
		if err := takeInRollup(ctx, s, actor, r, languages, shelf); err != nil {
			return fmt.Errorf("register media of %s: %w", r.Name, err)
		}
	}
	for _, p := range wanted {
		for _, name := range []string{"sp1", "sp2", "sp3"} {
			if known[name+" "+p.Language+" "+p.Arch] || p.Arch != "x64" {
				continue
			}
			p.Name = name
			if err := takeIn(ctx, s, actor, p, shelf); err != nil {
				return fmt.Errorf("register media of %s: %w", name, err)
			}
		}
	}
	return nil
}

// newestRollups are the newest rollups of the service packs, one of each.
func newestRollups() []exchange.Package {
	newest := map[int]exchange.Package{}
	for _, p := range exchange.Packages() {
		if sp := p.Target.ServicePack(); p.Kind == exchange.Rollup && !p.Withdrawn && sp > 0 && p.Target.Compare(newest[sp].Target) > 0 {
			newest[sp] = p
		}
	}
	return []exchange.Package{newest[1], newest[2], newest[3]}
}

// takeInRollup registers the simulated hosts' own .msp of a rollup, as media add
// does with a file of Microsoft's: one file for all languages.
func takeInRollup(ctx context.Context, s *store.Store, actor store.Actor, p exchange.Package, languages []string, shelf *media.Shelf) error {
	dir, done, err := shelf.Work()
	if err != nil {
		return err
	}
	defer done()
	content := twin.RollupBytes(p.Name, "x64")
	if err := os.WriteFile(filepath.Join(dir, media.RollupFile), content, 0o600); err != nil {
		return err
	}
	bundle, err := shelf.Add(ctx, dir, nil)
	if err != nil {
		return err
	}
	_, err = s.AddMedia(ctx, actor, store.Medium{
		Package: p.Name, Languages: languages, Arch: "x64", Build: p.Target.String(), SetupSHA256: bundle.Sum(media.RollupFile), Files: 1, TreeSize: bundle.Manifest.Size,
		ManifestSHA256: bundle.ManifestSHA256, BundleSHA256: bundle.SHA256, BundleSize: bundle.Size,
	}, bundle.ManifestBytes, "")
	return err
}

// takeIn packs the tree of a package and registers it, as media add does.
func takeIn(ctx context.Context, s *store.Store, actor store.Actor, p store.Package, shelf *media.Shelf) error {
	tree, done, err := shelf.Work()
	if err != nil {
		return err
	}
	defer done()
	for path, content := range twin.MediaTree(p.Name, p.Language, p.Arch) {
		to := filepath.Join(tree, filepath.FromSlash(strings.ReplaceAll(path, `\`, "/")))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			return err
		}
	}
	found, err := media.Recognise(tree)
	if err != nil {
		return err
	}
	bundle, err := shelf.Add(ctx, tree, nil)
	if err != nil {
		return err
	}
	if found.Build == "" { // stand-ins have no ExSetup.exe that says it
		known, err := exchange.PackageByName(p.Name)
		if err != nil {
			return err
		}
		found.Build = known.Target.String()
	}
	_, err = s.AddMedia(ctx, actor, store.Medium{
		Package: p.Name, Languages: []string{p.Language}, Arch: p.Arch, Build: found.Build, UMLanguages: found.UMLanguages,
		SetupSHA256: bundle.Sum("setup.com"), Files: found.Files, TreeSize: found.Size, ManifestSHA256: bundle.ManifestSHA256,
		BundleSHA256: bundle.SHA256, BundleSize: bundle.Size,
	}, bundle.ManifestBytes, "")
	return err
}
