package windows

import (
	"context"
	"errors"
	"fmt"
)

// ErrHasSubkeys says that a key cannot be deleted before those below it.
var ErrHasSubkeys = errors.New("the registry key has keys below it")

// CreateKey makes a registry key; one that is there is fine.
func (h *Host) CreateKey(ctx context.Context, hive Hive, key string) error {
	return h.set(ctx, func(ctx context.Context) error {
		_, err := h.registry(ctx, "CreateKey", hive, key)
		return err
	}, func(ctx context.Context) error {
		result, err := h.regRun(ctx, "add", 0, hiveNames[hive]+`\`+key, "/f")
		if err == nil && result.Exit != 0 {
			err = fmt.Errorf("registry key %s: reg.exe add ended with %d", key, result.Exit)
		}
		return err
	})
}

// DeleteKey deletes a key with its values, and never one with keys below it:
// reg.exe would take those along, and so it is asked first. A key that is not
// there is ErrNoKey.
func (h *Host) DeleteKey(ctx context.Context, hive Hive, key string) error {
	below, err := h.Keys(ctx, hive, key)
	if err != nil {
		return err
	}
	if len(below) > 0 {
		return fmt.Errorf("registry key %s: %w", key, ErrHasSubkeys)
	}
	return h.set(ctx, func(ctx context.Context) error {
		_, err := h.registry(ctx, "DeleteKey", hive, key)
		return err
	}, func(ctx context.Context) error {
		result, err := h.regRun(ctx, "delete", 0, hiveNames[hive]+`\`+key, "/f")
		if err == nil && result.Exit != 0 {
			err = fmt.Errorf("registry key %s: reg.exe delete ended with %d", key, result.Exit)
		}
		return err
	})
}
