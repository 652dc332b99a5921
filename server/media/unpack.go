package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// deltaManifest is in the cabinet of a package that holds differences only
// ("intra-package delta"; libmspack's issue 3 describes it).
const deltaManifest = "_sfx_manifest_"

// Unpack takes the cabinet out of a self-extracting package with cabextract,
// which finds it behind the program and reads MSZIP, LZX and Quantum. What it
// would unpack to is listed and bounded first, and watched meanwhile.
func Unpack(ctx context.Context, file, dir string) error {
	program, err := exec.LookPath("cabextract")
	if err != nil {
		return ErrNoUnpacker
	}
	full, err := filepath.Abs(file) // a name that begins with a dash is no option
	if err != nil {
		return told(file, err)
	}
	probe, err := os.Open(full)
	if err != nil {
		return told(file, err)
	}
	probe.Close()
	size, err := measure(ctx, program, full, dir)
	if err != nil {
		return err
	}
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go watch(working, dir, size, stop)
	cmd := command(working, program, "--quiet", "--directory", dir, "--", full)
	var said bytes.Buffer
	cmd.Stderr = &said
	err = cmd.Run()
	switch text := strings.ToLower(said.String()); {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(context.Cause(working), ErrTooMuch):
		return fmt.Errorf("%s: %w", file, ErrTooMuch)
	case strings.Contains(text, syscall.ENOSPC.Error()): // its words in the C locale
		return fmt.Errorf("%s: %w", dir, ErrNoRoom)
	case err != nil:
		return fmt.Errorf("%s: %w (cabextract: %s)", file, ErrDamaged, brief(said.String(), err))
	}
	if _, err := os.Stat(filepath.Join(dir, deltaManifest)); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", file, ErrDelta)
	}
	return nil
}

// brief is the first line of what a program said, or how it ended.
func brief(said string, err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	if line == "" {
		return err.Error()
	}
	return line[:min(len(line), 200)]
}
