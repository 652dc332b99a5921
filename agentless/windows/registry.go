package windows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

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
	out, err := h.invoke(ctx, stdRegProv, method, all)
	if err != nil {
		return nil, fmt.Errorf("registry key %s: %w", key, err)
	}
	code, ok := out.Int("ReturnValue")
	switch {
	case !ok:
		return nil, &NoWMI{Why: fmt.Errorf("registry key %s: %s returned no code", key, method)}
	case code == 0:
		return out, nil
	case code == 1 && strings.HasPrefix(method, "Get"):
		return nil, h.unread(ctx, hive, key, in)
	case code == 2:
		return nil, fmt.Errorf("registry key %s: %w", key, ErrNoKey)
	case code == 5:
		return nil, fmt.Errorf("registry key %s: %w", key, winrm.ErrDenied)
	default:
		return nil, fmt.Errorf("registry key %s: %w", key, winrm.Returned(stdRegProv, method, out))
	}
}

// unread says why a value was not read: ErrNoKey only when the key does not list it.
func (h *Host) unread(ctx context.Context, hive Hive, key string, in []winrm.Param) error {
	values, err := h.valuesByWMI(ctx, hive, key)
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

// theRegistry is the registry in Without.
const theRegistry = "registry"

// Keys lists the subkeys of a key.
func (h *Host) Keys(ctx context.Context, hive Hive, key string) ([]string, error) {
	return either(ctx, h, theRegistry, func(ctx context.Context) ([]string, error) {
		return h.keysByWMI(ctx, hive, key)
	}, func(ctx context.Context) ([]string, error) {
		_, keys, err := h.regRead(ctx, hive, key)
		return keys, err
	})
}

func (h *Host) keysByWMI(ctx context.Context, hive Hive, key string) ([]string, error) {
	out, err := h.registry(ctx, "EnumKey", hive, key)
	if err != nil {
		return nil, err
	}
	return out.Strings("sNames"), nil
}

// Values lists the values of a key with their kinds. A key without values
// answers with null arrays.
func (h *Host) Values(ctx context.Context, hive Hive, key string) (map[string]ValueKind, error) {
	return either(ctx, h, theRegistry, func(ctx context.Context) (map[string]ValueKind, error) {
		return h.valuesByWMI(ctx, hive, key)
	}, func(ctx context.Context) (map[string]ValueKind, error) {
		values, _, err := h.regRead(ctx, hive, key)
		if err != nil {
			return nil, err
		}
		kinds := map[string]ValueKind{}
		for _, v := range values {
			kinds[v.name] = v.valueKind()
		}
		return kinds, nil
	})
}

func (h *Host) valuesByWMI(ctx context.Context, hive Hive, key string) (map[string]ValueKind, error) {
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

// StringValue reads a REG_SZ or REG_EXPAND_SZ; without WMI the second comes
// unexpanded.
func (h *Host) StringValue(ctx context.Context, hive Hive, key, name string, kind ValueKind) (string, error) {
	return h.stringValue(ctx, theRegistry, hive, key, name, kind)
}

func (h *Host) stringValue(ctx context.Context, noun string, hive Hive, key, name string, kind ValueKind) (string, error) {
	return either(ctx, h, noun, func(ctx context.Context) (string, error) {
		return h.stringByWMI(ctx, hive, key, name, kind)
	}, func(ctx context.Context) (string, error) {
		v, err := h.regValue(ctx, hive, key, name, kind)
		return v.data, err
	})
}

func (h *Host) stringByWMI(ctx context.Context, hive Hive, key, name string, kind ValueKind) (string, error) {
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

// regValue reads one value of a kind without WMI.
func (h *Host) regValue(ctx context.Context, hive Hive, key, name string, kind ValueKind) (regValue, error) {
	values, _, err := h.regRead(ctx, hive, key)
	if err != nil {
		return regValue{}, err
	}
	v, there := findValue(values, name)
	switch {
	case !there:
		return regValue{}, fmt.Errorf("registry key %s: %w", key, ErrNoKey)
	case v.kind != kindNames[kind] && (kind != String || v.kind != kindNames[ExpandString]):
		return regValue{}, fmt.Errorf("registry key %s: value %s is a %s, not a %s", key, name, v.kind, kindNames[kind])
	}
	return v, nil
}

// DWORDValue reads a REG_DWORD.
func (h *Host) DWORDValue(ctx context.Context, hive Hive, key, name string) (uint32, error) {
	return either(ctx, h, theRegistry, func(ctx context.Context) (uint32, error) {
		return h.dwordByWMI(ctx, hive, key, name)
	}, func(ctx context.Context) (uint32, error) {
		v, err := h.regValue(ctx, hive, key, name, DWORD)
		if err != nil {
			return 0, err
		}
		n, err := v.number()
		if err != nil {
			return 0, fmt.Errorf("registry value %s\\%s: %q is no DWORD", key, name, v.data)
		}
		return n, nil
	})
}

func (h *Host) dwordByWMI(ctx context.Context, hive Hive, key, name string) (uint32, error) {
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

// MultiStringValue reads a REG_MULTI_SZ. Without WMI its parts come between the
// signs \0, which may also stand in a part.
func (h *Host) MultiStringValue(ctx context.Context, hive Hive, key, name string) ([]string, error) {
	return either(ctx, h, theRegistry, func(ctx context.Context) ([]string, error) {
		out, err := h.registry(ctx, "GetMultiStringValue", hive, key, winrm.In("sValueName", name))
		if err != nil {
			return nil, err
		}
		return out.Strings("sValue"), nil
	}, func(ctx context.Context) ([]string, error) {
		v, err := h.regValue(ctx, hive, key, name, MultiString)
		if err != nil {
			return nil, err
		}
		text := strings.TrimSuffix(strings.TrimSuffix(v.data, `\0`), `\0`)
		if text == "" {
			return nil, nil
		}
		return strings.Split(text, `\0`), nil
	})
}

// SetDWORD writes a REG_DWORD.
func (h *Host) SetDWORD(ctx context.Context, hive Hive, key, name string, value uint32) error {
	number := strconv.FormatUint(uint64(value), 10)
	return h.set(ctx, func(ctx context.Context) error {
		_, err := h.registry(ctx, "SetDWORDValue", hive, key, winrm.In("sValueName", name), winrm.In("uValue", number))
		return err
	}, func(ctx context.Context) error { return h.regAdd(ctx, hive, key, name, kindNames[DWORD], number) })
}

// SetString writes a REG_SZ.
func (h *Host) SetString(ctx context.Context, hive Hive, key, name, value string) error {
	return h.set(ctx, func(ctx context.Context) error {
		_, err := h.registry(ctx, "SetStringValue", hive, key, winrm.In("sValueName", name), winrm.In("sValue", value))
		return err
	}, func(ctx context.Context) error { return h.regAdd(ctx, hive, key, name, kindNames[String], value) })
}

// DeleteValue removes a value; one that is not there is ErrNoKey.
func (h *Host) DeleteValue(ctx context.Context, hive Hive, key, name string) error {
	return h.set(ctx, func(ctx context.Context) error {
		_, err := h.registry(ctx, "DeleteValue", hive, key, winrm.In("sValueName", name))
		return err
	}, func(ctx context.Context) error { return h.regDelete(ctx, hive, key, name) })
}

// set changes the registry by WMI or by reg.exe. A change that WMI hung over may
// still come about: it is not made the other way at once, only when WMI is known
// to hang and was not asked.
func (h *Host) set(ctx context.Context, byWMI, without func(context.Context) error) error {
	asked := h.known.resting(time.Now()) == nil
	_, err := either(ctx, h, theRegistry, func(ctx context.Context) (struct{}, error) {
		err := byWMI(ctx)
		var no *NoWMI
		if asked && errors.As(err, &no) && no.Hung {
			err = fmt.Errorf("%w: whether it was changed is not known", winrm.ErrTimeout)
		}
		return struct{}{}, err
	}, func(ctx context.Context) (struct{}, error) { return struct{}{}, without(ctx) })
	return err
}
