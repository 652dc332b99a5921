package store_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

// medium is a 64-bit medium of sp1 for en-US with a content of that name.
func medium(name string) (store.Medium, []byte) {
	manifest := []byte("manifest of " + name)
	return store.Medium{
		Package: "sp1", Languages: []string{"en-us"}, Arch: "x64", FileName: name + ".exe", FileSHA256: sum(name), FileSize: 4711, Build: "8.1.240.6",
		UMLanguages: []string{"de-DE", "de-de"}, SetupSHA256: sum("setup of " + name), Files: 3, TreeSize: 99, ManifestSHA256: sum(string(manifest)),
		BundleSHA256: sum("bundle of " + name), BundleSize: 1 << 20,
	}, manifest
}

func addMedium(t *testing.T, s *store.Store, name string) store.Medium {
	t.Helper()
	m, manifest := medium(name)
	kept, err := s.AddMedia(t.Context(), erika, m, manifest, "")
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func TestMediaAreKeptAsTheyWereRegistered(t *testing.T) {
	t.Parallel()
	d := submit(t)
	first := addMedium(t, d.Store, "first")
	if first.Languages[0] != "en-US" || len(first.UMLanguages) != 1 || first.FileSize != 4711 || first.ManifestSize != int64(len("manifest of first")) || first.AddedBy != erika.Name {
		t.Errorf("kept is %+v", first)
	}
	got, folder, err := d.Store.MediaOf(t.Context(), "SP1", "en-us", "x64")
	if err != nil || got.ID != first.ID || folder != `C:\Wavekeeper\media\sp1-x64-`+first.ManifestSHA256[:8] {
		t.Fatalf("MediaOf = %d in %s, %v, want %d", got.ID, folder, err, first.ID)
	}
	packages, err := d.Store.Packages(t.Context())
	if err != nil || len(packages) != 1 || packages[0].Media != first.ID || packages[0].SetupSHA256 != first.SetupSHA256 {
		t.Fatalf("packages are %+v, %v", packages, err)
	}
	if raw, err := d.Store.MediaManifest(t.Context(), first.ID); err != nil || sum(string(raw)) != first.ManifestSHA256 {
		t.Errorf("the manifest is %q, %v", raw, err)
	}

	again, manifest := medium("first")
	again.Languages = []string{"de-DE"}
	same, err := d.Store.AddMedia(t.Context(), erika, again, manifest, "")
	if err != nil || same.ID != first.ID || len(same.Uses) != 2 {
		t.Fatalf("the same files again: %d used by %v, %v, want %d for two languages", same.ID, same.Uses, err, first.ID)
	}
	second := addMedium(t, d.Store, "second")
	if got, _, err := d.Store.MediaOf(t.Context(), "sp1", "en-US", "x64"); err != nil || got.ID != second.ID {
		t.Errorf("MediaOf = %d, %v, want the newer one", got.ID, err)
	}
	// What lies on the hosts already is registered by hand, without a medium.
	d.media(t, store.Package{SetupSHA256: strings.Repeat("ab", 32)})
	if _, _, err := d.Store.MediaOf(t.Context(), "sp1", "en-US", "x64"); !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("MediaOf what was set by hand: %v, want not found", err)
	}
	if _, err := d.Store.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestWhatIsInsideCanBeCorrected: the row never changes, another takes its place.
func TestWhatIsInsideCanBeCorrected(t *testing.T) {
	t.Parallel()
	d := submit(t)
	first := addMedium(t, d.Store, "first")
	m, manifest := medium("first")
	m.UMLanguages = []string{"ja-JP"}
	second, err := d.Store.AddMedia(t.Context(), erika, m, manifest, "")
	if err != nil || second.ID == first.ID || second.UMLanguages[0] != "ja-JP" || len(second.Uses) != 1 {
		t.Fatalf("corrected is %+v, %v", second, err)
	}
	if got, err := d.Store.MediaByManifest(t.Context(), first.ManifestSHA256); err != nil || got.ID != second.ID {
		t.Errorf("MediaByManifest = %d, %v, want the newer one", got.ID, err)
	}
	if last, err := d.Store.ForgetMedia(t.Context(), d.lead, first.ID, "wrong"); err != nil || last {
		t.Errorf("forgetting it: %v, %v, want the bundle still needed", last, err)
	}
}

func TestMediaNeverChange(t *testing.T) {
	t.Parallel()
	d := submit(t)
	kept := addMedium(t, d.Store, "kept")
	wrong, manifest := medium("wrong")
	if _, err := d.Store.AddMedia(t.Context(), erika, wrong, append(manifest, '!'), ""); err == nil {
		t.Error("a manifest that is not the hash's was taken")
	}
	wrong.BundleSize = 1 << 31
	if _, err := d.Store.AddMedia(t.Context(), erika, wrong, manifest, ""); err == nil {
		t.Error("a bundle of 2 GiB was taken")
	}
	good, manifest := medium("elsewhere")
	if _, err := d.Store.AddMedia(t.Context(), erika, good, manifest, `D:\media\sp1`); !errors.Is(err, rollout.ErrInvalid) {
		t.Errorf("a folder that anybody may write to: %v", err)
	}
	for _, sql := range []string{"UPDATE media SET setup_sha256 = repeat('0', 64) WHERE id = $1", "DELETE FROM media WHERE id = $1"} {
		if _, err := d.Store.Pool().Exec(t.Context(), sql, kept.ID); err == nil {
			t.Errorf("%s went through", sql)
		}
	}
}

func TestMediaOf32BitAreForTheOrganizationOnly(t *testing.T) {
	t.Parallel()
	d := submit(t)
	m, manifest := medium("small")
	m.Arch = "x86"
	kept, err := d.Store.AddMedia(t.Context(), erika, m, manifest, "")
	if err != nil || len(kept.Uses) != 0 {
		t.Fatalf("added is %+v, %v, want media that no package points to", kept, err)
	}
	for _, sql := range []string{
		"INSERT INTO package (name, language, arch, folder, setup_sha256, added_by, media_id) VALUES ('sp1', 'fr-FR', 'x86', 'C:\\m', repeat('0', 64), 'x', $1)",
		"UPDATE package SET media_id = $1",
		"INSERT INTO staging (host_id, media_id, arch, folder, upgrade_id, asked_by) SELECT h.id, $1, 'x86', 'C:\\m', u.id, 'x' FROM host h, upgrade u LIMIT 1",
		"INSERT INTO staging (host_id, media_id, arch, folder, asked_by) SELECT h.id, $1, 'x64', 'C:\\m', 'x' FROM host h LIMIT 1",
	} {
		if _, err := d.Store.Pool().Exec(t.Context(), sql, kept.ID); err == nil {
			t.Errorf("%s went through", sql)
		}
	}
}

func TestMediaInUseAreNotForgotten(t *testing.T) {
	t.Parallel()
	d := submit(t)
	old := addMedium(t, d.Store, "old")
	if _, err := d.Store.ForgetMedia(t.Context(), d.lead, old.ID, "over"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("forgetting what a package points to: %v, want a conflict", err)
	}
	asked, err := d.Store.AskStaging(t.Context(), d.operator, store.StagingAsk{Wave: d.view(t).Waves[0].ID, Reason: "early"})
	if err != nil || len(asked.Stagings) != 1 {
		t.Fatalf("asked %+v, %v", asked, err)
	}
	addMedium(t, d.Store, "new")
	if _, err := d.Store.ForgetMedia(t.Context(), d.lead, old.ID, "over"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("forgetting what is on its way: %v, want a conflict", err)
	}
	if err := d.Store.CancelStaging(t.Context(), d.operator, asked.Stagings[0], "other media"); err != nil {
		t.Fatal(err)
	}
	if last, err := d.Store.ForgetMedia(t.Context(), d.lead, old.ID, "over"); err != nil || !last {
		t.Fatal(last, err)
	}
	if m, err := d.Store.MediaByID(t.Context(), old.ID); err != nil || m.ForgottenAt == nil || m.ForgottenBy != d.lead.Name {
		t.Errorf("forgotten is %+v, %v", m, err)
	}
}

func TestSitesFetchFromWhereTheyAreTold(t *testing.T) {
	t.Parallel()
	d := submit(t)
	for _, c := range []struct{ kind, base, words string }{
		{"share", `\\fs1\wk\`, ""},
		{"mirror", "http://mirror.contoso.com/wk/", ""},
		{"console", "", ""},
		{"share", `\\fs1`, "no share"},
		{"share", "//fs1/wk", "no share"},
		{"share", `\\fs1\a'b`, "cannot be an address"},
		{"mirror", "https://mirror/wk", "over http"},
		{"mirror", "http://user:pw@mirror/wk", "no user and no password"},
		{"mirror", "ftp://mirror/wk", "no mirror"},
		{"console", "http://x", "--media-url"},
		{"cloud", "x", "no kind"},
	} {
		err := d.Store.SetMediaSource(t.Context(), d.lead, store.MediaSource{Site: " Berlin ", Kind: c.kind, Base: c.base})
		if c.words == "" && err != nil || c.words != "" && (!errors.Is(err, rollout.ErrInvalid) || !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%s %q: %v, want %q", c.kind, c.base, err, c.words)
		}
	}
	for _, m := range []store.MediaSource{{Site: "BERLIN", Kind: "share", Base: `\\fs1\wk`}, {Kind: "mirror", Base: "http://mirror/wk"}} {
		if err := d.Store.SetMediaSource(t.Context(), d.lead, m); err != nil {
			t.Fatal(err)
		}
	}
	for site, want := range map[string]string{"Berlin": `\\fs1\wk\ab.wkm`, "HQ": "http://mirror/wk/ab.wkm", "": "http://mirror/wk/ab.wkm"} {
		if got, err := d.Store.MediaSourceFor(t.Context(), site); err != nil || got.Address("ab") != want {
			t.Errorf("site %q fetches from %q, %v, want %q", site, got.Address("ab"), err, want)
		}
	}
}

// staged is a staging in work under a lease.
func staged(t *testing.T) (submitted, store.Lease, store.Staging) {
	t.Helper()
	d := submit(t)
	addMedium(t, d.Store, "sp1")
	asked, err := d.Store.AskStaging(t.Context(), d.operator, store.StagingAsk{Wave: d.view(t).Waves[0].ID, Reason: "early"})
	if err != nil || len(asked.Stagings) != 1 {
		t.Fatalf("asked %+v, %v", asked, err)
	}
	g, live, err := d.Store.LoadStaging(t.Context(), asked.Stagings[0], 1)
	if err != nil || !live || g.State != rollout.Waiting || g.Reason != "early" || g.Total != 1<<20 {
		t.Fatalf("loaded %+v, %v, %v", g, live, err)
	}
	lease, taken, err := d.Store.AcquireHost(t.Context(), "worker", g.Host.ID)
	if err != nil || !taken {
		t.Fatal(taken, err)
	}
	if err := d.Store.BeginStaging(t.Context(), lease, g.ID, 1); err != nil {
		t.Fatal(err)
	}
	if g, _, err = d.Store.LoadStaging(t.Context(), g.ID, 1); err != nil || g.State != rollout.Running || g.StartedAt == nil {
		t.Fatalf("begun is %+v, %v", g, err)
	}
	return d, lease, g
}

func TestStagingIsFencedLikeATick(t *testing.T) {
	t.Parallel()
	d, lease, g := staged(t)
	save := g.Save()
	save.Phase, save.Done, save.Rate, save.Source, save.Memory, save.Output = store.PhaseFetch, 1<<19, 1000, "console", map[string]string{"task": "t"}, true
	if err := d.Store.SaveStaging(t.Context(), lease, save); err != nil {
		t.Fatal(err)
	}
	view, err := d.Store.WaveStagings(t.Context(), d.rollout, 0)
	if err != nil || len(view) != 2 || view[0].Staging.Percent() != 50 || view[0].Staging.OutputAt == nil || view[1].Staging.ID != 0 {
		t.Fatalf("the waves show %+v, %v, want half and nothing asked for", view, err)
	}
	jump := save
	jump.To = rollout.Waiting
	if err := d.Store.SaveStaging(t.Context(), lease, jump); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("a move that the table does not have: %v, want a conflict", err)
	}
	old := save
	old.Generation = 0
	if err := d.Store.SaveStaging(t.Context(), lease, old); !errors.Is(err, store.ErrOvertaken) {
		t.Errorf("a tick of another generation: %v, want overtaken", err)
	}
	unproven := save
	unproven.To = rollout.Done
	if err := d.Store.SaveStaging(t.Context(), lease, unproven); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("done without a proof: %v, want a conflict", err)
	}
	if err := d.Store.ReleaseLease(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.SaveStaging(t.Context(), lease, save); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("without the lease: %v, want the lease lost", err)
	}
	d.exec(t, "UPDATE staging SET due_at = clock_timestamp() - interval '1 minute'")
	if swept, err := d.Store.Sweep(t.Context()); err != nil || swept.Stagings != 1 {
		t.Fatalf("swept %+v, %v, want one staging", swept, err)
	}
	if _, live, err := d.Store.LoadStaging(t.Context(), g.ID, 1); err != nil || live {
		t.Errorf("the older tick is live: %v, %v", live, err)
	}
}

func TestGrantDiesWithItsStaging(t *testing.T) {
	t.Parallel()
	d, lease, g := staged(t)
	token := sum("token")
	address := netip.MustParseAddr("::ffff:127.0.77.1")
	if err := d.Store.Grant(t.Context(), lease, g.ID, token, []netip.Addr{address}, time.Hour); err != nil {
		t.Fatal(err)
	}
	grant, err := d.Store.GrantByToken(t.Context(), token)
	if err != nil || grant.Staging != g.ID || grant.Addresses[0] != address.Unmap() || grant.BundleSize != 1<<20 || grant.Host != g.Host.Name {
		t.Fatalf("granted is %+v, %v", grant, err)
	}
	if err := d.Store.Grant(t.Context(), lease, g.ID, sum("next attempt"), []netip.Addr{address}, time.Hour); err != nil {
		t.Fatal(err)
	}
	gone := func(what, token string) {
		t.Helper()
		if _, err := d.Store.GrantByToken(t.Context(), token); !errors.Is(err, rollout.ErrNotFound) {
			t.Errorf("%s: %v, want not found", what, err)
		}
	}
	gone("the earlier attempt's token", token)
	token = sum("next attempt")
	d.exec(t, "UPDATE staging SET state = 'paused'")
	gone("while nothing works on it", token)
	d.exec(t, "UPDATE staging SET state = 'running'")
	if err := d.Store.NoteMediaRefused(t.Context(), g.ID, "asked from 10.9.9.9"); err != nil {
		t.Fatal(err)
	}
	save := g.Save()
	save.To, save.Proven = rollout.Done, true
	if err := d.Store.SaveStaging(t.Context(), lease, save); err != nil {
		t.Fatal(err)
	}
	gone("after the end", token)
	var kept int
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM media_grant").Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d grants are kept, %v", kept, err)
	}
	end, err := d.Store.StagingByID(t.Context(), g.ID)
	if err != nil || end.ProvenAt == nil || end.EndedAt == nil || end.Refused != "asked from 10.9.9.9" {
		t.Errorf("at the end it is %+v, %v", end, err)
	}
	if list, err := d.Store.MediaList(t.Context()); err != nil || list[0].Staged != 1 {
		t.Errorf("media are %+v, %v, want one host staged", list, err)
	}
}

func TestGrantEndsWhenItIsOverOrCancelled(t *testing.T) {
	t.Parallel()
	d, lease, g := staged(t)
	here := []netip.Addr{netip.MustParseAddr("127.0.77.1")}
	if err := d.Store.Grant(t.Context(), lease, g.ID, sum("a"), here, -time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Store.GrantByToken(t.Context(), sum("a")); !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("after its time: %v", err)
	}
	if err := d.Store.Grant(t.Context(), lease, g.ID, sum("b"), here, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.CancelStaging(t.Context(), d.operator, g.ID, "not today"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Store.GrantByToken(t.Context(), sum("b")); !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("after cancelling: %v", err)
	}
	if err := d.Store.SaveStaging(t.Context(), lease, g.Save()); !errors.Is(err, store.ErrOvertaken) {
		t.Errorf("the tick that was at it: %v, want overtaken", err)
	}
	if _, live, err := d.Store.LoadStaging(t.Context(), g.ID, g.Generation); err != nil || live {
		t.Errorf("a cancelled staging is live: %v, %v", live, err)
	}
}

func TestAnUpgradeTakesOverItsHostsStaging(t *testing.T) {
	t.Parallel()
	d, lease, g := staged(t)
	upgrade := d.view(t).Waves[0].Upgrades[0].ID
	taken, err := d.Store.StagingForUpgrade(t.Context(), lease, upgrade, g.Host.ID, g.Media, g.Folder)
	if err != nil || taken.ID != g.ID || taken.Upgrade != upgrade || taken.Generation == g.Generation {
		t.Fatalf("taken is %+v, %v", taken, err)
	}
	again, err := d.Store.StagingForUpgrade(t.Context(), lease, upgrade, g.Host.ID, g.Media, g.Folder)
	if err != nil || again.Generation != taken.Generation {
		t.Errorf("asked again it is %+v, %v, want the same", again, err)
	}
	if err := d.Store.SaveStaging(t.Context(), lease, g.Save()); !errors.Is(err, store.ErrOvertaken) {
		t.Errorf("who worked on it: %v, want overtaken", err)
	}
	if err := d.Store.CancelStaging(t.Context(), d.operator, g.ID, "x"); !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("cancelling what an upgrade does: %v", err)
	}
	failed := taken.Save()
	failed.To, failed.Message = rollout.Failed, "no room"
	if err := d.Store.SaveStaging(t.Context(), lease, failed); err != nil {
		t.Fatal(err)
	}
	next, err := d.Store.StagingForUpgrade(t.Context(), lease, upgrade, g.Host.ID, g.Media, g.Folder)
	if err != nil || next.ID == g.ID || next.State != rollout.Running || next.Folder != g.Folder {
		t.Errorf("after a failure it is %+v, %v, want a new one", next, err)
	}
}

func TestStagingCanWaitForItsTime(t *testing.T) {
	t.Parallel()
	d := submit(t)
	addMedium(t, d.Store, "sp1")
	wave := d.view(t).Waves[0].ID
	if _, err := d.Store.AskStaging(t.Context(), d.operator, store.StagingAsk{Wave: wave}); !errors.Is(err, rollout.ErrInvalid) {
		t.Errorf("without a reason: %v", err)
	}
	ask := store.StagingAsk{Wave: wave, Reason: "tonight", NotBefore: time.Now().Add(time.Hour)}
	asked, err := d.Store.AskStaging(t.Context(), d.operator, ask)
	if err != nil || len(asked.Stagings) != 1 {
		t.Fatalf("asked %+v, %v", asked, err)
	}
	if again, err := d.Store.AskStaging(t.Context(), d.operator, ask); err != nil || len(again.Stagings) != 0 || len(again.Open) != 1 {
		t.Errorf("asked again: %+v, %v, want it open already", again, err)
	}
	if swept, err := d.Store.Sweep(t.Context()); err != nil || swept.Stagings != 0 {
		t.Errorf("swept %+v, %v before its time", swept, err)
	}
	g, _, err := d.Store.LoadStaging(t.Context(), asked.Stagings[0], 1)
	if err != nil {
		t.Fatal(err)
	}
	lease, _, err := d.Store.AcquireHost(t.Context(), "worker", g.Host.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.BeginStaging(t.Context(), lease, g.ID, 1); !errors.Is(err, store.ErrOvertaken) {
		t.Errorf("begun before its time: %v", err)
	}
}
