//go:build !race

package torture

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/media"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// staged has the hosts fetch their package from a console, over NTLM: every
// staging and every step stage is in work, and each message is sealed.
func staged(o *arenaOptions) { o.Media, o.Way = true, wayNTLM }

// grants is the store as the console's listener asks it.
type grants struct{ store *store.Store }

func (g grants) Grant(ctx context.Context, hash string) (media.Grant, error) {
	have, err := g.store.GrantByToken(ctx, hash)
	if errors.Is(err, rollout.ErrNotFound) {
		return media.Grant{}, media.ErrNoGrant
	}
	return media.Grant{Job: have.Staging, Host: have.Host, Addresses: have.Addresses, Bundles: []string{have.BundleSHA256}, Until: have.Until}, err
}

// serveMedia registers the package's medium and starts a console's listener,
// which outlives every coordinator.
func (a *arena) serveMedia(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	shelf, err := media.OpenShelf(t.TempDir())
	must(t, err)
	for _, kind := range mediaOf(a.inv) {
		language, arch := kind[0], kind[1]
		dir := t.TempDir()
		for path, data := range twin.MediaTree(a.options.Package, language, arch) {
			path = filepath.Join(dir, filepath.FromSlash(strings.ReplaceAll(path, `\`, "/")))
			must(t, os.MkdirAll(filepath.Dir(path), 0o750))
			must(t, os.WriteFile(path, data, 0o600))
		}
		b, err := shelf.Add(ctx, dir, nil)
		must(t, err)
		raw := b.Manifest.Bytes()
		_, err = a.Store.AddMedia(ctx, admin, store.Medium{
			Package: a.options.Package, Languages: []string{language}, Arch: arch, SetupSHA256: twin.SetupSHA256(a.options.Package, language, arch),
			Files: len(b.Manifest.Entries), TreeSize: b.Manifest.Size, ManifestSHA256: b.ManifestSHA256, ManifestSize: int64(len(raw)),
			BundleSHA256: b.SHA256, BundleSize: b.Size,
		}, raw, "")
		must(t, err)
	}
	l, err := net.Listen("tcp4", "127.107.60.1:0")
	must(t, err)
	server := media.New(media.Options{Grants: grants{a.Store}, Files: shelf, Log: slog.New(slog.DiscardHandler)}).Server()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l) // it ends by Close
	}()
	t.Cleanup(func() {
		_ = server.Close() // nobody fetches any more
		<-ended
	})
	a.mediaURL = "http://" + l.Addr().String()
}

// prove keeps that the account's password was taken by a host, as rotating it
// does. One that nobody took yet is on trial, and two coordinators that die in a
// trial leave it refused for a person, by rule.
func (a *arena) prove(t testing.TB) {
	t.Helper()
	profile, err := a.Store.ProfileByName(t.Context(), "default")
	must(t, err)
	account, err := a.Store.CredentialFor(t.Context(), profile.ID, store.PurposeWinRM)
	must(t, err)
	servers, err := a.Store.Servers(t.Context())
	must(t, err)
	must(t, a.Store.NoteTaken(t.Context(), account, servers[0].Hosts[0].ID))
}

// checkMedia holds that each host fetched its medium once, whoever was killed
// meanwhile, had it unpacked before Setup, and keeps nothing of the way to it;
// and that nothing may be fetched any more.
func (a *arena) checkMedia(t testing.TB, server string) {
	t.Helper()
	if !a.options.Media {
		return
	}
	if n := a.truth.count(server, "media-fetched"); n != 1 {
		t.Errorf("%s: the media were fetched %d times, want once", server, n)
	}
	unpacked, setup := a.truth.of(server, "media-unpacked"), a.truth.of(server, "setup-started")
	if len(unpacked) == 0 || len(setup) > 0 && setup[0].Time.Before(unpacked[0].Time) {
		t.Errorf("%s: unpacked %v, Setup started %v: want the media there first", server, unpacked, setup)
	}
	var left []string
	for _, file := range a.inspect(t, server).Files {
		if strings.HasPrefix(file, `c:\wavekeeper\media\`) && (strings.Contains(file, ".wkm") || strings.Contains(file, ".new")) {
			left = append(left, file)
		}
	}
	if len(left) > 0 {
		t.Errorf("%s: left of the way to the media: %v", server, left)
	}
	var grants int
	must(t, a.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM media_grant g JOIN staging s ON s.id = g.staging_id WHERE s.state IN ('running', 'out-of-sight')").Scan(&grants))
	if grants > 0 {
		t.Errorf("%d hosts may still fetch", grants)
	}
	if !t.Failed() {
		ledger.held("media fetched once, before Setup, nothing left of it", 1)
	}
}
