package store_test

import (
	"testing"

	"wavekeeper/server/store"
)

// TestWhatTheDirectoryRefusedIsForAllHosts: also for those that took it before, and
// for whoever asks, until a person has it tried again.
func TestWhatTheDirectoryRefusedIsForAllHosts(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := secure(t, store.AuthKerberos, "wk")
	for _, h := range d.hosts[:2] {
		if err := d.Store.NoteTaken(ctx, d.cred, h.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Store.NoteRefusal(ctx, d.cred, 0, "no KDC answered twice"); err != nil {
		t.Fatal(err)
	}
	if got := d.barred(t); got != "MBX1" {
		t.Errorf("kept from %q, want the one that has not taken it", got)
	}
	for range 2 {
		if err := d.Store.NoteRefusalForAll(ctx, d.cred, "the KDC refused the password"); err != nil {
			t.Fatal(err)
		}
	}
	if got := d.barred(t); got != "CAS1 HUB1 MBX1" {
		t.Errorf("kept from %q, want all", got)
	}
	v, err := d.Store.Standing(ctx, d.cred)
	if err != nil || len(v.Refused) != 1 || !v.Refused[0].ForAll || v.Refused[0].Reason != "the KDC refused the password" {
		t.Errorf("Standing = %+v, %v, want one refusal for all", v, err)
	}
	if _, err := d.Store.RetryCredential(ctx, erika, "default", store.PurposeWinRM, "unlocked"); err != nil {
		t.Fatal(err)
	}
	d.load(t)
	if got := d.barred(t); got != "" {
		t.Errorf("tried again, it is kept from %q", got)
	}
}

// TestTheSameSecretElsewhereIsKeptBack: a domain counts wrong passwords of an
// account, not of a profile.
func TestTheSameSecretElsewhereIsKeptBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := secure(t, store.AuthNTLM, `CORP\wk`)
	id, err := d.Store.SaveProfile(ctx, erika, store.Profile{Name: "other", Auth: store.AuthNTLM, HTTPS: true, Ranges: []string{"127.0.0.0/8"}})
	if err != nil {
		t.Fatal(err)
	}
	load := func(profile int64, purpose string) store.SealedCredential {
		t.Helper()
		c, err := d.Store.CredentialFor(ctx, profile, purpose)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	digested := func(profile int64, purpose, digest string) store.SealedCredential {
		t.Helper()
		c := store.SealedCredential{ProfileID: profile, Purpose: purpose, Account: "wk@corp.example", Sealed: []byte("sealed"), KeyID: "k"}
		if err := d.Store.SetCredential(ctx, erika, c); err != nil {
			t.Fatal(err)
		}
		c = load(profile, purpose)
		c.Digest = digest
		if err := d.Store.KeepDigest(ctx, c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	d.cred.Digest = "same"
	if err := d.Store.KeepDigest(ctx, d.cred); err != nil {
		t.Fatal(err)
	}
	same, runas, another := digested(id, store.PurposeWinRM, "same"), digested(id, store.PurposeRunAs, "same"), digested(d.cred.ProfileID, store.PurposeRunAs, "another")
	host := d.hosts[0].ID
	if trial, err := d.Store.BeginTrial(ctx, "a", d.cred, host); err != nil || !trial.Mine {
		t.Fatalf("BeginTrial = %+v, %v", trial, err)
	}
	if trial, err := d.Store.BeginTrial(ctx, "b", same, d.hosts[1].ID); err != nil || trial.Mine || trial.Host != "CAS1" {
		t.Errorf("the same secret in another profile gets %+v, %v, want to wait for CAS1", trial, err)
	}
	if err := d.Store.NoteRefusal(ctx, d.cred, 0, "401"); err != nil {
		t.Fatal(err)
	}
	against := func(c store.SealedCredential) bool {
		t.Helper()
		v, err := d.Store.StandingAt(ctx, c, host)
		if err != nil {
			t.Fatal(err)
		}
		_, closed := v.Against(host)
		return closed
	}
	if !against(same) || !against(runas) || against(another) {
		t.Errorf("kept back: the same secret %t, as run-as %t, another one %t; want the first two", against(same), against(runas), against(another))
	}
	// One person's word is for all of them.
	if n, err := d.Store.RetryCredential(ctx, erika, "other", store.PurposeRunAs, "unlocked"); err != nil || n != 1 {
		t.Errorf("RetryCredential = %d, %v, want the one refusal forgotten", n, err)
	}
	if before := d.cred.Version; load(d.cred.ProfileID, store.PurposeWinRM).Version != before+1 {
		t.Error("the credential that was refused is no other version: programs that run would keep it back")
	}
	for _, c := range []store.SealedCredential{load(d.cred.ProfileID, store.PurposeWinRM), load(id, store.PurposeWinRM), load(id, store.PurposeRunAs)} {
		if against(c) {
			t.Errorf("tried again, %s of profile %d is kept back", c.Purpose, c.ProfileID)
		}
	}
}

// TestATrialThatWasNotAnsweredCounts: at whichever hosts, by whichever coordinators.
func TestATrialThatWasNotAnsweredCounts(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := secure(t, store.AuthNTLM, `CORP\wk`)
	for i, came := range []store.Tried{store.TriedLost, store.TriedNothing, store.TriedNothing, store.TriedLost} {
		h := d.hosts[i%len(d.hosts)]
		if trial, err := d.Store.BeginTrial(ctx, "a", d.cred, h.ID); err != nil || !trial.Mine {
			t.Fatalf("%d: BeginTrial = %+v, %v, want the trial", i, trial, err)
		}
		if err := d.Store.EndTrial(ctx, "a", d.cred, h.ID, came); err != nil {
			t.Fatal(err)
		}
	}
	if got := d.barred(t); got != "CAS1 HUB1 MBX1" {
		t.Errorf("after two that were not answered it is kept from %q, want all", got)
	}
}

// TestTwoHostsThatHadTakenItCloseIt: one may err; the second says that the password
// is another now. A host that takes it in between ends the doubt.
func TestTwoHostsThatHadTakenItCloseIt(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := secure(t, store.AuthNTLM, `CORP\wk`)
	for _, h := range d.hosts {
		if err := d.Store.NoteTaken(ctx, d.cred, h.ID); err != nil {
			t.Fatal(err)
		}
	}
	d.load(t)
	if trial, err := d.Store.BeginTrial(ctx, "a", d.cred, d.hosts[0].ID); err != nil || trial != (store.Trial{}) {
		t.Errorf("taken a moment ago: %+v, %v, want nothing to wait for", trial, err)
	}
	d.Admin(t, "UPDATE credential SET good_at = now() - interval '1 minute'")
	for i, came := range []store.Tried{store.TriedDoubt, store.TriedDoubt, store.TriedTaken, store.TriedDoubt, store.TriedNothing, store.TriedDoubt} {
		if got := d.barred(t); got != "" {
			t.Fatalf("before %d it is kept from %q", i, got)
		}
		h := d.hosts[[]int{0, 0, 2, 1, 2, 2}[i]]
		if trial, err := d.Store.BeginTrial(ctx, "a", d.cred, h.ID); err != nil || !trial.Mine {
			t.Fatalf("%d: BeginTrial = %+v, %v, want the trial", i, trial, err)
		}
		other, err := d.Store.BeginTrial(ctx, "b", d.cred, d.hosts[1].ID)
		if err != nil || other.Host != h.Name {
			t.Errorf("%d: meanwhile another gets %+v, %v, want to wait", i, other, err)
		}
		if err := d.Store.EndTrial(ctx, "a", d.cred, h.ID, came); err != nil {
			t.Fatal(err)
		}
		if came == store.TriedTaken {
			d.Admin(t, "UPDATE credential SET good_at = now() - interval '1 minute'")
		}
	}
	if got := d.barred(t); got != "CAS1 HUB1 MBX1" {
		t.Errorf("in the end it is kept from %q, want all", got)
	}
}
