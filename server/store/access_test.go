package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// secured is three hosts of one profile, of which the account's secret was just
// set.
type secured struct {
	storetest.DB
	cred  store.SealedCredential
	hosts []store.HostAddress
}

func secure(t *testing.T, auth, account string) *secured {
	t.Helper()
	d := &secured{DB: storetest.New(t)}
	p := store.Profile{Name: "default", Auth: auth, HTTPS: true, Trust: store.TrustFirstUse, Ranges: []string{"127.0.0.0/8"}}
	if _, err := d.Store.SaveProfile(t.Context(), erika, p); err != nil {
		t.Fatal(err)
	}
	importCSV(t, d.Store, "server,roles,site,build,address,port\nCAS1,ClientAccess,HQ,8.0.685.25,127.0.77.1,5986\nHUB1,HubTransport,HQ,8.0.685.25,127.0.77.2,5986\nMBX1,Mailbox,HQ,8.0.685.25,127.0.77.3,5986\n")
	var err error
	if d.hosts, err = d.Store.HostsOfProfile(t.Context(), "default"); err != nil || len(d.hosts) != 3 {
		t.Fatalf("HostsOfProfile = %v, %v, want three", d.hosts, err)
	}
	d.set(t, account)
	return d
}

func (d *secured) set(t *testing.T, account string) {
	t.Helper()
	p, err := d.Store.ProfileByName(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	c := store.SealedCredential{ProfileID: p.ID, Purpose: store.PurposeWinRM, Account: account, Sealed: []byte("sealed"), KeyID: "k"}
	if err := d.Store.SetCredential(t.Context(), erika, c); err != nil {
		t.Fatal(err)
	}
	d.load(t)
}

func (d *secured) load(t *testing.T) {
	t.Helper()
	p, err := d.Store.ProfileByName(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if d.cred, err = d.Store.CredentialFor(t.Context(), p.ID, store.PurposeWinRM); err != nil {
		t.Fatal(err)
	}
}

// barred lists which hosts the credential is kept from.
func (d *secured) barred(t *testing.T) string {
	t.Helper()
	v, err := d.Store.Standing(t.Context(), d.cred)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, h := range d.hosts {
		if _, ok := v.Against(h.ID); ok {
			names = append(names, h.Name)
		}
	}
	return strings.Join(names, " ")
}

func TestRefusalsCloseACredentialAndANewSecretOpensIt(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := secure(t, store.AuthNTLM, `.\wk`)
	cas, hub, mbx := d.hosts[0].ID, d.hosts[1].ID, d.hosts[2].ID
	s := d.Store
	steps := []struct {
		what string
		do   func() error
		want string
	}{
		{"CAS1 takes it", func() error { return s.NoteTaken(ctx, d.cred, cas) }, ""},
		{"HUB1 refuses it", func() error { return s.NoteRefusal(ctx, d.cred, hub, "401") }, "HUB1"},
		{"HUB1 again", func() error { return s.NoteRefusal(ctx, d.cred, hub, "401") }, "HUB1"},
		{"MBX1, too: the second in a row", func() error { return s.NoteRefusal(ctx, d.cred, mbx, "401") }, "HUB1 MBX1"},
		{"CAS1, which had taken it", func() error { return s.NoteRefusal(ctx, d.cred, cas, "401") }, "CAS1 HUB1 MBX1"},
		{"a refusal of an older version", func() error {
			d.set(t, `.\wk`)
			older := d.cred
			older.Version--
			return s.NoteRefusal(ctx, older, hub, "401")
		}, ""},
		{"the account itself", func() error { return s.NoteRefusal(ctx, d.cred, 0, "expired") }, "CAS1 HUB1 MBX1"},
		{"tried again", func() error {
			n, err := s.RetryCredential(ctx, erika, "default", store.PurposeWinRM, "unlocked")
			if n != 1 {
				t.Errorf("%d refusals were forgotten, want 1", n)
			}
			d.load(t)
			return err
		}, ""},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if got := d.barred(t); got != step.want {
			t.Errorf("%s: kept from %q, want %q", step.what, got, step.want)
		}
	}
	if d.cred.Version != 3 {
		t.Errorf("the version is %d, want 3: set twice, tried again once", d.cred.Version)
	}
	if _, err := s.RetryCredential(ctx, erika, "default", store.PurposeWinRM, "once more"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("nothing stands against it: %v, want a conflict", err)
	}
	if refused, err := s.Refusals(ctx); len(refused) != 0 || err != nil {
		t.Errorf("Refusals = %v, %v, want none", refused, err)
	}
	all, err := s.Credentials(ctx)
	if err != nil || all[0].ProvenAt != nil {
		t.Errorf("Credentials = %+v, %v: nobody took version 3 yet", all, err)
	}
}

func TestATakenCredentialAtOneHostMoreEndsARow(t *testing.T) {
	t.Parallel()
	d := secure(t, store.AuthNTLM, `.\wk`)
	for i, do := range []func() error{
		func() error { return d.Store.NoteRefusal(t.Context(), d.cred, d.hosts[0].ID, "401") },
		func() error { return d.Store.NoteTaken(t.Context(), d.cred, d.hosts[1].ID) },
		func() error { return d.Store.NoteRefusal(t.Context(), d.cred, d.hosts[2].ID, "401") },
	} {
		if err := do(); err != nil {
			t.Fatal(i, err)
		}
	}
	if got := d.barred(t); got != "CAS1 MBX1" {
		t.Errorf("kept from %q, want the two that refused it, not in a row", got)
	}
}

func TestANewSecretIsTriedAtOneHostByOneCoordinator(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := secure(t, store.AuthNTLM, `CORP\wk`)
	begin := func(owner string, host int) store.Trial {
		t.Helper()
		trial, err := d.Store.BeginTrial(ctx, owner, d.cred, d.hosts[host].ID)
		if err != nil {
			t.Fatal(err)
		}
		return trial
	}
	if got := begin("a", 0); !got.Mine {
		t.Fatalf("the first gets %+v, want the trial", got)
	}
	for _, other := range []store.Trial{begin("a", 1), begin("b", 0), begin("b", 2)} {
		if other.Mine || other.Host != "CAS1" {
			t.Errorf("the next gets %+v, want to wait for CAS1", other)
		}
	}
	if err := d.Store.EndTrial(ctx, "a", d.cred, d.hosts[0].ID, store.TriedNothing); err != nil { // it was not reached
		t.Fatal(err)
	}
	if got := begin("b", 2); !got.Mine {
		t.Fatalf("after a host that was not reached, the next gets %+v, want the trial", got)
	}
	// Its coordinator dies, and so does the next one.
	for range 2 {
		d.Admin(t, "UPDATE credential_trial SET until = now() - interval '1 second'")
		begin("c", 1)
	}
	if got := d.barred(t); got != "CAS1 HUB1 MBX1" {
		t.Errorf("after two deaths right after it was sent, it is kept from %q, want all", got)
	}
	if got := begin("a", 2); got != (store.Trial{}) {
		t.Errorf("once it was refused, the next gets %+v, want nothing to wait for", got)
	}
	d.set(t, `CORP\wk`)
	begin("a", 0)
	if err := d.Store.NoteTaken(ctx, d.cred, d.hosts[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := begin("b", 1); got != (store.Trial{}) {
		t.Errorf("once a host took it, the next gets %+v, want nothing to wait for", got)
	}
}

func TestRotationNeedsTheVersionThatItBeganWith(t *testing.T) {
	t.Parallel()
	d := secure(t, store.AuthNTLM, `CORP\wk`)
	next := d.cred
	next.Sealed = []byte("next")
	if err := d.Store.RotateCredential(t.Context(), erika, next, 7, "CAS1", "quarterly"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("from another version: %v, want a conflict", err)
	}
	if err := d.Store.RotateCredential(t.Context(), erika, next, 1, "CAS1", "quarterly"); err != nil {
		t.Fatal(err)
	}
	d.load(t)
	if d.cred.Version != 2 || !d.cred.Proven || d.cred.ProvenBy != "CAS1" || string(d.cred.Sealed) != "next" {
		t.Errorf("after the rotation it is %+v", d.cred)
	}
}

func TestASecretThatDoesNotFitTheProfileIsRefused(t *testing.T) {
	t.Parallel()
	d := secure(t, store.AuthNTLM, `CORP\wk`)
	for kind, purpose := range map[string]string{store.KindKeytab: store.PurposeWinRM, store.KindCCache: store.PurposeRunAs, "pin": store.PurposeWinRM} {
		c := d.cred
		c.Kind, c.Purpose = kind, purpose
		if err := d.Store.SetCredential(t.Context(), erika, c); !errors.Is(err, rollout.ErrInvalid) {
			t.Errorf("a %s as %s: %v, want ErrInvalid", kind, purpose, err)
		}
	}
}

func TestAPinIsOfferedConfirmedAndReplaced(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := secure(t, store.AuthNTLM, `CORP\wk`)
	host := d.hosts[0].ID
	offer := func(digit string) string {
		t.Helper()
		state, err := d.Store.OfferPin(ctx, store.Pin{
			HostID: host, SHA256: strings.Repeat(digit, 64), Subject: "CN=cas1", NotBefore: time.Now(), NotAfter: time.Now().AddDate(1, 0, 0),
		})
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	states := func() string {
		t.Helper()
		pins, err := d.Store.PinsOf(ctx, host)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, p := range pins {
			words = append(words, fmt.Sprintf("%s %s", p.SHA256[:1], p.State))
		}
		slices.Sort(words)
		return strings.Join(words, ", ")
	}
	open := func() store.Pin {
		t.Helper()
		pins, err := d.Store.OpenPins(ctx)
		if err != nil || len(pins) != 1 {
			t.Fatalf("OpenPins = %v, %v, want one", pins, err)
		}
		return pins[0]
	}
	offer("a")
	offer("a")
	first := open()
	if len(first.Known) != 0 || first.Host != "CAS1" {
		t.Errorf("the first offer is %+v, want CAS1's and no other known", first)
	}
	if err := d.Store.ConfirmPin(ctx, erika, first.ID, strings.Repeat("b", 64), "seen"); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("confirmed with the sum of another: %v, want a conflict", err)
	}
	if err := d.Store.ConfirmPin(ctx, erika, first.ID, first.SHA256, " "); !errors.Is(err, rollout.ErrInvalid) {
		t.Errorf("confirmed without a reason: %v, want ErrInvalid", err)
	}
	if err := d.Store.ConfirmPin(ctx, erika, first.ID, first.SHA256, "compared at the console"); err != nil {
		t.Fatal(err)
	}
	offer("b")
	second := open()
	if !slices.Equal(second.Known, []string{strings.Repeat("a", 64)}) {
		t.Errorf("a changed certificate is offered beside %v, want the first", second.Known)
	}
	if err := d.Store.RejectPin(ctx, erika, second.ID, second.SHA256, "nobody renewed it"); err != nil {
		t.Fatal(err)
	}
	if got := offer("b"); got != store.PinRejected {
		t.Errorf("what was rejected is %s when it is shown again", got)
	}
	offer("c")
	third := open()
	if err := d.Store.ConfirmPin(ctx, erika, third.ID, third.SHA256, "renewed"); err != nil {
		t.Fatal(err)
	}
	if got := states(); got != "a replaced, b rejected, c confirmed" {
		t.Errorf("the host's certificates are %s", got)
	}
	if err := d.Store.AddPin(ctx, erika, "cas1", strings.Repeat("DD:", 31)+"DD", "the renewal of May"); err != nil {
		t.Fatal(err)
	}
	if got := states(); got != "a replaced, b rejected, c confirmed, d confirmed" {
		t.Errorf("with the next one known before, they are %s", got)
	}
	if got := offer("a"); got != store.PinOffered {
		t.Errorf("one that was replaced comes back as %s, want a question", got)
	}
	if err := d.Store.AddPin(ctx, erika, "CAS1", strings.Repeat("ab", 20), "thumbprint"); !errors.Is(err, rollout.ErrInvalid) || !strings.Contains(err.Error(), "SHA-1") {
		t.Errorf("a SHA-1 thumbprint: %v, want ErrInvalid that says so", err)
	}
}

func TestTheDatabaseRefusesWhatAProfileMustNotBe(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	for rule, set := range map[string]string{
		"basic_over_http_is_said_by_name":         "https = false",
		"plain_basic_is_only_for_basic_over_http": "https = false, plain_basic = true, auth = 'ntlm'",
		"certificates_are_for_https":              "https = false, auth = 'ntlm', tls10 = true",
		"a_client_certificate_needs_https":        "https = false, auth = 'certificate'",
		"pins_decide_alone":                       "pins = ARRAY[repeat('a', 64)]",
		"profile_pins_are_sha256":                 "trust = 'pin', pins = ARRAY['x']",
		"realm_is_for_kerberos":                   "realm = 'CORP.EXAMPLE'",
		"trust_is_known":                          "trust = 'everybody'",
		"spn_service_is_a_word":                   "spn_service = 'HTTP/x'",
	} {
		if err := run(t, d.OwnerURL, "UPDATE profile SET "+set); err == nil || !strings.Contains(err.Error(), rule) {
			t.Errorf("UPDATE profile SET %s: %v, want %s", set, err, rule)
		}
	}
}

func TestAProfileThatContradictsItselfSaysSo(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	for want, p := range map[string]store.Profile{
		"There is no authentication":    {Name: "x", Auth: "digest", HTTPS: true},
		"sealed, message by message":    {Name: "x", Auth: store.AuthNTLM, PlainBasic: true},
		"shown in the TLS handshake":    {Name: "x", Auth: store.AuthCertificate},
		"no certificate without https":  {Name: "x", Auth: store.AuthNTLM, Trust: store.TrustFirstUse},
		"Pins decide alone":             {Name: "x", HTTPS: true, Pins: []string{strings.Repeat("ab", 32)}},
		"that is 64 hexadecimal digits": {Name: "x", HTTPS: true, Trust: store.TrustPin, Pins: []string{"abc"}},
		"are for Kerberos":              {Name: "x", HTTPS: true, Realm: "CORP.EXAMPLE"},
		"is no Kerberos realm":          {Name: "x", Auth: store.AuthKerberos, Realm: "CORP EXAMPLE"},
		"its port is not between":       {Name: "x", Auth: store.AuthKerberos, KDCs: []string{"dc1:99999"}},
	} {
		if _, err := s.SaveProfile(t.Context(), erika, p); !errors.Is(err, rollout.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want ErrInvalid with %q", p, err, want)
		}
	}
	p := store.Profile{
		Name: "corp", Auth: store.AuthKerberos, Realm: "CORP.EXAMPLE", KDCs: []string{"dc1.corp.example:88"}, SPNService: "WSMAN",
		Ranges: []string{"10.0.0.0/8"}, Trust: store.TrustPin, HTTPS: true, TLS10: true, Pins: []string{strings.Repeat("AB:", 31) + "AB"},
	}
	if _, err := s.SaveProfile(t.Context(), erika, p); err != nil {
		t.Fatal(err)
	}
	got, err := s.ProfileByName(t.Context(), "corp")
	if err != nil || got.Pins[0] != strings.Repeat("ab", 32) || got.SPNService != "WSMAN" || !got.TLS10 || got.UpdatedBy != erika.Name {
		t.Errorf("ProfileByName = %+v, %v", got, err)
	}
}

// TestAHostThatNothingIsSentToHoldsTheStart: with facts that are fresh, and until
// a person decided.
func TestAHostThatNothingIsSentToHoldsTheStart(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := submit(t)
	p := store.Profile{Name: "default", Auth: store.AuthNTLM, HTTPS: true, Trust: store.TrustFirstUse, Ranges: []string{"127.0.0.0/8"}}
	if _, err := d.Store.SaveProfile(ctx, erika, p); err != nil {
		t.Fatal(err)
	}
	if err := d.approve(t, 0); err != nil {
		t.Fatal(err)
	}
	host, err := d.Store.HostNamed(ctx, "cas1")
	if err != nil {
		t.Fatal(err)
	}
	facts := []store.Fact{{Name: "roles", Value: []byte(`{"ClientAccess":{"configured":"8.0.685.25"}}`), Source: "test", At: time.Now()}}
	if err := d.Store.SaveProbe(ctx, host, "done", "", facts); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Store.OfferPin(ctx, store.Pin{HostID: host.ID, SHA256: strings.Repeat("a", 64)}); err != nil {
		t.Fatal(err)
	}
	first := func() store.UpgradeRow {
		d.advance(t)
		return d.view(t).Waves[0].Upgrades[0]
	}
	if u := first(); u.State != rollout.Held || len(u.Reasons) != 1 || u.Reasons[0].Rule != "host-does-not-let-us-in" {
		t.Errorf("%s is %s: %v, want held by its certificate", u.Server, u.State, u.Reasons)
	}
	open, err := d.Store.OpenPins(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.ConfirmPin(ctx, erika, open[0].ID, open[0].SHA256, "compared"); err != nil {
		t.Fatal(err)
	}
	if u := first(); u.State != rollout.Running {
		t.Errorf("%s is %s: %v, want running", u.Server, u.State, u.Reasons)
	}
}
