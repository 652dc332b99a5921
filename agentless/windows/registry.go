package windows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wavekeeper/agentless/winrm"
)

// Hive is a root of the registry as StdRegProv numbers it.
type Hive uint32

// The hives. HKEY_USERS shows only the hives of users that are logged on.
const (
	LocalMachine Hive = 0x80000002
	Users        Hive = 0x80000003
)

// ErrNoKey says that a registry key or value does not exist.
var ErrNoKey = errors.New("no such registry key or value")

// ValueKind is the type of a registry value (REG_SZ is 1, and so on).
type ValueKind int

// The kinds that are read here.
const (
	String       ValueKind = 1
	ExpandString ValueKind = 2
	DWORD        ValueKind = 4
	MultiString  ValueKind = 7
)

// stdRegProv is in root/default on every Windows; on a 64-bit host its 64-bit
// provider serves WinRM, so keys are seen without redirection.
const stdRegProv = "root/default/StdRegProv"

// registry calls one method of StdRegProv. Its ReturnValue is a Win32 code:
// 0 done, 2 no such key or value, 5 access denied. Where the key is there and
// the value is not, reading answers 1 or 2; a 1 may also be another failure.
func (h *Host) registry(ctx context.Context, method string, hive Hive, key string, in ...winrm.Param) (winrm.Instance, error) {
	all := append([]winrm.Param{
		winrm.In("hDefKey", strconv.FormatUint(uint64(hive), 10)),
		winrm.In("sSubKeyName", key),
	}, in...)
	out, err := h.conn.Invoke(ctx, stdRegProv, nil, method, all)
	if err != nil {
		return nil, fmt.Errorf("registry key %s: %w", key, err)
	}
	code, ok := out.Int("ReturnValue")
	switch {
	case !ok:
		return nil, fmt.Errorf("registry key %s: %s returned no code", key, method)
	case code == 0:
		return out, nil
	case code == 1 && strings.HasPrefix(method, "Get"):
		return nil, h.unread(ctx, hive, key, in)
	case code == 2:
		return nil, fmt.Errorf("registry key %s: %w", key, ErrNoKey)
	case code == 5:
		return nil, fmt.Errorf("registry key %s: %w", key, winrm.ErrDenied)
	default:
		return nil, fmt.Errorf("registry key %s: %s returned %d", key, method, code)
	}
}

// unread says why a value was not read: ErrNoKey only when the key does not list it.
func (h *Host) unread(ctx context.Context, hive Hive, key string, in []winrm.Param) error {
	values, err := h.Values(ctx, hive, key)
	if err != nil {
		return err
	}
	for _, p := range in {
		for name := range values {
			if p.Name == "sValueName" && slices.ContainsFunc(p.Values, func(v string) bool { return strings.EqualFold(v, name) }) {
				return fmt.Errorf("registry key %s: value %s is there and could not be read", key, name)
			}
		}
	}
	return fmt.Errorf("registry key %s: %w", key, ErrNoKey)
}

// Keys lists the subkeys of a key.
func (h *Host) Keys(ctx context.Context, hive Hive, key string) ([]string, error) {
	out, err := h.registry(ctx, "EnumKey", hive, key)
	if err != nil {
		return nil, err
	}
	return out.Strings("sNames"), nil
}

// Values lists the values of a key with their kinds. A key without values
// answers with null arrays.
func (h *Host) Values(ctx context.Context, hive Hive, key string) (map[string]ValueKind, error) {
	out, err := h.registry(ctx, "EnumValues", hive, key)
	if err != nil {
		return nil, err
	}
	values, err := kindsOf(out)
	if err != nil {
		return nil, fmt.Errorf("registry key %s: %w", key, err)
	}
	return values, nil
}

// kindsOf pairs the two arrays by position: the default value's name is empty
// and may come as null, which must not shift the others.
func kindsOf(out winrm.Instance) (map[string]ValueKind, error) {
	names, kinds := out["sNames"], out["Types"]
	values := map[string]ValueKind{}
	for i, name := range names {
		if i >= len(kinds) || kinds[i].Nil {
			continue
		}
		kind, err := strconv.Atoi(strings.TrimSpace(kinds[i].Text))
		if err != nil {
			return nil, fmt.Errorf("kind of value %q: %w", name.Text, err)
		}
		values[name.Text] = ValueKind(kind)
	}
	return values, nil
}

// StringValue reads a REG_SZ or REG_EXPAND_SZ.
func (h *Host) StringValue(ctx context.Context, hive Hive, key, name string, kind ValueKind) (string, error) {
	method := "GetStringValue"
	if kind == ExpandString {
		method = "GetExpandedStringValue"
	}
	out, err := h.registry(ctx, method, hive, key, winrm.In("sValueName", name))
	if err != nil {
		return "", err
	}
	return out.Str("sValue"), nil
}

// DWORDValue reads a REG_DWORD.
func (h *Host) DWORDValue(ctx context.Context, hive Hive, key, name string) (uint32, error) {
	out, err := h.registry(ctx, "GetDWORDValue", hive, key, winrm.In("sValueName", name))
	if err != nil {
		return 0, err
	}
	v, ok := out.Int("uValue")
	if !ok || v < 0 || v > 0xffffffff {
		return 0, fmt.Errorf("registry value %s\\%s: %q is no DWORD", key, name, out.Str("uValue"))
	}
	return uint32(v), nil
}

// MultiStringValue reads a REG_MULTI_SZ.
func (h *Host) MultiStringValue(ctx context.Context, hive Hive, key, name string) ([]string, error) {
	out, err := h.registry(ctx, "GetMultiStringValue", hive, key, winrm.In("sValueName", name))
	if err != nil {
		return nil, err
	}
	return out.Strings("sValue"), nil
}

// SetDWORD writes a REG_DWORD.
func (h *Host) SetDWORD(ctx context.Context, hive Hive, key, name string, value uint32) error {
	_, err := h.registry(ctx, "SetDWORDValue", hive, key,
		winrm.In("sValueName", name), winrm.In("uValue", strconv.FormatUint(uint64(value), 10)))
	return err
}

// SetString writes a REG_SZ.
func (h *Host) SetString(ctx context.Context, hive Hive, key, name, value string) error {
	_, err := h.registry(ctx, "SetStringValue", hive, key, winrm.In("sValueName", name), winrm.In("sValue", value))
	return err
}

// DeleteValue removes a value; one that is not there is ErrNoKey.
func (h *Host) DeleteValue(ctx context.Context, hive Hive, key, name string) error {
	_, err := h.registry(ctx, "DeleteValue", hive, key, winrm.In("sValueName", name))
	return err
}
