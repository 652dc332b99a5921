package windows

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
)

// exchangeKey holds one subkey per installed role; subkeys are enumerated, the
// names of roles are not known here. Source: the founding document; domain.md 3.1.
const exchangeKey = `SOFTWARE\Microsoft\Exchange\v8.0`

// keyLanguagePacks has one value for each Unified Messaging language pack.
const keyLanguagePacks = exchangeKey + `\UnifiedMessagingRole\LanguagePacks`

// Role is what the registry says of one installed role.
type Role struct {
	Configured string `json:"configured"`
	Unpacked   string `json:"unpacked"`
	Action     string `json:"action"`    // only while Setup runs or after it broke
	Watermark  string `json:"watermark"` // the same
}

// fill puts a value where its name belongs and reports whether it did.
func (r *Role) fill(name, value string) bool {
	switch strings.ToLower(name) {
	case "configuredversion":
		r.Configured = value
	case "unpackedversion":
		r.Unpacked = value
	case "action":
		r.Action = value
	case "watermark":
		r.Watermark = value
	default:
		return false
	}
	return true
}

// roleName turns a key's name into the role's: ClientAccessRole is ClientAccess.
func roleName(key string) string { return strings.TrimSuffix(key, "Role") }

// Roles reads every role's values, by role name.
func (h *Host) Roles(ctx context.Context) (map[string]Role, error) {
	return either(ctx, h, "roles", h.rolesByWMI, h.rolesByReg)
}

func (h *Host) rolesByWMI(ctx context.Context) (map[string]Role, error) {
	roles := map[string]Role{}
	keys, err := h.keysByWMI(ctx, LocalMachine, exchangeKey)
	if errors.Is(err, ErrNoKey) {
		return roles, nil
	}
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		path := exchangeKey + `\` + key
		values, err := h.valuesByWMI(ctx, LocalMachine, path)
		if errors.Is(err, ErrNoKey) {
			continue // the key went away between two questions
		}
		if err != nil {
			return nil, err
		}
		var role Role
		found := false
		for name, kind := range values {
			if !(&Role{}).fill(name, "") {
				continue
			}
			text, err := h.text(ctx, path, name, kind)
			if errors.Is(err, ErrNoKey) {
				continue
			}
			if err != nil {
				return nil, err
			}
			found = role.fill(name, text) || found
		}
		if found {
			roles[roleName(key)] = role
		}
	}
	return roles, nil
}

// text reads a value of any kind that a version or a marker may have, by WMI.
func (h *Host) text(ctx context.Context, key, name string, kind ValueKind) (string, error) {
	if kind == DWORD {
		v, err := h.dwordByWMI(ctx, LocalMachine, key, name)
		return fmt.Sprint(v), err
	}
	return h.stringByWMI(ctx, LocalMachine, key, name, kind)
}

// rolesByReg is the way without WMI: one question for all of them.
func (h *Host) rolesByReg(ctx context.Context) (map[string]Role, error) {
	keys, err := h.regTree(ctx, LocalMachine, exchangeKey)
	if errors.Is(err, ErrNoKey) {
		return map[string]Role{}, nil
	}
	return rolesOf(keys), err
}

// rolesOf are the roles in what reg.exe said of the role keys.
func rolesOf(keys []regKey) map[string]Role {
	roles := map[string]Role{}
	for _, k := range keys {
		_, below, ok := cutFold(k.name, exchangeKey+`\`)
		if !ok || strings.Contains(below, `\`) {
			continue
		}
		role, found := Role{}, false
		for _, v := range k.values {
			found = role.fill(v.name, v.text()) || found
		}
		if found {
			roles[roleName(below)] = role
		}
	}
	return roles
}

// cutFold is strings.Cut without regard to case of ASCII letters.
func cutFold(s, sep string) (before, after string, found bool) {
	i := strings.Index(strings.ToLower(s), strings.ToLower(sep))
	if i < 0 || i+len(sep) > len(s) {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// InstallPath is where Exchange is installed, or "".
func (h *Host) InstallPath(ctx context.Context) (string, error) {
	path, err := h.StringValue(ctx, LocalMachine, exchangeKey+`\Setup`, "MsiInstallPath", String)
	if errors.Is(err, ErrNoKey) {
		path, err = h.StringValue(ctx, LocalMachine, `SOFTWARE\Microsoft\Exchange\Setup`, "MsiInstallPath", String)
	}
	if errors.Is(err, ErrNoKey) {
		return "", nil
	}
	return path, err
}

// UMLanguagePacks lists the cultures of the installed Unified Messaging
// language packs; empty where the role is not installed. Source: domain.md 3.4,
// by analogy with later versions (decompiled Setup of v15, GetInstalledUmLanguagePacks).
func (h *Host) UMLanguagePacks(ctx context.Context) ([]string, error) {
	values, err := h.Values(ctx, LocalMachine, keyLanguagePacks)
	if errors.Is(err, ErrNoKey) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	packs := make([]string, 0, len(values))
	for name := range values {
		if name != "" { // the key's default value
			packs = append(packs, name)
		}
	}
	sort.Strings(packs)
	return packs, nil
}
