package store_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"wavekeeper/migrations"
	"wavekeeper/server/localpg"
	"wavekeeper/server/store"
)

// TestStoreOutlivesAKilledPostgres writes decisions while the postmaster is
// killed: what was confirmed is there afterwards, and the chain is whole.
func TestStoreOutlivesAKilledPostgres(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "wk-kill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	server, err := localpg.Start(t.Context(), localpg.Options{Dir: filepath.Join(dir, "pg")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	if _, err := store.Migrate(t.Context(), server.OwnerURL(), localpg.AppRole, migrations.FS); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), server.AppURL())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()

	confirmed := int64(0)
	write := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := s.Note(ctx, erika, store.Record{What: "test", Subject: "kill"})
		if err == nil {
			confirmed++
		}
		return err
	}
	for range 20 {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(server.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(60 * time.Second)
	for after := 0; after < 20; {
		if err := write(); err == nil {
			after++
		} else if time.Now().After(deadline) {
			t.Fatalf("a minute after the kill: %v", err)
		}
	}
	n, err := s.VerifyAudit(t.Context())
	if err != nil || n < confirmed {
		t.Errorf("the record holds %d entries, %v, want the %d that were confirmed", n, err, confirmed)
	}
}
