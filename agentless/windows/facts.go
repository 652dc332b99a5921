package windows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"wavekeeper/agentless/winrm"
)

// Facts asks for every fact of the table that the WinRM account can be told. A
// fact that the host does not give has a nil value. An error means that the host
// could not be asked at all, or answered nothing that was understood.
func (h *Host) Facts(ctx context.Context) ([]Fact, error) {
	a := &asked{host: h}
	facts := make([]Fact, 0, len(factRows))
	var first error
	told := 0
	for _, row := range factRows {
		if row.read == nil {
			continue
		}
		before := h.detours()
		value, err := row.read(ctx, a)
		if err != nil && row.later && winrm.Outcome(err) == winrm.OutcomeDenied {
			err = h.stillWelcome(ctx, err)
		}
		if err != nil {
			if gone(err) {
				return facts, fmt.Errorf("fact %s: %w", row.Name, err)
			}
			if first == nil {
				first = fmt.Errorf("no fact was told; fact %s: %w", row.Name, err)
			}
			value = nil
		} else {
			told++
		}
		source := row.Ask
		if h.detours() > before || row.Ask == queryOS && a.os != nil && a.os.Via != "" {
			source += withoutWMI
		}
		if no := new(NoWMI); row.later && errors.As(err, &no) {
			source = row.Ask + noAnswer
		}
		facts = append(facts, Fact{Name: row.Name, Value: value, Source: source, At: time.Now().UTC()})
	}
	if told == 0 {
		return nil, first
	}
	return facts, nil
}

// stillWelcome tells a thing that the account may not see, which is an answer,
// from an account that the host does not take any more.
func (h *Host) stillWelcome(ctx context.Context, denied error) error {
	if _, err := h.OS(ctx); err != nil {
		return err
	}
	return fmt.Errorf("not for this account: %s", denied.Error())
}

// withoutWMI ends the source of a fact that was read the second way.
const withoutWMI = " (without WMI)"

// noAnswer ends the source of a fact that only WMI knows, where it does not answer.
const noAnswer = " (WMI does not answer)"

// gone reports whether an error says that asking more is useless.
func gone(err error) bool {
	switch winrm.Outcome(err) {
	case winrm.OutcomeUnreachable, winrm.OutcomeUntrusted, winrm.OutcomeTimeout, winrm.OutcomeRefused, winrm.OutcomeDenied:
		return true
	}
	return false
}

// readArch decides by the processor's token; SystemType begins with x64 or X86
// in every language.
func readArch(ctx context.Context, a *asked) (any, error) {
	word, err := a.host.StringValue(ctx, LocalMachine, keyProcessor, "PROCESSOR_ARCHITECTURE", String)
	if errors.Is(err, ErrNoKey) || err == nil && word == "" {
		c, err := a.computer(ctx)
		return arch(c.SystemType), err
	}
	return arch(word), err
}

func arch(word string) string {
	word = strings.ToLower(word)
	switch {
	case strings.HasPrefix(word, "amd64"), strings.HasPrefix(word, "x64"):
		return "x64"
	case strings.HasPrefix(word, "x86"):
		return "x86"
	default:
		return word
	}
}

// readNET20 is the service pack of .NET Framework 2.0, or nil when it is not installed.
func readNET20(ctx context.Context, a *asked) (any, error) {
	installed, err := a.host.DWORDValue(ctx, LocalMachine, keyNET20, "Install")
	if errors.Is(err, ErrNoKey) || err == nil && installed != 1 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	sp, err := a.host.DWORDValue(ctx, LocalMachine, keyNET20, "SP")
	if errors.Is(err, ErrNoKey) {
		return 0, nil
	}
	return int(sp), err
}

// readNET20Fact is readNET20 where null is an answer: it is not installed.
func readNET20Fact(ctx context.Context, a *asked) (any, error) {
	value, err := readNET20(ctx, a)
	if err == nil && value == nil {
		return json.RawMessage("null"), nil
	}
	return value, err
}

// readPending lists why Windows wants a restart: empty when it does not.
func readPending(ctx context.Context, a *asked) (any, error) {
	return a.host.PendingRestart(ctx)
}

// PendingRestart lists why Windows wants a restart: "windows-update",
// "update-installer", "file-rename"; empty when it does not. The last two are
// what Setup of Exchange 2007 itself refuses to run with, whatever is in them
// (technet cc164360, "A Restart from a Previous Installation is Pending").
func (h *Host) PendingRestart(ctx context.Context) ([]string, error) {
	reasons := []string{}
	switch _, err := h.Keys(ctx, LocalMachine, keyReboot); {
	case err == nil:
		reasons = append(reasons, "windows-update")
	case !errors.Is(err, ErrNoKey):
		return nil, err
	}
	switch wanted, err := h.updateInstaller(ctx); {
	case err != nil:
		return nil, err
	case wanted:
		reasons = append(reasons, "update-installer")
	}
	renames, err := h.MultiStringValue(ctx, LocalMachine, keySession, "PendingFileRenameOperations")
	if err != nil && !errors.Is(err, ErrNoKey) {
		return nil, err
	}
	for _, r := range renames {
		if r != "" {
			return append(reasons, "file-rename"), nil
		}
	}
	return reasons, nil
}

// updateInstaller reports whether update.exe of Windows Server 2003 left its
// mark: UpdateExeVolatile other than 0, as a value or as Flags of a key of that
// name; both are told of.
func (h *Host) updateInstaller(ctx context.Context) (bool, error) {
	for _, at := range []struct{ key, value string }{{keyUpdates, "UpdateExeVolatile"}, {keyUpdates + `\UpdateExeVolatile`, "Flags"}} {
		flags, err := h.DWORDValue(ctx, LocalMachine, at.key, at.value)
		switch {
		case errors.Is(err, ErrNoKey):
		case err != nil:
			return false, err
		case flags != 0:
			return true, nil
		}
	}
	return false, nil
}

// NET20ServicePack is the service pack of .NET Framework 2.0; false when it is
// not installed.
func (h *Host) NET20ServicePack(ctx context.Context) (int, bool, error) {
	value, err := readNET20(ctx, &asked{host: h})
	sp, installed := value.(int)
	return sp, installed, err
}

// cultures are the languages in which Windows Server 2003 and 2008 were made,
// by LCID. Source: MS-LCID.
var cultures = map[int]string{
	1025: "ar-SA", 1028: "zh-TW", 1029: "cs-CZ", 1030: "da-DK", 1031: "de-DE", 1032: "el-GR", 1033: "en-US",
	1035: "fi-FI", 1036: "fr-FR", 1037: "he-IL", 1038: "hu-HU", 1040: "it-IT", 1041: "ja-JP", 1042: "ko-KR",
	1043: "nl-NL", 1044: "nb-NO", 1045: "pl-PL", 1046: "pt-BR", 1049: "ru-RU", 1053: "sv-SE", 1055: "tr-TR",
	2052: "zh-CN", 2070: "pt-PT", 3076: "zh-HK", 3082: "es-ES",
}

func culture(lcid int) string {
	if c, ok := cultures[lcid]; ok {
		return c
	}
	return fmt.Sprintf("lcid-%d", lcid)
}
