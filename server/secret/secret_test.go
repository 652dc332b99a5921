package secret_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"wavekeeper/server/secret"
)

func load(t *testing.T, path string) *secret.Key {
	t.Helper()
	key, err := secret.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSealedOpensOnlyForItsProfileAndPurpose(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "key")
	key := load(t, path)
	sealed, err := key.Seal([]byte("Übung"), 3, "winrm")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("bung")) {
		t.Error("the sealed bytes hold the secret")
	}
	again := load(t, path)
	plain, err := again.Open(sealed, key.ID(), 3, "winrm")
	if err != nil || string(plain) != "Übung" {
		t.Errorf("Open = %q, %v, want the secret", plain, err)
	}
	for _, tc := range []struct {
		profile int64
		purpose string
	}{{4, "winrm"}, {3, "runas"}, {31, "winrm"}} {
		if _, err := again.Open(sealed, key.ID(), tc.profile, tc.purpose); err == nil {
			t.Errorf("Open for profile %d and %s worked, want a refusal", tc.profile, tc.purpose)
		}
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := again.Open(sealed, key.ID(), 3, "winrm"); err == nil {
		t.Error("altered bytes were opened")
	}
	if _, err := again.Open(sealed[:5], key.ID(), 3, "winrm"); err == nil {
		t.Error("cut off bytes were opened")
	}
	other := load(t, filepath.Join(t.TempDir(), "key"))
	if _, err := other.Open(sealed, key.ID(), 3, "winrm"); !errors.Is(err, secret.ErrOtherKey) {
		t.Errorf("Open under another key: %v, want ErrOtherKey", err)
	}
}

func TestKeyFileOfLaxModeOrOtherContentIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	load(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file has mode %v, %v, want 600", info.Mode(), err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o622} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := secret.Load(path); err == nil || !strings.Contains(err.Error(), "0600") {
			t.Errorf("Load with mode %o: %v, want a refusal", mode, err)
		}
	}
	for _, content := range []string{"", "wavekeeper-key/1\nabcd\n", strings.Repeat("0", 64)} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := secret.Load(path); err == nil {
			t.Errorf("Load of %q worked, want a refusal", content)
		}
	}
}

func TestProgramsThatStartAtOnceShareOneKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	var ids sync.Map
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			key, err := secret.Load(path)
			if err != nil {
				t.Error(err)
				return
			}
			ids.Store(key.ID(), true)
		})
	}
	wait.Wait()
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d different keys were made, want 1", n)
	}
}

func TestDerivedSecretsAreOnesOwn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	key, again, other := load(t, path), load(t, path), load(t, filepath.Join(t.TempDir(), "key"))
	one := key.Derive("media/1 7")
	if len(one) != 32 || !bytes.Equal(one, again.Derive("media/1 7")) {
		t.Errorf("Derive = %x and %x, want the same 32 bytes", one, again.Derive("media/1 7"))
	}
	for name, b := range map[string][]byte{"another purpose": key.Derive("media/1 8"), "another key": other.Derive("media/1 7")} {
		if bytes.Equal(one, b) {
			t.Errorf("%s derives the same", name)
		}
	}
	if file, err := os.ReadFile(path); err != nil || strings.Contains(string(file), string(one)) {
		t.Errorf("the key is what is derived, %v", err)
	}
}
