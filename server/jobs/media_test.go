package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/jobs"
	"wavekeeper/server/media"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// shelf is what a console has of media: the listener and its folder.
type shelf struct {
	*media.Shelf
	listener *media.Listener
	bytes    atomic.Int64
	away     atomic.Bool
}

type grants struct{ store *store.Store }

func (g grants) Grant(ctx context.Context, hash string) (media.Grant, error) {
	have, err := g.store.GrantByToken(ctx, hash)
	if errors.Is(err, rollout.ErrNotFound) {
		return media.Grant{}, media.ErrNoGrant
	}
	return media.Grant{Job: have.Staging, Host: have.Host, Addresses: have.Addresses, Bundles: []string{have.BundleSHA256}, Until: have.Until}, err
}

// mediaWorld is a world whose console gives media to hosts.
func mediaWorld(t *testing.T, csv string) (*world, *shelf) {
	t.Helper()
	s := &shelf{}
	var err error
	if s.Shelf, err = media.OpenShelf(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.127.2:0")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, csv, func(o *jobs.Options) {
		s.listener = media.New(media.Options{
			Grants: grants{o.Store}, Files: s.Shelf, Log: slog.New(slog.DiscardHandler),
			Seen: func(e media.Event) { s.bytes.Add(e.Bytes) },
		})
		web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.away.Load() {
				http.Error(w, "away", http.StatusServiceUnavailable)
				return
			}
			s.listener.ServeHTTP(w, r)
		}), ReadHeaderTimeout: time.Minute}
		go func() { _ = web.Serve(l) }()
		t.Cleanup(func() { _ = web.Close() })
		o.Media = jobs.Media{
			URL: "http://" + l.Addr().String(), Revoke: s.listener.Revoke,
			Secret: func(purpose string) []byte { return []byte(purpose + strings.Repeat("x", 32))[:32] },
		}
		o.Pace = 20
	})
	return w, s
}

// add registers a tree as the medium of sp1.
func (s *shelf) add(t *testing.T, w *world, tree map[string][]byte) store.Medium {
	t.Helper()
	dir := t.TempDir()
	for path, data := range tree {
		path = filepath.Join(dir, filepath.FromSlash(strings.ReplaceAll(path, `\`, "/")))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := s.Add(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw := b.Manifest.Bytes()
	m, err := w.Store.AddMedia(t.Context(), admin, store.Medium{
		Package: "sp1", Languages: []string{"en-US"}, Arch: "x64", SetupSHA256: twin.SetupSHA256("sp1", "en-US", "x64"), Files: len(b.Manifest.Entries),
		TreeSize: b.Manifest.Size, ManifestSHA256: b.ManifestSHA256, ManifestSize: int64(len(raw)), BundleSHA256: b.SHA256, BundleSize: b.Size,
	}, raw, "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// stagings are the newest, by host.
func (w *world) stagings(t *testing.T) []store.Staging {
	t.Helper()
	all, err := w.Store.Stagings(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// awaitStaged polls until every host has a staging in that state.
func (w *world) awaitStaged(t *testing.T, hosts int, state rollout.State) []store.Staging {
	t.Helper()
	deadline := time.NewTimer(60 * time.Second)
	defer deadline.Stop()
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	for {
		all := w.stagings(t)
		if n := len(slices.DeleteFunc(slices.Clone(all), func(g store.Staging) bool { return g.State != state })); n == hosts {
			return all
		}
		select {
		case <-deadline.C:
			t.Fatalf("stagings %+v, want %d %s", all, hosts, state)
		case <-every.C:
		}
	}
}

const twoServers = `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.127.11,5985,BackupAgent
CAS2,ClientAccess,HQ,8.0.685.25,127.0.127.12,5985,BackupAgent
`

// TestWhatWasStagedDaysBeforeIsNotFetchedInTheRollout: an operator asks for media
// before any wave is approved; then nobody gives them any more, and the rollout
// ends.
func TestWhatWasStagedDaysBeforeIsNotFetchedInTheRollout(t *testing.T) {
	t.Parallel()
	w, s := mediaWorld(t, twoServers)
	m := s.add(t, w, twin.MediaTree("sp1", "en-US", "x64"))
	v, err := w.Store.Rollout(t.Context(), w.rollout)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := w.Store.AskStaging(t.Context(), w.operator, store.StagingAsk{Wave: v.Waves[0].ID, Reason: "before the weekend"})
	if err != nil || len(asked.Stagings) != 2 {
		t.Fatalf("asked %+v, %v", asked, err)
	}
	for _, g := range w.awaitStaged(t, 2, rollout.Done) {
		if g.Done != m.BundleSize || g.ProvenAt == nil || g.Source != "the console" {
			t.Errorf("staged %+v", g)
		}
	}
	if got := s.bytes.Load(); got != 2*m.BundleSize {
		t.Errorf("%d bytes were fetched, want %d", got, 2*m.BundleSize)
	}
	if n := w.journal.count("", "service-stopped") + w.journal.count("", "setup-started"); n > 0 {
		t.Errorf("%d changes of the hosts' services or Setup before any approval", n)
	}
	s.away.Store(true)
	v = w.await(t, "the rollout is done", 90*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	if got := s.bytes.Load(); got != 2*m.BundleSize {
		t.Errorf("%d bytes in all, want none in the rollout", got)
	}
	if n := w.journal.count("", "media-fetched"); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
	if n := w.journal.count("", "setup-started"); n != 2 {
		t.Errorf("Setup started %d times, want 2", n)
	}
	w.noSecrets(t)
}

// TestApprovingAWaveBringsItsMediaAndHoldsItsServers: nothing starts before the
// media are there.
func TestApprovingAWaveBringsItsMediaAndHoldsItsServers(t *testing.T) {
	t.Parallel()
	w, s := mediaWorld(t, strings.ReplaceAll(twoServers, "127.0.127.1", "127.0.127.2"))
	s.away.Store(true)
	s.add(t, w, twin.MediaTree("sp1", "en-US", "x64"))
	w.await(t, "the servers are held by their media", 60*time.Second, func(v store.RolloutView) bool {
		return !slices.ContainsFunc(v.Waves[0].Upgrades, func(u store.UpgradeRow) bool {
			return u.State != rollout.Held || !slices.ContainsFunc(u.Reasons, func(r rollout.Reason) bool { return r.Rule == "media-is-not-staged" })
		})
	})
	s.away.Store(false)
	w.await(t, "the rollout is done", 90*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	if n := w.journal.count("", "media-fetched"); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
}

// TestOtherMediaVoidAnApproval: what is approved is every byte of the media.
func TestOtherMediaVoidAnApproval(t *testing.T) {
	t.Parallel()
	w, s := mediaWorld(t, strings.ReplaceAll(twoServers, "127.0.127.1", "127.0.127.3"))
	s.away.Store(true)
	tree := twin.MediaTree("sp1", "en-US", "x64")
	s.add(t, w, tree)
	w.await(t, "the servers are held", 60*time.Second, func(v store.RolloutView) bool { return v.Waves[0].Upgrades[0].State == rollout.Held })
	other := maps.Clone(tree)
	other["exchangeserver.msi"] = []byte("another one")
	s.add(t, w, other)
	v := w.await(t, "the approval does not match", 60*time.Second, func(v store.RolloutView) bool {
		return slices.ContainsFunc(v.Waves[0].Upgrades[0].Reasons, func(r rollout.Reason) bool {
			return r.Rule == "approval-does-not-match" && strings.Contains(r.Text, "hash of the media's manifest")
		})
	})
	if n := w.journal.count("", "setup-started"); n > 0 {
		t.Errorf("Setup started %d times", n)
	}
	s.away.Store(false)
	if err := w.approve(t, v.Waves[0].ID, "other media, looked at"); err != nil {
		t.Fatal(err)
	}
	w.await(t, "the rollout is done", 90*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
}

// TestAnUpgradeFetchesWhatNobodyAskedFor: a cancelled staging is no reason to
// wait, the upgrade's own step brings the media, and it shows how far it is.
func TestAnUpgradeFetchesWhatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	w, s := mediaWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.127.41,5985,BackupAgent
`)
	s.away.Store(true)
	s.add(t, w, twin.MediaTree("sp1", "en-US", "x64"))
	w.await(t, "the server is held", 60*time.Second, func(v store.RolloutView) bool { return v.Waves[0].Upgrades[0].State == rollout.Held })
	if err := w.Store.CancelStaging(t.Context(), w.operator, w.stagings(t)[0].ID, "the night is long enough"); err != nil {
		t.Fatal(err)
	}
	s.away.Store(false)
	w.await(t, "the rollout is done", 90*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	got := w.stagings(t)[0]
	if got.State != rollout.Done || got.Upgrade == 0 || got.ProvenAt == nil {
		t.Errorf("the upgrade's own staging is %+v", got)
	}
	w.noSecrets(t)
}

// TestHowFarTheMediaIsIsSavedWithItsStep: a coordinator that dies, or a database
// that refuses, when the stage step ends leaves neither a staging that has ended
// nor a second fetch.
func TestHowFarTheMediaIsIsSavedWithItsStep(t *testing.T) {
	t.Parallel()
	w, s := mediaWorld(t, `server,roles,site,build,address,port,services
CAS1,ClientAccess,HQ,8.0.685.25,127.0.127.51,5985,BackupAgent
`)
	s.away.Store(true)
	m := s.add(t, w, twin.MediaTree("sp1", "en-US", "x64"))
	w.await(t, "the server is held", 60*time.Second, func(v store.RolloutView) bool { return v.Waves[0].Upgrades[0].State == rollout.Held })
	if err := w.Store.CancelStaging(t.Context(), w.operator, w.stagings(t)[0].ID, "the upgrade fetches"); err != nil {
		t.Fatal(err)
	}
	w.Admin(t, // a sequence counts what is rolled back, too
		"CREATE SEQUENCE refusals", "GRANT ALL ON SEQUENCE refusals TO PUBLIC",
		`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('refusals') <= 2 THEN RAISE 'the step cannot be saved'; END IF;
			RETURN NEW; END $$`,
		"CREATE TRIGGER refuse BEFORE UPDATE ON step FOR EACH ROW WHEN (NEW.name = 'stage' AND NEW.state = 'done' AND OLD.state <> 'done') EXECUTE FUNCTION refuse()",
	)
	s.away.Store(false)
	w.await(t, "the rollout is done", 90*time.Second, func(v store.RolloutView) bool { return v.State == rollout.RolloutDone })
	var refused, stagings int64
	if err := w.Store.Pool().QueryRow(t.Context(), "SELECT (SELECT last_value FROM refusals), (SELECT count(*) FROM staging WHERE upgrade_id IS NOT NULL)").Scan(&refused, &stagings); err != nil {
		t.Fatal(err)
	}
	if refused < 3 || stagings != 1 {
		t.Errorf("asked %d times to save the end, %d stagings, want 3 and 1", refused, stagings)
	}
	if got := s.bytes.Load(); got != m.BundleSize {
		t.Errorf("%d bytes were fetched, want %d once", got, m.BundleSize)
	}
	if got := w.stagings(t)[0]; got.State != rollout.Done || got.Upgrade == 0 || got.ProvenAt == nil {
		t.Errorf("the upgrade's staging is %+v", got)
	}
}
