package twin

import (
	"fmt"
	"sort"
	"strings"
)

// Types of registry values by their Windows numbers.
const (
	regSZ       = 1
	regExpandSZ = 2
	regBinary   = 3
	regDWORD    = 4
	regMultiSZ  = 7
)

var regTypeNames = map[int]string{
	regSZ: "REG_SZ", regExpandSZ: "REG_EXPAND_SZ", regBinary: "REG_BINARY", regDWORD: "REG_DWORD", regMultiSZ: "REG_MULTI_SZ",
}

// regKey is one key of the 64-bit view.
type regKey struct {
	Path   string               `json:"path"` // with its own spelling
	Values map[string]*regValue `json:"values,omitempty"`
}

// regValue is one value; which field holds it depends on the type.
type regValue struct {
	Name   string   `json:"name"`
	Type   int      `json:"type"`
	Text   string   `json:"text,omitempty"`
	Number uint32   `json:"number,omitempty"`
	Many   []string `json:"many,omitempty"`
	Bytes  []byte   `json:"bytes,omitempty"`
}

// plain is the value as the journal shows it.
func (v *regValue) plain() any {
	switch {
	case v == nil:
		return nil
	case v.Type == regDWORD:
		return v.Number
	case v.Type == regMultiSZ:
		return v.Many
	case v.Type == regBinary:
		return fmt.Sprintf("%x", v.Bytes)
	}
	return v.Text
}

// Return codes of the registry, which StdRegProv passes on.
const (
	regOK       = 0
	regNotFound = 2
	regDenied   = 5
)

// Security identifiers of the accounts that programs run as.
const (
	sidSystem     = "S-1-5-18"
	sidDomainUser = "S-1-5-21-2052111302-854245398-1957994488-1642"
	sidWinRM      = "S-1-5-21-1004336348-1177238915-682003330-500"
	sidRunAs      = "S-1-5-21-2052111302-1275210071-1644491937-1142"
)

var rootNames = map[string]string{
	"hklm": "HKLM", "hkey_local_machine": "HKLM", "hku": "HKU", "hkey_users": "HKU",
	"hkcu": "HKCU", "hkey_current_user": "HKCU", "hkcr": "HKCR", "hkey_classes_root": "HKCR",
}

// regPath resolves a path to the tree: roots by either name, HKCU to the
// caller's hive, HKCR to the machine's classes. "" is not a path, and a hive
// that is not loaded is not there.
func (h *host) regPath(path, sid string) string {
	path = strings.Trim(path, `\`)
	root, rest, _ := strings.Cut(path, `\`)
	name, ok := rootNames[strings.ToLower(root)]
	if !ok {
		return ""
	}
	switch name {
	case "HKCU":
		name = `HKU\` + sid
	case "HKCR":
		name = `HKLM\SOFTWARE\Classes`
	}
	full := name
	if rest = strings.Trim(rest, `\`); rest != "" {
		full += `\` + rest
	}
	low := strings.ToLower(full)
	if low == `hku\.default` || strings.HasPrefix(low, `hku\.default\`) {
		full = `HKU\` + sidSystem + full[len(`HKU\.DEFAULT`):]
		low = strings.ToLower(full)
	}
	runAs := strings.ToLower(`HKU\` + sidRunAs)
	if h.runAsTasks == 0 && (low == runAs || strings.HasPrefix(low, runAs+`\`)) {
		return "" // loaded only while the account is logged on
	}
	return full
}

// regHas reports whether a resolved path is a key; the caller holds the lock,
// as for every function here.
func (h *host) regHas(path string) bool {
	low := strings.ToLower(path)
	if low == "hklm" || low == "hku" {
		return true
	}
	_, ok := h.state.Registry[low]
	return ok
}

// regSubkeys lists the names of a key's direct subkeys.
func (h *host) regSubkeys(path string) []string {
	prefix := strings.ToLower(path) + `\`
	seen := map[string]string{}
	for low, k := range h.state.Registry {
		if !strings.HasPrefix(low, prefix) || strings.Contains(low[len(prefix):], `\`) {
			continue
		}
		name := k.Path[len(prefix):]
		if prefix == `hku\` && strings.EqualFold(name, sidRunAs) && h.runAsTasks == 0 {
			continue
		}
		seen[strings.ToLower(name)] = name
	}
	names := make([]string, 0, len(seen))
	for _, n := range seen {
		names = append(names, n)
	}
	sort.Slice(names, func(i, j int) bool { return strings.ToLower(names[i]) < strings.ToLower(names[j]) })
	return names
}

// regValues lists a key's values by name.
func (h *host) regValues(path string) []*regValue {
	k := h.state.Registry[strings.ToLower(path)]
	if k == nil {
		return nil
	}
	all := make([]*regValue, 0, len(k.Values))
	for _, v := range k.Values {
		all = append(all, v)
	}
	sort.Slice(all, func(i, j int) bool { return strings.ToLower(all[i].Name) < strings.ToLower(all[j].Name) })
	return all
}

func (h *host) regGet(path, name string) *regValue {
	k := h.state.Registry[strings.ToLower(path)]
	if k == nil {
		return nil
	}
	return k.Values[strings.ToLower(name)]
}

// regMake makes a key and those above it.
func (h *host) regMake(path string) {
	parts := strings.Split(path, `\`)
	for i := 2; i <= len(parts); i++ {
		p := strings.Join(parts[:i], `\`)
		low := strings.ToLower(p)
		if h.state.Registry[low] == nil {
			h.state.Registry[low] = &regKey{Path: p}
		}
	}
}

// regPut sets a value without journaling: how the machine came to be.
func (h *host) regPut(path string, v regValue) {
	h.regMake(path)
	k := h.state.Registry[strings.ToLower(path)]
	if k.Values == nil {
		k.Values = map[string]*regValue{}
	}
	k.Values[strings.ToLower(v.Name)] = &v
}

// regSet sets a value and journals the change.
func (h *host) regSet(path string, v regValue) {
	old := h.regGet(path, v.Name)
	h.regPut(path, v)
	if old != nil && old.Type == v.Type && fmt.Sprint(old.plain()) == fmt.Sprint(v.plain()) {
		return
	}
	h.changed(path, v.Name, old.plain(), v.plain())
}

// regDelete deletes a value and journals it; false when it was not there.
func (h *host) regDelete(path, name string) bool {
	old := h.regGet(path, name)
	if old == nil {
		return false
	}
	delete(h.state.Registry[strings.ToLower(path)].Values, strings.ToLower(name))
	h.changed(path, name, old.plain(), nil)
	return true
}

// regDeleteKey deletes a key with all below it.
func (h *host) regDeleteKey(path string) bool {
	low := strings.ToLower(path)
	if h.state.Registry[low] == nil {
		return false
	}
	for p, k := range h.state.Registry {
		if p == low || strings.HasPrefix(p, low+`\`) {
			for _, v := range k.Values {
				h.changed(k.Path, v.Name, v.plain(), nil)
			}
			delete(h.state.Registry, p)
		}
	}
	return true
}

func (h *host) changed(path, name string, old, now any) {
	h.happened("registry-changed", map[string]any{"key": path, "value": name, "old": old, "new": now})
}

func text(name, s string) regValue         { return regValue{Name: name, Type: regSZ, Text: s} }
func dword(name string, n uint32) regValue { return regValue{Name: name, Type: regDWORD, Number: n} }
