package runbook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"wavekeeper/agentless/windows"
)

// wrongStreamingKey is what a widespread .reg text makes: it splits the name of
// the value "Enable Remote Streaming Backup" of the key ParametersSystem in the
// wrong place. Nothing reads it. Source: the founding document holds both
// spellings; domain.md 8.1 of the project's dossier says which is right.
const wrongStreamingKey = `SYSTEM\CurrentControlSet\Services\MSExchangeIS\ParametersSystem/Enable`

// RegistryKeyEntry is the kind of a change that removed a registry key; Before:
// values, as JSON of keptValue.
const RegistryKeyEntry = "registry-key"

// keptValue is one value of a key that was removed.
type keptValue struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // REG_DWORD, REG_SZ
	Data string `json:"data"`
}

// The kinds of values that can be put back as they were.
const (
	regDWORD  = "REG_DWORD"
	regString = "REG_SZ"
)

// cleanStreamingKey removes the wrongly spelled key, after its values are on record.
func cleanStreamingKey(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	values, err := keyValues(ctx, w.Host, wrongStreamingKey)
	var odd *oddValueError
	switch {
	case errors.Is(err, windows.ErrNoKey):
		words := "The wrong key is not there: nothing was done"
		if len(w.Ledger) > 0 {
			words = "The wrong key is gone; its values are on record"
		}
		return Outcome{Kind: Done, Percent: 100, Message: words}, nil
	case errors.As(err, &odd):
		return Outcome{Kind: Failed, Message: odd.Error(), Remedy: "Look at HKEY_LOCAL_MACHINE\\" + wrongStreamingKey + ": it is not what is known of it, and was left alone."}, nil
	case err != nil:
		return trouble("read the wrong key", err)
	}
	text, err := json.Marshal(values)
	if err != nil {
		return Outcome{}, fmt.Errorf("encode values: %w", err)
	}
	if err := w.change(ctx, Entry{
		Kind: RegistryKeyEntry, Name: wrongStreamingKey, Before: map[string]string{"values": string(text)}, Meant: map[string]string{"key": "absent"},
	}); err != nil {
		return Outcome{}, err
	}
	if err := w.intend(ctx, "delete registry key "+wrongStreamingKey); err != nil {
		return Outcome{}, err
	}
	err = w.Host.DeleteKey(ctx, windows.LocalMachine, wrongStreamingKey)
	switch {
	case errors.Is(err, windows.ErrHasSubkeys):
		return Outcome{Kind: Failed, Message: "The wrong key has keys below it: it was left alone", Remedy: "Look at what they are before the key is removed by hand."}, nil
	case err != nil && !errors.Is(err, windows.ErrNoKey):
		return trouble("delete the wrong key", err)
	}
	return again("The wrong key was removed"), nil
}

// putBackStreamingKey makes the key again with the values that it had.
func putBackStreamingKey(ctx context.Context, w *Work) (Outcome, error) {
	w.fresh()
	if len(w.Ledger) == 0 {
		return Outcome{Kind: Done, Percent: 100, Message: "Nothing is left to undo"}, nil
	}
	e := w.Ledger[0]
	var want []keptValue
	if err := json.Unmarshal([]byte(e.Before["values"]), &want); err != nil {
		return Outcome{Kind: Failed, Message: "What the key held cannot be read from the record: " + err.Error()}, nil
	}
	have, err := keyValues(ctx, w.Host, e.Name)
	var odd *oddValueError
	switch {
	case errors.Is(err, windows.ErrNoKey):
		if err := w.intend(ctx, "create registry key "+e.Name); err != nil {
			return Outcome{}, err
		}
		if err := w.Host.CreateKey(ctx, windows.LocalMachine, e.Name); err != nil {
			return trouble("make the key again", err)
		}
		return again("The key was made again"), nil
	case errors.As(err, &odd):
		return again("The key holds something else now"), w.restored(ctx, e, odd.Error())
	case err != nil:
		return trouble("read the key", err)
	}
	for _, v := range want {
		if slices.Contains(have, v) {
			continue
		}
		if err := w.intend(ctx, "write registry value "+v.Name+" of "+e.Name); err != nil {
			return Outcome{}, err
		}
		if err := putValue(ctx, w.Host, e.Name, v); err != nil {
			return trouble("write value "+v.Name, err)
		}
		return again("The value %s was written", v.Name), nil
	}
	deviation := ""
	if len(have) > len(want) {
		deviation = "it holds more values than before: somebody else wrote them"
	}
	return again("The key is as it was"), w.restored(ctx, e, deviation)
}

// oddValueError is a value of a kind that could not be put back exactly.
type oddValueError struct{ name string }

// Error names the value.
func (o *oddValueError) Error() string {
	return fmt.Sprintf("The key holds the value %q of a kind that could not be put back", o.name)
}

// keyValues reads a key's values, in the order of their names.
func keyValues(ctx context.Context, h *windows.Host, key string) ([]keptValue, error) {
	kinds, err := h.Values(ctx, windows.LocalMachine, key)
	if err != nil {
		return nil, err
	}
	values := []keptValue{}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		v := keptValue{Name: name}
		switch kinds[name] {
		case windows.DWORD:
			n, err := h.DWORDValue(ctx, windows.LocalMachine, key, name)
			if err != nil {
				return nil, err
			}
			v.Kind, v.Data = regDWORD, strconv.FormatUint(uint64(n), 10)
		case windows.String:
			if v.Data, err = h.StringValue(ctx, windows.LocalMachine, key, name, windows.String); err != nil {
				return nil, err
			}
			v.Kind = regString
		case windows.ExpandString, windows.MultiString:
			return nil, &oddValueError{name}
		default:
			return nil, &oddValueError{name}
		}
		values = append(values, v)
	}
	return values, nil
}

func putValue(ctx context.Context, h *windows.Host, key string, v keptValue) error {
	if v.Kind != regDWORD {
		return h.SetString(ctx, windows.LocalMachine, key, v.Name, v.Data)
	}
	n, err := strconv.ParseUint(v.Data, 10, 32)
	if err != nil {
		return fmt.Errorf("read the value %s from the record: %w", v.Name, err)
	}
	return h.SetDWORD(ctx, windows.LocalMachine, key, v.Name, uint32(n))
}
