package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"wavekeeper/server/exchange"
	"wavekeeper/server/media"
	"wavekeeper/server/store"
)

// MediaAddCmd registers media.
type MediaAddCmd struct {
	DatabaseFlags
	MediaFlags
	File       string   `arg:"" optional:"" help:"The package as Microsoft delivered it: a service pack such as E2K7SP1EN64.exe, which cabextract unpacks here, or an update rollup such as Exchange2007-KB952580-x64-EN.msp." placeholder:"FILE"`
	Unpacked   string   `help:"A folder that holds the unpacked service pack, with setup.com at its top, in place of FILE." placeholder:"DIR"`
	Package    string   `required:"" help:"Package by name: sp1, sp2, sp3 or a rollup such as sp1-ru4." placeholder:"NAME"`
	Language   []string `required:"" help:"Exchange's installed language that the media are for, such as en or de-DE; several with commas." placeholder:"CULTURE"`
	Arch       string   `required:"" enum:"x64,x86" help:"Architecture: ${enum}. x86 only prepares the organization; no server is upgraded with it."`
	UMLanguage []string `name:"um-language" help:"Language packs for Unified Messaging that are inside, such as de-DE, in place of what was recognized by the files' names; several with commas." placeholder:"CULTURE"`
}

// Run unpacks, recognizes, packs and registers. The package points to the new
// media when everything else is done; until then nothing has changed.
func (c *MediaAddCmd) Run(g *Globals) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if (c.File == "") == (c.Unpacked == "") {
		return usage(g, errors.New("name one: the service pack's FILE, or --unpacked DIR"))
	}
	m, target, err := c.medium()
	if err != nil {
		return err
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	shelf, err := c.shelf()
	if err != nil {
		return err
	}
	tree := c.Unpacked
	if c.File != "" {
		var done func()
		if tree, done, err = c.unpack(ctx, g, shelf, &m); err != nil {
			return err
		}
		defer done()
	}
	var found media.Contents
	if target.Kind == exchange.Rollup {
		found = media.Contents{Machine: m.Arch, Files: 1}
	} else if found, err = media.Recognise(tree); err != nil {
		return c.named(tree, err)
	} else if err := judge(found, m, target, c.what()); err != nil {
		return err
	}
	if m.Build = found.Build; len(c.UMLanguage) == 0 {
		m.UMLanguages = found.UMLanguages
	}
	bundle, err := shelf.Add(ctx, tree, steps(g.Stderr, "packing"))
	if err != nil {
		return c.named(tree, err)
	}
	m.Files, m.TreeSize, m.ManifestSHA256 = len(bundle.Manifest.Entries), bundle.Manifest.Size, bundle.ManifestSHA256
	m.BundleSHA256, m.BundleSize, m.SetupSHA256 = bundle.SHA256, bundle.Size, bundle.Sum(runs(target))
	kept, err := s.AddMedia(ctx, commandLine(), m, bundle.ManifestBytes, "")
	if err != nil {
		return err
	}
	if target.Kind == exchange.Rollup {
		return sayRollup(g, c.File, kept, target, shelf)
	}
	return say(g, kept, m.Languages, found, shelf)
}

// medium is what the command line alone says, and the build that the package
// leads to.
func (c *MediaAddCmd) medium() (store.Medium, exchange.Package, error) {
	m := store.Medium{Arch: c.Arch}
	known, err := exchange.PackageByName(c.Package)
	if err != nil {
		return m, known, err
	}
	if err := c.fits(known); err != nil {
		return m, known, err
	}
	m.Package = known.Name
	for _, l := range c.Language {
		culture, err := serverLanguage(l)
		if err != nil {
			return m, known, fmt.Errorf("--language: %w", err)
		}
		m.Languages = append(m.Languages, culture)
	}
	for _, l := range c.UMLanguage {
		culture, err := exchange.Culture(l)
		if err != nil {
			return m, known, fmt.Errorf("--um-language: %w", err)
		}
		m.UMLanguages = append(m.UMLanguages, culture)
	}
	return m, known, nil
}

// serverLanguages are the languages that Exchange 2007 was delivered in, as
// Windows makes a language specific (CultureInfo.CreateSpecificCulture).
var serverLanguages = map[string]string{
	"de": "de-DE", "en": "en-US", "es": "es-ES", "fr": "fr-FR", "it": "it-IT", "ja": "ja-JP", "ko": "ko-KR", "pt": "pt-BR", "ru": "ru-RU",
	"zh-hans": "zh-CN", "zh-chs": "zh-CN", "zh-hant": "zh-TW", "zh-cht": "zh-TW",
}

// serverLanguage reads a language as inventories have it: en is en-US.
func serverLanguage(text string) (string, error) {
	if specific, ok := serverLanguages[strings.ToLower(strings.TrimSpace(text))]; ok {
		return specific, nil
	}
	culture, err := exchange.Culture(text)
	if err == nil && !strings.Contains(culture, "-") {
		err = fmt.Errorf("%q is a language of which Windows has several; name one, such as %s-%s", text, culture, strings.ToUpper(culture))
	}
	return culture, err
}

// unpack hashes FILE and takes it apart on the shelf's disk.
func (c *MediaAddCmd) unpack(ctx context.Context, g *Globals, shelf *media.Shelf, m *store.Medium) (string, func(), error) {
	f, err := os.Open(c.File)
	if err != nil {
		return "", nil, fmt.Errorf("read the package: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file: name a folder with --unpacked", c.File)
	}
	if err != nil {
		return "", nil, fmt.Errorf("read the package: %w", err)
	}
	hash := sha256.New()
	said := steps(g.Stderr, "reading")
	if m.FileSize, err = io.Copy(io.MultiWriter(hash, &watched{all: info.Size(), say: said}), f); err != nil {
		return "", nil, fmt.Errorf("read the package %s: %w", c.File, err)
	}
	m.FileName, m.FileSHA256 = filepath.Base(c.File), hex.EncodeToString(hash.Sum(nil))
	tree, done, err := shelf.Work()
	if err != nil {
		return "", nil, err
	}
	if media.IsPatch(c.File) {
		if err := media.PlaceRollup(c.File, tree); err != nil {
			done()
			return "", nil, err
		}
		return tree, done, nil
	}
	fmt.Fprintln(g.Stderr, "unpacking")
	if err := media.Unpack(ctx, c.File, tree); err != nil {
		done()
		return "", nil, c.named(tree, err)
	}
	return tree, done, nil
}

// what is the name by which people know what they gave.
func (c *MediaAddCmd) what() string {
	if c.File != "" {
		return c.File
	}
	return c.Unpacked
}

// named says FILE where an error says the folder that it was unpacked into.
func (c *MediaAddCmd) named(tree string, err error) error {
	if c.File == "" {
		return err
	}
	return fmt.Errorf("%s, unpacked in %s: %w", c.File, tree, err)
}

// judge refuses media that are not what the command line says they are.
func judge(found media.Contents, m store.Medium, target exchange.Package, what string) error {
	switch {
	case found.Machine == "":
		return fmt.Errorf("%s: its setup.com is no program for x64 or x86: it is damaged, or no Exchange 2007", what)
	case found.Machine != m.Arch:
		return fmt.Errorf("%s: its setup.com is for %s, and --arch says %s: get the other package, or correct --arch", what, found.Machine, m.Arch)
	case found.Build == "":
		return nil // said as a warning
	}
	build, err := exchange.ParseBuild(found.Build)
	if err != nil {
		return fmt.Errorf("%s: its ExSetup.exe has the version %s, which is none of Exchange: %w", what, found.Build, err)
	}
	if build.Major != target.Target.Major || build.ServicePack() != target.Target.ServicePack() {
		return fmt.Errorf("%s: its ExSetup.exe is %s, and --package says %s (%s): get the other package, or correct --package",
			what, build.Words(), target.Words, target.Target)
	}
	return nil
}

// say prints what is registered now, and what a person should look at.
func say(g *Globals, m store.Medium, asked []string, found media.Contents, shelf *media.Shelf) error {
	if found.Build == "" {
		fmt.Fprintln(g.Stderr, "warning: no ExSetup.exe was found inside, so that nothing says which service pack this is")
	}
	for _, l := range asked {
		language, _, _ := strings.Cut(l, "-")
		if len(found.Languages) > 0 && !slices.Contains(found.Languages, strings.ToLower(language)) && !slices.Contains(found.Languages, strings.ToLower(l)) {
			fmt.Fprintf(g.Stderr, "warning: for %s, and inside is only %s\n", l, strings.Join(found.Languages, ", "))
		}
		if len(m.UMLanguages) == 0 && language != "en" {
			fmt.Fprintf(g.Stderr, "warning: for %s, and no language pack for Unified Messaging was recognized inside; name them with --um-language\n", l)
		}
	}
	fmt.Fprintf(g.Stdout, "registered media %d: %s %s for %s\n", m.ID, m.Package, m.Arch, strings.Join(m.Languages, ", "))
	fmt.Fprintf(g.Stdout, "  %d files, %s unpacked, %s to fetch, build %s\n", m.Files, megabytes(m.TreeSize), megabytes(m.BundleSize), orDash(m.Build))
	if m.FileName != "" {
		fmt.Fprintf(g.Stdout, "  file      %s, %d bytes, SHA-256 %s\n", m.FileName, m.FileSize, m.FileSHA256)
	}
	fmt.Fprintf(g.Stdout, "  UM packs  %s (--um-language corrects this)\n", orDash(strings.Join(m.UMLanguages, ", ")))
	fmt.Fprintf(g.Stdout, "  manifest  SHA-256 %s\n", m.ManifestSHA256)
	fmt.Fprintf(g.Stdout, "  bundle    %s\n", shelf.Path(m.BundleSHA256))
	if m.Arch == "x86" {
		fmt.Fprintln(g.Stdout, "  32-bit: it can prepare the organization; no package of servers points to it")
	}
	for _, u := range m.Uses {
		fmt.Fprintf(g.Stdout, "  hosts     of servers in %s: %s\n", u.Language, u.Folder)
	}
	return nil
}

// steps says every tenth part of what takes long.
func steps(w io.Writer, what string) func(done, all int64) {
	last := int64(0)
	return func(done, all int64) {
		if all < 1e8 {
			return
		}
		if part := done * 10 / all; part > last {
			last = part
			fmt.Fprintf(w, "%s %d %% of %s\n", what, part*10, megabytes(all))
		}
	}
}

// watched counts what passes.
type watched struct {
	done, all int64
	say       func(done, all int64)
}

func (w *watched) Write(p []byte) (int, error) {
	w.done += int64(len(p))
	w.say(w.done, w.all)
	return len(p), nil
}
