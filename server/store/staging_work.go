package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/store/db"
)

// Now returns the database's time, by which everything on record goes.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	now, err := s.q.DatabaseTime(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask the time: %w", err)
	}
	return now, nil
}

// Bundle is what a tick needs of one medium. Unlike MediaByID, nothing of it is
// counted over packages and hosts.
func (s *Store) Bundle(ctx context.Context, media int64) (Medium, error) {
	return s.bundle(ctx, db.MediumRowParams{ID: media})
}

// BundleByManifest is Bundle for the newest medium whose manifest has this
// SHA-256, as approvals name it.
func (s *Store) BundleByManifest(ctx context.Context, sha256 string) (Medium, error) {
	return s.bundle(ctx, db.MediumRowParams{ManifestSha256: sha256})
}

func (s *Store) bundle(ctx context.Context, by db.MediumRowParams) (Medium, error) {
	r, err := s.q.MediumRow(ctx, by)
	if err != nil {
		return Medium{}, fmt.Errorf("load media: %w", missing(err, "There are no media number %d with the manifest %q.", by.ID, by.ManifestSha256))
	}
	return Medium{
		ID: r.ID, Package: r.Package, Languages: r.Languages, Arch: r.Arch, Build: r.Build, UMLanguages: r.UmLanguages, SetupSHA256: r.SetupSha256,
		Files: r.Files, TreeSize: r.TreeSize, ManifestSHA256: r.ManifestSha256, ManifestSize: int64(r.ManifestSize), BundleSHA256: r.BundleSha256,
		BundleSize: r.BundleSize,
	}, nil
}

// RoomToStage reports whether another host may begin to fetch ahead of its
// upgrade, where most may at the same time. What has come to a stand keeps no
// place, so that hosts which are away hold up nobody.
func (s *Store) RoomToStage(ctx context.Context, most int) (bool, error) {
	n, err := s.q.StagingsFetching(ctx)
	if err != nil {
		return false, fmt.Errorf("count hosts that fetch: %w", err)
	}
	return n < int64(most), nil
}

// HostInWork returns a server that is in work on the host of that name, "" when
// none is: nothing else is done on a host meanwhile.
func (s *Store) HostInWork(ctx context.Context, host string) (string, error) {
	server, err := s.q.ServerInWorkOnHost(ctx, host)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("ask who is in work on %s: %w", host, err)
	}
	return server, nil
}

// SiteOfHost returns the AD site of a host's server; of several, the first by
// name counts.
func (s *Store) SiteOfHost(ctx context.Context, host int64) (string, error) {
	site, err := s.q.SiteOfHost(ctx, host)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("load the site of host %d: %w", host, err)
	}
	return site, nil
}
