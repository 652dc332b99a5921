package winrm

import (
	"regexp"
	"testing"
	"time"

	"wavekeeper/agentless/kerberos"
)

// What goes wrong between us, a KDC and a host is said at the step of the login,
// in words, and nothing after it is tried.
func TestFirstContactByKerberosSaysWhoRefused(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	h := r.host(t).start()
	with := func(change func(*kerberos.Config)) *Account {
		cfg := kerberos.Config{User: "svc", Realm: "LAB.TEST", Password: "Secret1", KDCs: []string{r.address}}
		change(&cfg)
		client, err := kerberos.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Destroy)
		a, err := NewAccount(AccountConfig{Auth: AuthKerberos, User: "svc@LAB.TEST", Kerberos: client})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	plain := func(*kerberos.Config) {}
	for name, c := range map[string]struct {
		host    string
		account *Account
		step    string
		words   string // a regular expression
		outcome string
	}{
		"wrong password": {"mbx1.lab.test", with(func(c *kerberos.Config) { c.Password = "wrong" }), StepLogin, "refused the password of svc@LAB.TEST", OutcomeDenied},
		"wrong realm":    {"mbx1.lab.test", with(func(c *kerberos.Config) { c.Realm = "OTHER.TEST" }), StepLogin, "svc@OTHER.TEST", OutcomeDenied},
		"no KDC":         {"mbx1.lab.test", with(func(c *kerberos.Config) { c.KDCs = []string{"127.0.121.252:1"} }), StepLogin, "port 88/tcp", OutcomeUnreachable},
		"clock": {"mbx1.lab.test", with(func(c *kerberos.Config) {
			c.Clock = func() time.Time { return time.Now().Add(-9*time.Minute - 30*time.Second) }
		}), StepLogin, "clock here is 9m(29|30)s behind KDC", OutcomeRefused},
		"unknown host":   {"nowhere.lab.test", with(plain), StepLogin, "setspn -L", OutcomeRefused},
		"another's name": {"other.lab.test", with(plain), StepLogin, "setspn -Q", OutcomeDenied},
		"address":        {"127.0.0.1", with(plain), StepName, "full DNS name", OutcomeRefused},
	} {
		conn := dialTo(t, Config{Address: "127.0.0.1", Port: portOf(h.fakeHost), Host: c.host, Account: c.account})
		steps, err := conn.Explain(withDeadline(t, 20*time.Second))
		if Outcome(err) != c.outcome {
			t.Errorf("%s: %s (%v), want %s", name, Outcome(err), err, c.outcome)
		}
		failed := ""
		for _, s := range steps {
			switch {
			case s.State == StepFailed:
				failed += s.Name
				if !regexp.MustCompile(c.words).MatchString(s.Words) || s.Remedy == "" {
					t.Errorf("%s: %s says %q and %q, want %q", name, s.Name, s.Words, s.Remedy, c.words)
				}
			case failed != "" && s.State != StepSkipped:
				t.Errorf("%s: %s is %s after %s failed", name, s.Name, s.State, failed)
			}
		}
		if failed != c.step {
			t.Errorf("%s: %q failed, want %s", name, failed, c.step)
		}
	}
}
