package windows

import (
	"context"
	"fmt"
	"strconv"

	"wavekeeper/agentless/winrm"
)

// The kinds of values that are read beside those of registry.go.
const (
	Binary ValueKind = 3
	QWORD  ValueKind = 11
)

// BinaryValue reads a REG_BINARY; StdRegProv gives its bytes one by one.
func (h *Host) BinaryValue(ctx context.Context, hive Hive, key, name string) ([]byte, error) {
	out, err := h.registry(ctx, "GetBinaryValue", hive, key, winrm.In("sValueName", name))
	if err != nil {
		return nil, err
	}
	var value []byte
	for _, text := range out.Strings("uValue") {
		b, err := strconv.ParseUint(text, 10, 8)
		if err != nil {
			return nil, fmt.Errorf("registry value %s\\%s: %q is no byte", key, name, text)
		}
		value = append(value, byte(b))
	}
	return value, nil
}

// QWORDValue reads a REG_QWORD, which StdRegProv does from Windows Server 2008
// on; before, there is no such method and a fault is what comes.
func (h *Host) QWORDValue(ctx context.Context, hive Hive, key, name string) (uint64, error) {
	out, err := h.registry(ctx, "GetQWORDValue", hive, key, winrm.In("sValueName", name))
	if err != nil {
		return 0, err
	}
	v, ok := out.Uint("uValue")
	if !ok {
		return 0, fmt.Errorf("registry value %s\\%s: %q is no QWORD", key, name, out.Str("uValue"))
	}
	return v, nil
}
