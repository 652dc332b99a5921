package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// StagingAsk says which hosts are to get the media of their servers' package:
// those of a wave, or of servers by id with the package's name.
type StagingAsk struct {
	Wave      int64
	Package   string  // with Servers
	Servers   []int64 // when Wave is 0
	NotBefore time.Time
	Reason    string
}

// StagingAsked says what came of it.
type StagingAsked struct {
	Stagings []int64  // new ones
	Hosts    int      // on how many hosts the new ones are
	Moved    []string // hosts on which it waited for another time, and has this one now
	Open     []string // hosts to which the medium is on its way already
	NoMedia  []string // servers whose package lies on the hosts already, or has no media
}

// AskStaging asks for media to be brought to hosts ahead of their upgrades. It
// changes nothing there but the program's own folder.
func (s *Store) AskStaging(ctx context.Context, actor Actor, ask StagingAsk) (StagingAsked, error) {
	var asked StagingAsked
	if ask.Reason = strings.TrimSpace(ask.Reason); ask.Reason == "" {
		return asked, fmt.Errorf("ask for staging: %w", rollout.Invalid("Say why the media are to be brought there now."))
	}
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator", "planner"); err != nil {
			return err
		}
		if !ask.NotBefore.IsZero() && ask.NotBefore.Before(t.now.Add(-time.Minute)) {
			return rollout.Invalid("%s is over already: name a time to come, or none to begin at once.", ask.NotBefore.UTC().Format("2006-01-02 15:04 UTC"))
		}
		var err error
		asked, err = t.askStaging(ctx, actor, ask)
		return err
	})
	if err != nil {
		return StagingAsked{}, fmt.Errorf("ask for staging: %w", err)
	}
	return asked, nil
}

// askStaging inserts the stagings and their jobs, and records the wish.
func (t *txn) askStaging(ctx context.Context, actor Actor, ask StagingAsk) (StagingAsked, error) {
	var asked StagingAsked
	record := Record{What: "media.stage", Subject: ask.Package, Reason: ask.Reason}
	then := ""
	if ask.Wave != 0 {
		wave, err := t.q.WavePackage(ctx, ask.Wave)
		if err != nil {
			return asked, missing(err, "There is no such wave.")
		}
		ask.Package, then, record.Rollout = wave.Package, wave.ThenPackage, wave.RolloutID
		record.Subject = fmt.Sprintf("rollout %d wave %d", wave.RolloutID, wave.Number)
	}
	hosts, err := t.q.StagingHosts(ctx, db.StagingHostsParams{Package: ask.Package, WaveID: ask.Wave, Servers: ask.Servers})
	if err != nil {
		return asked, err
	}
	if then != "" { // the second one is fetched after the first
		more, err := t.q.StagingHosts(ctx, db.StagingHostsParams{Package: then, WaveID: ask.Wave, Servers: ask.Servers})
		if err != nil {
			return asked, err
		}
		hosts, ask.Package = append(hosts, more...), ask.Package+" and "+then
	}
	var jobs []river.JobArgs
	anew := map[int64]bool{}
	for _, h := range hosts {
		if h.MediaID == nil {
			asked.NoMedia = append(asked.NoMedia, h.Server)
			continue
		}
		g, err := t.q.InsertStaging(ctx, db.InsertStagingParams{
			HostID: h.HostID, Folder: h.Folder, AskedBy: actor.Name, Reason: ask.Reason, NotBefore: momentOf(ask.NotBefore), MediaID: *h.MediaID,
		})
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			moved, err := t.q.MoveStaging(ctx, db.MoveStagingParams{
				HostID: h.HostID, MediaID: *h.MediaID, NotBefore: momentOf(ask.NotBefore), AskedBy: actor.Name, Reason: ask.Reason,
			})
			if errors.Is(err, pgx.ErrNoRows) {
				asked.Open = append(asked.Open, h.Host)
				continue
			}
			if err != nil {
				return asked, err
			}
			asked.Moved, g = append(asked.Moved, h.Host), db.InsertStagingRow(moved)
		case err != nil:
			return asked, err
		default:
			asked.Stagings, anew[h.HostID] = append(asked.Stagings, g.ID), true
			asked.Hosts = len(anew)
		}
		if !ask.NotBefore.After(t.now) && len(jobs) < stagingsAtOnce { // the sweep gives the others their turn
			jobs = append(jobs, Stage{Staging: g.ID, Generation: g.Generation})
		}
		if err := t.ring(ctx, "host", h.HostID); err != nil {
			return asked, err
		}
	}
	slices.Sort(asked.NoMedia)
	slices.Sort(asked.Open)
	asked.Open = slices.Compact(asked.Open)
	slices.Sort(asked.Moved)
	moved := int64(len(asked.Moved))
	asked.Moved = slices.Compact(asked.Moved)
	asked.NoMedia = slices.Compact(asked.NoMedia)
	if len(asked.Stagings)+len(asked.Moved) == 0 {
		return asked, nil // nothing was changed: nothing goes on record
	}
	record.Detail = map[string]any{
		"package": ask.Package, "stagings": int64(len(asked.Stagings)), "moved": moved, "not_before": at(ask.NotBefore),
	}
	t.record(actor, record)
	return asked, t.s.insertJobs(ctx, t.tx, jobs...)
}

// at writes a moment for the record; "" = at once.
func at(moment time.Time) string {
	if moment.IsZero() {
		return ""
	}
	return moment.UTC().Format(time.RFC3339)
}

// stagingsAtOnce is how many of those that wait get a job at once. It is no
// limit of how many fetch, which is the coordinators'.
const stagingsAtOnce = 20

// takeLeftStagings gives stagings that are due and that nobody works on a tick
// of a new generation. What ended without its worker loses what it may fetch.
func (t *txn) takeLeftStagings(ctx context.Context) ([]river.JobArgs, error) {
	if _, err := t.q.EndLeftStagings(ctx, t.s.grace().Seconds()); err != nil {
		return nil, fmt.Errorf("end stagings that ended upgrades left: %w", err)
	}
	if _, err := t.q.DropOldGrants(ctx); err != nil {
		return nil, fmt.Errorf("drop old grants: %w", err)
	}
	rows, err := t.q.TakeLeftStagings(ctx, db.TakeLeftStagingsParams{
		GraceSeconds: t.s.grace().Seconds(), PauseSeconds: (longestPause + t.s.grace()).Seconds(), FarSeconds: t.s.far().Seconds(),
	})
	if err != nil {
		return nil, fmt.Errorf("find left stagings: %w", err)
	}
	waiting, err := t.q.TakeWaitingStagings(ctx, db.TakeWaitingStagingsParams{
		GraceSeconds: t.s.grace().Seconds(), FarSeconds: t.s.far().Seconds(), Most: stagingsAtOnce,
	})
	if err != nil {
		return nil, fmt.Errorf("find stagings that wait: %w", err)
	}
	jobs := make([]river.JobArgs, 0, len(rows)+len(waiting))
	for _, r := range rows {
		jobs = append(jobs, Stage{Staging: r.ID, Generation: r.Generation})
	}
	for _, r := range waiting {
		jobs = append(jobs, Stage{Staging: r.ID, Generation: r.Generation})
	}
	return jobs, nil
}

// StagedHost is one package on one host of a wave that has media, and its newest
// staging of those; Staging.ID 0 = none was asked for. A host of a plan with two
// packages is there twice.
type StagedHost struct {
	Upgrade        int64
	Server         string
	Package        string
	Host           HostAddress
	Media          int64
	ManifestSHA256 string
	BundleSize     int64
	Folder         string // of the package, on the host
	Staging        Staging
}

// WaveStagings returns how media stand on the hosts of a rollout's wave (0 = all
// waves), by server and host. Servers whose package has no media are not in it.
func (s *Store) WaveStagings(ctx context.Context, rolloutID, wave int64) ([]StagedHost, error) {
	rows, err := s.q.WaveStagings(ctx, db.WaveStagingsParams{RolloutID: rolloutID, WaveID: wave})
	if err != nil {
		return nil, fmt.Errorf("load stagings of rollout %d: %w", rolloutID, err)
	}
	all := make([]StagedHost, 0, len(rows))
	for _, r := range rows {
		host := HostAddress{ID: r.HostID, Name: r.Host, Address: r.Address, Port: r.Port}
		one := StagedHost{
			Upgrade: r.UpgradeID, Server: r.Server, Package: r.Package, Host: host, Media: r.MediaID, ManifestSHA256: r.ManifestSha256, BundleSize: r.BundleSize,
			Folder: r.PackageFolder,
			Staging: Staging{
				ID: r.StagingID, Host: host, Media: r.MediaID, Arch: r.Arch, Folder: r.Folder, State: rollout.State(r.State), Phase: r.Phase,
				Attempt: r.Attempt, Generation: r.Generation, Source: r.Source, Done: r.DoneBytes, Total: r.TotalBytes, Rate: r.Rate,
				Message: r.Message, Remedy: r.Remedy, Refused: r.Refused, RefusedAt: r.RefusedAt, AskedBy: r.AskedBy, Reason: r.Reason,
				AskedAt: r.AskedAt, NotBefore: r.NotBefore, OutputAt: r.OutputAt, StartedAt: r.StartedAt, EndedAt: r.EndedAt, ProvenAt: r.ProvenAt,
			},
		}
		if r.StagingUpgrade != nil {
			one.Staging.Upgrade = *r.StagingUpgrade
		}
		all = append(all, one)
	}
	return all, nil
}

// ServersOfHosts returns the name of a server for each host, the first by name.
func (s *Store) ServersOfHosts(ctx context.Context) (map[int64]string, error) {
	rows, err := s.q.ServersOfHosts(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the servers of hosts: %w", err)
	}
	all := make(map[int64]string, len(rows))
	for _, r := range rows {
		all[r.HostID] = r.Name
	}
	return all, nil
}
