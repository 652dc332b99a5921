package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// Medium is one unpacked package as it was registered. Its files are one bundle
// on the consoles' disks; hosts are told its hashes over WinRM.
type Medium struct {
	ID        int64
	Package   string   // "sp1"
	Languages []string // of the servers that it was given for, "en-US"
	Arch      string   // "x64"; "x86" only prepares the organization

	FileName   string // the file as it was given; "" = an unpacked folder was
	FileSHA256 string
	FileSize   int64

	Build       string   // of ExSetup.exe, "8.1.240.6"; "" = not found
	UMLanguages []string // of the language packs for Unified Messaging inside
	SetupSHA256 string   // of setup.com
	Files       int
	TreeSize    int64 // bytes unpacked

	ManifestSHA256 string
	ManifestSize   int64
	BundleSHA256   string
	BundleSize     int64 // below 2 GiB

	AddedBy     string
	AddedAt     time.Time
	ForgottenAt *time.Time
	ForgottenBy string

	Uses   []MediumUse // packages that it serves; read only
	Staged int         // hosts on which its tree was found right last
}

// MediumUse is one package that a medium serves.
type MediumUse struct {
	Package, Language, Arch string
	Folder                  string // on the hosts
	Hosts                   int    // of servers that the package is for
}

// Words names the medium for people: "sp1 x64 (en-US, de-DE)".
func (m Medium) Words() string {
	return m.Package + " " + m.Arch + " (" + strings.Join(m.Languages, ", ") + ")"
}

// mediaRoot is the folder on hosts that media are brought into.
const mediaRoot = `C:\Wavekeeper\media\`

// MediumFolder is where a medium's tree lies on hosts unless told otherwise. It
// names the content, so that another medium never meets its files.
func MediumFolder(pkg, arch, manifestSHA256 string) string {
	return mediaRoot + pkg + "-" + arch + "-" + manifestSHA256[:min(8, len(manifestSHA256))]
}

// AddMedia registers a medium with its manifest (whose hash must be
// ManifestSHA256) and, when it is 64-bit, points the package of each language
// to it; folder "" = MediumFolder. What is registered already, with the same
// language packs inside, only gets the languages added. It returns the medium as it is kept now.
func (s *Store) AddMedia(ctx context.Context, actor Actor, m Medium, manifest []byte, folder string) (Medium, error) {
	m, err := m.checked()
	if err != nil {
		return Medium{}, fmt.Errorf("add media: %w", err)
	}
	if folder == "" {
		folder = MediumFolder(m.Package, m.Arch, m.ManifestSHA256)
	}
	if err := checkFolder(folder); err != nil {
		return Medium{}, fmt.Errorf("add media: %w", err)
	}
	if !strings.HasPrefix(strings.ToLower(folder), strings.ToLower(mediaRoot)) {
		return Medium{}, fmt.Errorf("add media: %w", rollout.Invalid("What is brought to hosts lies in %s, which only administrators can write to, not in %s.", mediaRoot, folder))
	}
	err = s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "planner", "admin"); err != nil {
			return err
		}
		if err := t.q.LockMedia(ctx); err != nil {
			return err
		}
		if m.ID, err = t.addMedia(ctx, actor, m, manifest); err != nil {
			return err
		}
		if m.Arch == "x64" {
			for _, language := range m.Languages {
				if err := t.q.SetPackageMedia(ctx, db.SetPackageMediaParams{
					Name: m.Package, Language: language, Arch: m.Arch, Folder: folder, SetupSha256: m.SetupSHA256, AddedBy: actor.Name, MediaID: m.ID,
				}); err != nil {
					return err
				}
			}
		}
		t.record(actor, Record{What: "media.add", Subject: m.Words(), Detail: map[string]any{
			"media": m.ID, "file": m.FileName, "file_sha256": m.FileSHA256, "manifest_sha256": m.ManifestSHA256, "bundle_sha256": m.BundleSHA256,
			"setup_sha256": m.SetupSHA256, "build": m.Build, "um_languages": list(m.UMLanguages), "folder": folder,
		}})
		return nil
	})
	if err != nil {
		return Medium{}, fmt.Errorf("add media %s: %w", m.Words(), err)
	}
	return s.MediaByID(ctx, m.ID)
}

// addMedia inserts the row, or finds the one of the same bundle.
func (t *txn) addMedia(ctx context.Context, actor Actor, m Medium, manifest []byte) (int64, error) {
	row := db.InsertMediaParams{
		Package: m.Package, Languages: m.Languages, Arch: m.Arch, FileName: m.FileName, Build: m.Build, UmLanguages: list(m.UMLanguages),
		SetupSha256: m.SetupSHA256, Files: m.Files, TreeSize: m.TreeSize, Manifest: manifest, ManifestSha256: m.ManifestSHA256,
		BundleSha256: m.BundleSHA256, BundleSize: m.BundleSize, AddedBy: actor.Name,
	}
	if m.FileName != "" {
		row.FileSha256, row.FileSize = &m.FileSHA256, &m.FileSize
	}
	id, err := t.q.InsertMedia(ctx, row)
	if !errors.Is(err, pgx.ErrNoRows) {
		return id, err
	}
	have, err := t.q.MediaList(ctx, db.MediaListParams{BundleSha256: m.BundleSHA256})
	if err != nil {
		return 0, err
	}
	for _, h := range have {
		switch {
		case !slices.Equal(h.UmLanguages, list(m.UMLanguages)):
		case h.Package != m.Package || h.Arch != m.Arch:
			return 0, rollout.Conflict("These very files are registered already, as %s %s.", h.Package, h.Arch)
		default:
			return h.ID, t.q.RememberMedia(ctx, h.ID)
		}
	}
	return 0, rollout.Conflict("these media were registered at the same moment; try again")
}

func (m Medium) checked() (Medium, error) {
	known, err := exchange.PackageByName(m.Package)
	if err != nil {
		return m, rollout.Invalid("%s", err)
	}
	m.Package = known.Name
	if m.Arch != "x64" && m.Arch != "x86" {
		return m, rollout.Invalid("%q is no architecture: x64 or x86.", m.Arch)
	}
	if len(m.Languages) == 0 {
		return m, rollout.Invalid("A medium is for servers of at least one language.")
	}
	for _, languages := range []*[]string{&m.Languages, &m.UMLanguages} {
		var clean []string
		for _, l := range *languages {
			culture, err := exchange.Culture(l)
			if err != nil {
				return m, rollout.Invalid("%s", err)
			}
			clean = append(clean, culture)
		}
		slices.Sort(clean)
		*languages = slices.Compact(clean)
	}
	return m, nil
}

// MediaList returns all media in the order in which they were added, forgotten
// ones among them.
func (s *Store) MediaList(ctx context.Context) ([]Medium, error) {
	all, err := s.mediaList(ctx, db.MediaListParams{})
	if err != nil {
		return nil, fmt.Errorf("load media: %w", err)
	}
	return all, nil
}

// MediaByID returns one medium.
func (s *Store) MediaByID(ctx context.Context, id int64) (Medium, error) {
	return s.oneMedium(ctx, db.MediaListParams{ID: id}, "number "+strconv.FormatInt(id, 10))
}

// MediaByManifest returns the newest medium whose manifest has this SHA-256, as
// approvals name it.
func (s *Store) MediaByManifest(ctx context.Context, sha256 string) (Medium, error) {
	return s.oneMedium(ctx, db.MediaListParams{ManifestSha256: sha256}, "with the manifest "+sha256)
}

// MediaOf returns the medium of a package for one language and architecture and
// the folder of its tree on hosts; ErrNotFound when the package has none, or
// lies on the hosts already.
func (s *Store) MediaOf(ctx context.Context, pkg, language, arch string) (Medium, string, error) {
	r, err := s.q.MediaOfPackage(ctx, db.MediaOfPackageParams{Package: pkg, Language: language, Arch: arch})
	if err != nil {
		return Medium{}, "", fmt.Errorf("load the media of %s: %w", pkg, missing(err, "There are no media of %s for %s, %s.", pkg, language, arch))
	}
	m, err := s.MediaByID(ctx, r.MediaID)
	return m, r.Folder, err
}

// MediaManifest returns the manifest, as it is in the bundle.
func (s *Store) MediaManifest(ctx context.Context, id int64) ([]byte, error) {
	raw, err := s.q.MediaManifest(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("load the manifest of media %d: %w", id, missing(err, "There are no media number %d.", id))
	}
	return raw, nil
}

// ForgetMedia takes a medium out of use: it is not handed out any more. One that
// a package points to, that is on its way to a host, or that an upgrade in work
// was approved with, stays. It reports whether
// nothing else needs the bundle.
func (s *Store) ForgetMedia(ctx context.Context, actor Actor, id int64, reason string) (bool, error) {
	if reason = strings.TrimSpace(reason); reason == "" {
		return false, fmt.Errorf("forget media: %w", rollout.Invalid("Say why the media are not needed any more."))
	}
	m, err := s.MediaByID(ctx, id)
	if err != nil {
		return false, fmt.Errorf("forget media: %w", err)
	}
	err = s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "planner", "admin"); err != nil {
			return err
		}
		if err := t.q.LockMedia(ctx); err != nil {
			return err
		}
		use, err := t.q.MediaInUse(ctx, id)
		switch {
		case err != nil:
			return err
		case use.Packages > 0:
			return rollout.Conflict("%s is what packages point to: add other media in its place first, or register by hand what lies on the hosts (package set).", m.Words())
		case use.Upgrades > 0:
			return rollout.Conflict("%s is what %d upgrades were approved with that have not ended: wait for them, or skip them.", m.Words(), use.Upgrades)
		case use.Stagings > 0:
			return rollout.Conflict("%s is on its way to %d hosts: wait until it is there, or cancel it (media cancel).", m.Words(), use.Stagings)
		}
		if _, err := t.q.ForgetMedia(ctx, db.ForgetMediaParams{MediaID: id, By: actor.Name, Reason: reason}); err != nil {
			return err
		}
		t.record(actor, Record{What: "media.forget", Subject: m.Words(), Reason: reason, Detail: map[string]any{"media": id, "bundle_sha256": m.BundleSHA256}})
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("forget media %d: %w", id, err)
	}
	all, err := s.mediaList(ctx, db.MediaListParams{BundleSha256: m.BundleSHA256})
	if err != nil {
		return false, fmt.Errorf("look for other uses of the bundle: %w", err)
	}
	return !slices.ContainsFunc(all, func(other Medium) bool { return other.ForgottenAt == nil }), nil
}

func (s *Store) oneMedium(ctx context.Context, by db.MediaListParams, words string) (Medium, error) {
	all, err := s.mediaList(ctx, by)
	if err != nil {
		return Medium{}, fmt.Errorf("load media %s: %w", words, err)
	}
	if len(all) == 0 {
		return Medium{}, fmt.Errorf("load media: %w", rollout.NotFound("There are no media %s.", words))
	}
	return all[len(all)-1], nil
}

func (s *Store) mediaList(ctx context.Context, by db.MediaListParams) ([]Medium, error) {
	rows, err := s.q.MediaList(ctx, by)
	if err != nil {
		return nil, err
	}
	uses, err := s.q.MediaUses(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Medium, 0, len(rows))
	for _, r := range rows {
		m := Medium{
			ID: r.ID, Package: r.Package, Languages: r.Languages, Arch: r.Arch, FileName: r.FileName, Build: r.Build, UMLanguages: r.UmLanguages,
			SetupSHA256: r.SetupSha256, Files: r.Files, TreeSize: r.TreeSize, ManifestSHA256: r.ManifestSha256, ManifestSize: int64(r.ManifestSize),
			BundleSHA256: r.BundleSha256, BundleSize: r.BundleSize, AddedBy: r.AddedBy, AddedAt: r.AddedAt, ForgottenAt: r.ForgottenAt,
			ForgottenBy: r.ForgottenBy, Staged: int(r.Staged),
		}
		if r.FileSha256 != nil && r.FileSize != nil {
			m.FileSHA256, m.FileSize = *r.FileSha256, *r.FileSize
		}
		for _, u := range uses {
			if u.MediaID == m.ID {
				m.Uses = append(m.Uses, MediumUse{Package: u.Name, Language: u.Language, Arch: u.Arch, Folder: u.Folder, Hosts: int(u.Hosts)})
			}
		}
		all = append(all, m)
	}
	return all, nil
}
