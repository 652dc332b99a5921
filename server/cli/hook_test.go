package cli

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wavekeeper/server/store/storetest"
)

const hookSecret = "A-Secret-Of-A-Webhook-1"

// TestATestedWebhookShowsNoSecret: a balancer that answers with what it was given
// shows it to nobody; and a key that was lost is named with the webhooks that are
// sealed under it.
func TestATestedWebhookShowsNoSecret(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write([]byte("taken, \x1b[2Jsigned with " + hookSecret + "\r\n"))
	}))
	t.Cleanup(server.Close)
	ca := file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))

	d := storetest.New(t)
	key := filepath.Join(t.TempDir(), "key")
	at := func(key string, args ...string) []string {
		return append(args, "--database-url", d.URL, "--key-file", key)
	}
	allow := at(key, "hook", "allow", "balancer", "--url", server.URL+"/drain", "--point", "drain",
		"--network", "127.0.0.0/24", "--ca-file", ca, "--secret-file", file(t, hookSecret+"\n"), "--reason", "drains")
	for _, spoil := range [][2]string{{"balancer", "Bal_Ancer"}, {"127.0.0.0/24", "0.0.0.0/0"}, {"127.0.0.0/24", "::/0"}, {"127.0.0.0/24", "10.0.0.0/8"}} {
		bad := slices.Clone(allow)
		bad[slices.Index(bad, spoil[0])] = spoil[1]
		if status, out, problems := run(t, "", bad...); status == 0 || !strings.Contains(problems, "is not allowed: ") {
			t.Errorf("%s: status %d, %s%s", spoil[1], status, out, problems)
		}
	}
	if status, out, problems := run(t, "", allow...); status != 0 {
		t.Fatalf("status %d, %s%s", status, out, problems)
	}
	status, out, problems := run(t, "", at(key, "hook", "test", "webhook:balancer")...)
	if status != 0 || !strings.Contains(out, "signed with [redacted]") || strings.Contains(out+problems, hookSecret) || strings.Contains(out, "\x1b") {
		t.Errorf("status %d, %q%q", status, out, problems)
	}

	other := filepath.Join(t.TempDir(), "other")
	set := at(other, "credential", "set", "--purpose", "winrm", "--account", "wk", "--password-file", file(t, "Some-Password-1\n"))
	if status, out, problems := run(t, "", set...); status == 0 || !strings.Contains(problems, "webhook balancer") {
		t.Errorf("a second key was made beside a webhook's: status %d, %s%s", status, out, problems)
	}
	if status, out, problems := run(t, "", append(set, "--new-key")...); status != 0 || !strings.Contains(out, "webhook balancer") || !strings.Contains(out, "hook allow") {
		t.Errorf("what is left under the lost key is not said: status %d, %s%s", status, out, problems)
	}
	if status, _, problems := run(t, "", at(other, "hook", "test", "webhook:balancer")...); status == 0 || !strings.Contains(problems, "hook allow") {
		t.Errorf("what helps is not said: status %d, %s", status, problems)
	}
}
