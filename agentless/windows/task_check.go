package windows

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

// What an account's name and password may be long, in UTF-16 units: UNLEN with a
// NetBIOS domain (DNLEN) and a backslash before it, and PWLEN (lmcons.h).
const (
	longestAccount  = 256 + 1 + 15
	longestPassword = 256
)

// check refuses a task whose name, account or password no Windows would take,
// before anything of it is on the host.
func (t Task) check() error {
	if !taskName.MatchString(t.Name) {
		return fmt.Errorf("%q is no name of a host task", t.Name)
	}
	if t.Account == "" {
		return nil
	}
	if err := printable("run-as account", t.Account); err != nil {
		return err
	}
	if n := len(utf16.Encode([]rune(t.Account))); n > longestAccount {
		return fmt.Errorf("%w: %d characters, at most %d", ErrLongAccount, n, longestAccount)
	}
	if n := len(utf16.Encode([]rune(t.Password))); n > longestPassword {
		return fmt.Errorf("%w: %d characters, at most %d", ErrLongPassword, n, longestPassword)
	}
	return nil
}

// wanted are the task's files with their SHA-256, as task-check takes them.
func (t Task) wanted() string {
	files := maps.Clone(t.Files)
	if files == nil {
		files = map[string][]byte{}
	}
	files[bodyFile] = t.Body
	var out []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[name])
		out = append(out, name+"="+hex.EncodeToString(sum[:]))
	}
	return strings.Join(out, ";")
}

// bodyFile is the body's name in its task's folder.
const bodyFile = "body.cmd"

// CheckTask compares the files that a task runs with what was sent, on the host,
// and names those that are missing or another: a power loss can leave a file in
// its length and empty of content. It is for the moment before RunTask.
func (h *Host) CheckTask(ctx context.Context, t Task) (wrong []string, err error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("check task %s: %w", t.Name, err)
	}
	records, err := h.script(ctx, "task-check", t.Folder(), t.wanted())
	if err != nil {
		return nil, fmt.Errorf("check task %s: %w", t.Name, err)
	}
	return records.All("wrong"), nil
}
