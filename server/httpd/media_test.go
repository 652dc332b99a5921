package httpd_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestMediaPagesSayWhatIsInsideAndWhereItLies(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead := c.signedIn(t, "lead")
	if _, page := lead.get("/media"); !strings.Contains(page, "No media yet") || !strings.Contains(page, "all other sites") {
		t.Errorf("without media the page says %s", words(page))
	}
	if status, page := lead.post("/servers/import/apply", url.Values{"text": {fleet}}); status != http.StatusOK {
		t.Fatalf("import: status %d: %s", status, words(page))
	}
	if _, page := lead.get("/servers"); !strings.Contains(page, `href="/media"`) {
		t.Error("no way from the servers to their media")
	}
	program := store.Actor{Name: "wavekeeper"}
	m, err := c.store.AddMedia(t.Context(), program, store.Medium{
		Package: "sp1", Languages: []string{"en-US"}, Arch: "x64", FileName: "<b>E2K7SP1EN64.exe", FileSHA256: sumOf("file"), FileSize: 900_000_000, Build: "8.1.240.6",
		UMLanguages: []string{"de-DE", "ja-JP"}, SetupSHA256: sumOf("setup"), Files: 4000, TreeSize: 1_600_000_000, ManifestSHA256: sumOf("manifest"), BundleSHA256: sumOf("bundle"), BundleSize: 890_000_000,
	}, []byte("manifest"), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.store.SetMediaSource(t.Context(), program, store.MediaSource{Site: "Berlin", Kind: store.SourceShare, Base: `\\fs1\wk`}); err != nil {
		t.Fatal(err)
	}
	servers, err := c.store.Servers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asked, err := c.store.AskStaging(t.Context(), program, store.StagingAsk{Package: "sp1", Servers: []int64{servers[0].ID, servers[1].ID}, Reason: "early <i>"})
	if err != nil || len(asked.Stagings) != 2 {
		t.Fatal(asked, err)
	}
	for i, id := range asked.Stagings {
		g, err := c.store.StagingByID(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		lease, taken, err := c.store.AcquireHost(t.Context(), "worker", g.Host.ID)
		if err != nil || !taken {
			t.Fatal(taken, err)
		}
		if err := c.store.BeginStaging(t.Context(), lease, id, 1); err != nil {
			t.Fatal(err)
		}
		save := g.Save()
		save.From, save.To = rollout.Running, rollout.Running
		save.Phase, save.Done, save.Rate, save.Source = store.PhaseFetch, save.Total*43/100, 12_000_000, "the console"
		if i == 1 {
			save.To, save.Message, save.Remedy = rollout.Failed, "the disk is <full>", "Make room."
		}
		if err := c.store.SaveStaging(t.Context(), lease, save); err != nil {
			t.Fatal(err)
		}
		if err := c.store.NoteMediaRefused(t.Context(), id, "It asked from 10.9.9.9"); err != nil {
			t.Fatal(err)
		}
	}
	_, list := lead.get("/media")
	for _, want := range []string{"1 medium", "SP1, 64-bit", "8.1.240.6", "de-DE, ja-JP", "890 MB", "0 of ", `share \\fs1\wk`, fmt.Sprintf(`href="/media/%d"`, m.ID)} {
		if !strings.Contains(list, want) {
			t.Errorf("no %q on /media", want)
		}
	}
	status, page := lead.get(fmt.Sprintf("/media/%d", m.ID))
	for _, want := range []string{
		"&lt;b&gt;E2K7SP1EN64.exe, 900000000 bytes", "000 files, 1.6 GB", m.ManifestSHA256, m.BundleSHA256, `C:\Wavekeeper\media\sp1-x64-` + m.ManifestSHA256[:8],
		"43 % of 890 MB, 12 MB/s, from the console", "the disk is &lt;full&gt;", "Make room.", "It asked from 10.9.9.9", "wavekeeper: early &lt;i&gt;", servers[0].Hosts[0].Name,
		fmt.Sprintf("<td>%d hosts</td>", m.Uses[0].Hosts),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("status %d, no %q on the page of the medium", status, want)
		}
	}
	_, first := lead.get("/servers/" + servers[0].Name)
	for _, want := range []string{fmt.Sprintf(`href="/media/%d"`, m.ID), "SP1, 64-bit", "43 % of 890 MB, 12 MB/s", "the console", `data-state="running"`} {
		if !strings.Contains(first, want) {
			t.Errorf("no %q on the page of the server that fetches", want)
		}
	}
	const proven = `UPDATE staging SET state = 'done', phase = 'verify', ended_at = now(), proven_at = now() - interval '2 hours', source = 'share \\fs1\wk' WHERE id = $1`
	if _, err := c.store.Pool().Exec(t.Context(), proven, asked.Stagings[0]); err != nil {
		t.Fatal(err)
	}
	if _, first = lead.get("/servers/" + servers[0].Name); !strings.Contains(first, "every file was right 2 h ago") || !strings.Contains(first, `share \\fs1\wk`) {
		t.Errorf("the page of a server that has the media says %s", words(first))
	}
	if _, failed := lead.get("/servers/" + servers[1].Name); !strings.Contains(failed, "the disk is &lt;full&gt;") || !strings.Contains(failed, "Make room.") {
		t.Errorf("the page of a server where staging failed says %s", words(failed))
	}
	if _, none := lead.get("/servers/" + servers[2].Name); strings.Contains(none, ">Media</h3>") {
		t.Error("a server without media shows some")
	}
	if status, _ := lead.get("/media/77"); status != http.StatusNotFound {
		t.Errorf("media that are not there: %d", status)
	}
	if status, _ := lead.get("/media/all"); status != http.StatusNotFound {
		t.Errorf("media by a word: %d", status)
	}
	if status, _ := lead.get("/media/" + m.BundleSHA256); status != http.StatusNotFound {
		t.Errorf("a bundle at the console's own address: %d", status)
	}
	if _, page := lead.get("/history"); !strings.Contains(page, "Media added") || !strings.Contains(page, "Media asked for on hosts") || !strings.Contains(page, "Source of media set") {
		t.Errorf("the record says %s", words(page))
	}
}
