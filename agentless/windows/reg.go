package windows

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"wavekeeper/agentless/winrm"
)

// The registry without WMI: reg.exe. It is decided by the names of keys, values
// and kinds, which Windows does not translate; its exit code is 1 for whatever
// went wrong, so that a key is only believed not to be there when its parent
// does not list it.

// hiveNames are reg.exe's names of the hives.
var hiveNames = map[Hive]string{LocalMachine: "HKLM", Users: "HKU"}

// kindNames are reg.exe's names of the kinds of registry values.
var kindNames = map[ValueKind]string{
	String: "REG_SZ", ExpandString: "REG_EXPAND_SZ", 3: "REG_BINARY", DWORD: "REG_DWORD", MultiString: "REG_MULTI_SZ", 11: "REG_QWORD",
}

// regValue is one value as reg.exe prints it.
type regValue struct {
	name, kind, data string
}

// regKey is one key as reg.exe prints it.
type regKey struct {
	name   string // full, "HKEY_LOCAL_MACHINE\SOFTWARE"
	values []regValue
}

// regLine is one value in the output of reg.exe query: between tabs on Windows
// Server 2003, between four blanks later on.
var regLine = regexp.MustCompile(`^ {4}(.*?)(?:\t| {4})(REG_[A-Z_]+)(?:(?:\t| {4})(.*))?$`)

// regKeys reads the output of reg.exe query: a line with a key's full name, then
// its values. The default value's name is a word in Windows' language, in angle
// brackets on Windows Server 2003 and in round ones later on: it becomes "".
func regKeys(out string) []regKey {
	var keys []regKey
	for _, line := range strings.Split(out, "\n") {
		line = strings.TrimRight(line, "\r")
		if strings.HasPrefix(line, "HKEY_") {
			keys = append(keys, regKey{name: strings.TrimRight(line, " ")})
			continue
		}
		f := regLine.FindStringSubmatch(line)
		if f == nil || len(keys) == 0 {
			continue
		}
		if n := f[1]; len(n) > 1 && (n[0] == '<' && n[len(n)-1] == '>' || n[0] == '(' && n[len(n)-1] == ')') {
			f[1] = ""
		}
		last := &keys[len(keys)-1]
		last.values = append(last.values, regValue{f[1], f[2], f[3]})
	}
	return keys
}

// number reads a DWORD, which reg.exe prints as 0x and hexadecimal digits.
func (v regValue) number() (uint32, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(v.data), 0, 32)
	return uint32(n), err
}

// valueKind is StdRegProv's number of the kind; 0 when it has none.
func (v regValue) valueKind() ValueKind {
	for kind, name := range kindNames {
		if name == v.kind {
			return kind
		}
	}
	return 0
}

// text is a value of any kind as text: a number in decimal.
func (v regValue) text() string {
	if v.kind == "REG_DWORD" {
		if n, err := v.number(); err == nil {
			return strconv.FormatUint(uint64(n), 10)
		}
	}
	return v.data
}

// regTree reads a key with everything below it.
func (h *Host) regTree(ctx context.Context, hive Hive, key string) ([]regKey, error) {
	return h.regQuery(ctx, hive, key, "/s")
}

// regRead reads one key: its values and the names of its subkeys.
func (h *Host) regRead(ctx context.Context, hive Hive, key string) (values []regValue, subkeys []string, err error) {
	keys, err := h.regQuery(ctx, hive, key)
	if err != nil {
		return nil, nil, err
	}
	for _, k := range keys {
		_, below, ok := cutFold(k.name+`\`, `\`+key+`\`)
		switch below = strings.TrimSuffix(below, `\`); {
		case !ok:
		case below == "":
			values = k.values
		case !strings.Contains(below, `\`):
			subkeys = append(subkeys, below)
		}
	}
	return values, subkeys, nil
}

// regQuery runs reg.exe query; ErrNoKey when the key is not there.
func (h *Host) regQuery(ctx context.Context, hive Hive, key string, more ...string) ([]regKey, error) {
	result, err := h.regRun(ctx, "query", h.readable(ctx, key), append([]string{hiveNames[hive] + `\` + key}, more...)...)
	if err != nil {
		return nil, err
	}
	if result.Exit == 0 {
		out, _ := result.Text()
		return regKeys(out), nil
	}
	if absent, err := h.regAbsent(ctx, hive, key); err != nil {
		return nil, err
	} else if absent {
		return nil, fmt.Errorf("registry key %s: %w", key, ErrNoKey)
	}
	return nil, fmt.Errorf("registry key %s: reg.exe query ended with %d", key, result.Exit)
}

// regAbsent reports whether a key that could not be read is not there: a key
// above it can be read, and does not list the next one on the way.
func (h *Host) regAbsent(ctx context.Context, hive Hive, key string) (bool, error) {
	i := strings.LastIndexByte(key, '\\')
	if i < 0 {
		return false, nil // a root's own key: reg.exe is what fails
	}
	parent, name := key[:i], key[i+1:]
	_, keys, err := h.regRead(ctx, hive, parent)
	if errors.Is(err, ErrNoKey) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	for _, k := range keys {
		if strings.EqualFold(k, name) {
			return false, nil
		}
	}
	return true, nil
}

// readable is the code page in which names and texts of the registry come
// unharmed, 0 where the shell's own does: Windows before 6.1 prints in the
// host's. The question for it is asked without.
func (h *Host) readable(ctx context.Context, key string) int {
	if strings.EqualFold(key, keyCodePage) || strings.HasPrefix(strings.ToLower(keyCodePage), strings.ToLower(key)+`\`) {
		return 0
	}
	id, err := h.conn.Identity(ctx)
	if err != nil || id.CodePage() != unitedStates {
		return 0
	}
	page, err := h.OEMCodePage(ctx)
	if err != nil {
		return 0 // what decides is ASCII
	}
	return page
}

// regAdd writes a value of a key that is there; reg.exe would make the key.
func (h *Host) regAdd(ctx context.Context, hive Hive, key, name, kind, data string) error {
	if _, _, err := h.regRead(ctx, hive, key); err != nil {
		return err
	}
	result, err := h.regRun(ctx, "add", 0, hiveNames[hive]+`\`+key, "/v", name, "/t", kind, "/d", data, "/f")
	if err == nil && result.Exit != 0 {
		err = fmt.Errorf("registry key %s: reg.exe add ended with %d", key, result.Exit)
	}
	return err
}

// regDelete deletes a value; ErrNoKey when it or its key is not there.
func (h *Host) regDelete(ctx context.Context, hive Hive, key, name string) error {
	result, err := h.regRun(ctx, "delete", 0, hiveNames[hive]+`\`+key, "/v", name, "/f")
	if err != nil || result.Exit == 0 {
		return err
	}
	values, _, err := h.regRead(ctx, hive, key)
	if err != nil {
		return err
	}
	if _, there := findValue(values, name); !there {
		return fmt.Errorf("registry key %s: %w", key, ErrNoKey)
	}
	return fmt.Errorf("registry key %s: reg.exe delete ended with %d", key, result.Exit)
}

func findValue(values []regValue, name string) (regValue, bool) {
	for _, v := range values {
		if strings.EqualFold(v.name, name) {
			return v, true
		}
	}
	return regValue{}, false
}

// regRun runs reg.exe without cmd.exe, so that nothing in a value is expanded.
func (h *Host) regRun(ctx context.Context, verb string, page int, words ...string) (winrm.Result, error) {
	args := []string{verb}
	for _, word := range words {
		if len(word) == 2 && word[0] == '/' {
			args = append(args, word)
			continue
		}
		quoted, err := argument(word)
		if err != nil {
			return winrm.Result{}, fmt.Errorf("reg.exe %s: %w", verb, err)
		}
		args = append(args, quoted)
	}
	result, err := h.run(ctx, winrm.Command{Line: "reg.exe", Args: args, SkipShell: true, Stdin: []byte{}, CodePage: page})
	if err != nil {
		return winrm.Result{}, fmt.Errorf("reg.exe %s: %w", verb, err)
	}
	return result, nil
}
