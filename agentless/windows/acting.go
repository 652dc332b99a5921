package windows

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// ExchangeAct is the script that runs cmdlets of Exchange by verbs, as a host
// task under the run-as account.
const ExchangeAct = "exchange-act"

// FirewallStart is the script that starts the firewall's service and stops it
// again unless the file FirewallHere comes into its task's folder in time.
const (
	FirewallStart = "firewall-start"
	FirewallHere  = "here"
)

// keyUninstall has one key for each product of Windows Installer, by its code.
// Source: "Uninstall Registry Key" of the Windows Installer SDK, for DisplayVersion.
const keyUninstall = `SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall`

// productCode is one of Windows Installer, with or without braces.
var productCode = regexp.MustCompile(`^\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?$`)

// UMPackVersions are the installed Unified Messaging language packs with the
// build of each, "" where Windows does not say it; empty where the role is not
// installed. The value of a culture is the product code of the pack's package, as
// Setup of a later version writes and reads it (UmLanguagePack.AddProductCodesToRegistry,
// RemoveUmLanguagePackCfgDataHandler, decompiled); the build is that of Windows
// Installer's product.
func (h *Host) UMPackVersions(ctx context.Context) (map[string]string, error) {
	names, err := h.UMLanguagePacks(ctx)
	if err != nil {
		return nil, fmt.Errorf("language packs: %w", err)
	}
	packs := map[string]string{}
	for _, name := range names {
		version, err := h.StringValue(ctx, LocalMachine, keyLanguagePacks, name, String)
		if code := productCode.FindStringSubmatch(strings.TrimSpace(version)); err == nil && code != nil {
			version, err = h.StringValue(ctx, LocalMachine, keyUninstall+`\{`+strings.ToUpper(code[1])+`}`, "DisplayVersion", String)
		}
		if err != nil && !errors.Is(err, ErrNoKey) {
			return nil, fmt.Errorf("language pack %s: %w", name, err)
		}
		packs[name] = version
	}
	return packs, nil
}

// ForeignServices are the services of other makers, and those that depend on
// Exchange's. They are read by WMI alone.
func (h *Host) ForeignServices(ctx context.Context) ([]ForeignServiceFact, error) {
	value, err := readForeign(ctx, &asked{host: h})
	foreign, ok := value.([]ForeignServiceFact)
	if err == nil && !ok {
		err = errors.New("nothing was told")
	}
	if err != nil {
		return nil, fmt.Errorf("services of others: %w", err)
	}
	return foreign, nil
}

// The switch for remote streaming backup. Source: the founding document's first
// spelling of it.
const (
	KeyStreaming   = keyStreaming
	StreamingValue = streamingValue
)

// Streaming is the switch for remote streaming backup: its value, false where it
// is not set.
func (h *Host) Streaming(ctx context.Context) (value uint32, set bool, err error) {
	value, err = h.DWORDValue(ctx, LocalMachine, keyStreaming, streamingValue)
	if errors.Is(err, ErrNoKey) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("remote streaming backup: %w", err)
	}
	return value, true, nil
}

// StreamingMisspelt reports whether the key of the founding document's second
// spelling is there, which splits the value's name in the wrong place.
func (h *Host) StreamingMisspelt(ctx context.Context) (bool, error) {
	keys, err := h.Keys(ctx, LocalMachine, keyStore)
	if errors.Is(err, ErrNoKey) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("keys of the information store: %w", err)
	}
	for _, k := range keys {
		if strings.EqualFold(k, wrongStreamingKey) {
			return true, nil
		}
	}
	return false, nil
}

// Paused is the state of a service that was told to pause.
const Paused = "Paused"

// PauseService asks a service to pause: it finishes what it has and takes nothing
// new. The caller looks again.
func (h *Host) PauseService(ctx context.Context, name string) error {
	return h.controlService(ctx, "pause", name)
}

// ContinueService asks a paused service to go on.
func (h *Host) ContinueService(ctx context.Context, name string) error {
	return h.controlService(ctx, "continue", name)
}

func (h *Host) controlService(ctx context.Context, verb, name string) error {
	q, err := quotedService(name)
	if err != nil {
		return err
	}
	return h.sc(ctx, "sc.exe "+verb+" "+q, name, codeBusy)
}

// CommandBody is the batch file of a host task that runs one program with
// arguments, repeat-safe ones.
func CommandBody(folder, program, arguments string) ([]byte, error) {
	for _, part := range []string{folder, program, arguments} {
		if err := safePath(part); err != nil {
			return nil, err
		}
	}
	lines := append(guard(folder), `"`+program+`" `+arguments+` >out.txt 2>&1 <nul`, `set code=%ERRORLEVEL%`)
	return batch(append(lines, result()...)), nil
}

// KeptFile is one file as state-keep found it.
type KeptFile struct {
	Path     string // below the root
	Size     int64
	SHA256   string
	Modified string // UTC, RFC 3339
	Data     []byte // nil when it has more than 64 kB
}

// keepPages bounds how often state-keep is asked for one list: 128 kB come each time.
const keepPages = 24

// KeepFiles reads the files below root that the patterns name ("bin\*.xml"), and
// copies each into the folder to, which has to be there; "" = no copies.
func (h *Host) KeepFiles(ctx context.Context, root, to string, patterns ...string) ([]KeptFile, error) {
	var all []KeptFile
	for from, page := 0, 0; page < keepPages; page++ {
		records, err := h.script(ctx, "state-keep", strings.TrimRight(root, `\`), to, strings.Join(patterns, ";"), strconv.Itoa(from))
		if err != nil {
			return nil, fmt.Errorf("keep files of %s: %w", root, err)
		}
		for _, r := range records {
			switch r.Name {
			case "file":
				f := strings.Split(r.Value, "|")
				if len(f) != 4 {
					return nil, fmt.Errorf("keep files of %s: file %q", root, r.Value)
				}
				size, err := strconv.ParseInt(f[1], 10, 64)
				if err != nil {
					return nil, fmt.Errorf("keep files of %s: file %q: %w", root, r.Value, err)
				}
				all = append(all, KeptFile{Path: f[0], Size: size, SHA256: f[2], Modified: f[3]})
			case "data":
				data, err := base64.StdEncoding.DecodeString(r.Value)
				if err != nil || len(all) == 0 {
					return nil, fmt.Errorf("keep files of %s: content: %w", root, err)
				}
				all[len(all)-1].Data = data
			}
		}
		next := records.Get("next")
		if next == "" {
			return all, nil
		}
		n, err := strconv.Atoi(next)
		if err != nil || n <= from {
			return nil, fmt.Errorf("keep files of %s: next is %q", root, next)
		}
		from = n
	}
	return all, nil
}

// Firewall is the firewall's service and what it filters or would filter; false
// where there is none. It is asked with WMI or without: an upgrade whose Setup
// stopped WMI needs the service as well.
func (h *Host) Firewall(ctx context.Context) (FirewallFact, bool, error) {
	services, err := h.Services(ctx)
	if err != nil {
		return FirewallFact{}, false, fmt.Errorf("firewall: %w", err)
	}
	fact := FirewallFact{}
	for _, name := range []string{"SharedAccess", "MpsSvc"} { // of 2008 SharedAccess is no firewall any more
		if s, found := FindService(services, name); found {
			fact.Service, fact.State, fact.Start = s.Name, s.State, s.StartMode
		}
	}
	if fact.Service == "" {
		return FirewallFact{}, false, nil
	}
	for _, p := range []struct {
		name string
		into **bool
	}{{"DomainProfile", &fact.Enabled.Domain}, {"StandardProfile", &fact.Enabled.Standard}, {"PublicProfile", &fact.Enabled.Public}} {
		for _, key := range []string{keyFirewallPolicy, keyFirewall} { // a policy goes before
			on, err := h.DWORDValue(ctx, LocalMachine, key+`\`+p.name, "EnableFirewall")
			if errors.Is(err, ErrNoKey) {
				continue
			}
			if err != nil {
				return FirewallFact{}, false, fmt.Errorf("firewall: %w", err)
			}
			filters := on != 0
			*p.into = &filters
			break
		}
	}
	return fact, true, nil
}

// ServiceNeeds are the services that one depends on, by its registry key
// (DependOnService is documented): none where it names none.
func (h *Host) ServiceNeeds(ctx context.Context, name string) ([]string, error) {
	if _, err := quotedService(name); err != nil {
		return nil, fmt.Errorf("what service %s needs: %w", name, err)
	}
	on, err := h.MultiStringValue(ctx, LocalMachine, keyServices+`\`+name, "DependOnService")
	if err != nil && !errors.Is(err, ErrNoKey) {
		return nil, fmt.Errorf("what service %s needs: %w", name, err)
	}
	return on, nil
}

// ServiceProgram is the path of a service's program.
func (h *Host) ServiceProgram(ctx context.Context, name string) (string, error) {
	if _, err := quotedService(name); err != nil {
		return "", err
	}
	line, err := h.StringValue(ctx, LocalMachine, keyServices+`\`+name, "ImagePath", ExpandString)
	if err != nil {
		return "", fmt.Errorf("program of service %s: %w", name, err)
	}
	os, err := h.OS(ctx)
	if err != nil {
		return "", err
	}
	return programOf(line, os.WindowsDirectory), nil
}
