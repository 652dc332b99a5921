package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// Package says where the media of a package lie on the hosts, and how its
// setup.com is recognized.
type Package struct {
	Name        string // "sp1"
	Language    string // "en-US"
	Arch        string // "x64"
	Folder      string // on the host; "" when saving = the default
	SetupSHA256 string // lower-case hex
	Media       int64  // the medium that is brought to the hosts; 0 = it lies there already. Read only: see AddMedia
	AddedBy     string
	AddedAt     time.Time
}

// DefaultFolder is where the media are on hosts unless the package says
// otherwise.
func DefaultFolder(name, language, arch string) string {
	return mediaRoot + name + "-" + language + "-" + arch
}

// Packages returns what was registered.
func (s *Store) Packages(ctx context.Context) ([]Package, error) {
	rows, err := s.q.Packages(ctx)
	if err != nil {
		return nil, fmt.Errorf("load packages: %w", err)
	}
	var all []Package
	for _, r := range rows {
		p := Package{Name: r.Name, Language: r.Language, Arch: r.Arch, Folder: r.Folder, SetupSHA256: r.SetupSha256, AddedBy: r.AddedBy, AddedAt: r.AddedAt}
		if r.MediaID != nil {
			p.Media = *r.MediaID
		}
		all = append(all, p)
	}
	return all, nil
}

// SavePackage registers the media, in place of what was registered before.
func (s *Store) SavePackage(ctx context.Context, actor Actor, p Package) error {
	known, err := exchange.PackageByName(p.Name)
	if err != nil {
		return fmt.Errorf("save package: %w", rollout.Invalid("%s", err))
	}
	p.Name = known.Name
	if p.Language == "" {
		p.Language = "en-US"
	}
	if p.Arch == "" {
		p.Arch = "x64"
	}
	if p.Folder == "" {
		p.Folder = DefaultFolder(p.Name, p.Language, p.Arch)
	}
	p.SetupSHA256 = strings.ToLower(strings.TrimSpace(p.SetupSHA256))
	if len(p.SetupSHA256) != 64 || strings.Trim(p.SetupSHA256, "0123456789abcdef") != "" {
		return fmt.Errorf("save package: %w", rollout.Invalid("The SHA-256 of setup.com has 64 hex digits."))
	}
	if err := checkFolder(p.Folder); err != nil {
		return fmt.Errorf("save package: %w", err)
	}
	err = s.inTxBy(ctx, actor, func(t *txn) error {
		err := t.q.SetPackage(ctx, db.SetPackageParams{
			Name: p.Name, Language: p.Language, Arch: p.Arch, Folder: p.Folder, SetupSha256: p.SetupSHA256, AddedBy: actor.Name,
		})
		if err != nil {
			return err
		}
		t.record(actor, Record{
			What: "package.save", Subject: p.Name + " " + p.Language + " " + p.Arch,
			Detail: map[string]any{"folder": p.Folder, "setup_sha256": p.SetupSHA256},
		})
		return nil
	})
	if err != nil {
		return fmt.Errorf("save package %s: %w", p.Name, err)
	}
	return nil
}

// checkFolder refuses what is no plain full path on a host.
func checkFolder(folder string) error {
	if strings.ContainsAny(folder, "\"%^&|<>\r\n'") || len(folder) < 4 || folder[1:3] != `:\` {
		return rollout.Invalid(`The folder is a full path on the hosts, such as C:\Wavekeeper\media\sp1-en-US-x64.`)
	}
	return nil
}

// Preparation is the record that the organization is prepared for a package.
type Preparation struct {
	Package, By, Reason string
	DoneBy              string          // who prepared it, when it was not this program; "" = not told
	Rollout             int64           // the one that prepared it; 0 = none of ours
	Versions            json.RawMessage // of schema, organization and domains, as they were known then
	At                  time.Time
}

// Preparations returns what was recorded, by package name.
func (s *Store) Preparations(ctx context.Context) (map[string]Preparation, error) {
	rows, err := s.q.Preparations(ctx)
	if err != nil {
		return nil, fmt.Errorf("load preparations: %w", err)
	}
	all := map[string]Preparation{}
	for _, r := range rows {
		all[r.Package] = Preparation{Package: r.Package, By: r.RecordedBy, Reason: r.Reason, DoneBy: r.DoneBy, Rollout: orZero(r.RolloutID), Versions: r.Versions, At: r.At}
	}
	return all, nil
}

// RecordPreparation records that the organization (schema and configuration in
// Active Directory) is prepared for the package: by whom, how that is known, and
// with which versions by what is known of it.
func (s *Store) RecordPreparation(ctx context.Context, actor Actor, pkg, doneBy, reason string) error {
	doneBy = strings.TrimSpace(doneBy)
	known, err := exchange.PackageByName(pkg)
	if err != nil {
		return fmt.Errorf("record preparation: %w", rollout.Invalid("%s", err))
	}
	if known.Kind != exchange.ServicePack {
		return fmt.Errorf("record preparation for %s: %w", known.Name, rollout.Conflict("Nothing is to be prepared for %s, and so nothing is recorded: a rollup changes neither schema nor organization nor domains.", known.Words))
	}
	if reason = strings.TrimSpace(reason); reason == "" {
		return fmt.Errorf("record preparation: %w", rollout.Invalid("Say how it is known that the organization is prepared."))
	}
	err = s.inTxBy(ctx, actor, func(t *txn) error {
		versions, err := t.versions(ctx)
		if err != nil {
			return err
		}
		err = t.q.SetPreparation(ctx, db.SetPreparationParams{Package: known.Name, RecordedBy: actor.Name, Reason: reason, Versions: versions, DoneBy: doneBy})
		if err != nil {
			return err
		}
		t.record(actor, Record{
			What: "organization.prepared", Subject: known.Name, Reason: reason, Detail: map[string]any{"done_by": doneBy, "versions": string(versions)},
		})
		return t.releaseHeld(ctx)
	})
	if err != nil {
		return fmt.Errorf("record preparation for %s: %w", known.Name, err)
	}
	return nil
}
