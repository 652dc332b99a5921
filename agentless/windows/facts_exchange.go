package windows

import (
	"context"
	"fmt"
	"sort"
	"strings"
)

// PatchFact is one patch of the product Exchange, as Windows Installer has it.
type PatchFact struct {
	Code         string `json:"code"`
	Name         string `json:"name"`
	Installed    string `json:"installed"` // yyyymmdd
	State        int    `json:"state"`     // 1 = applied, 2 = superseded
	LocalPackage string `json:"local_package"`
	Cached       bool   `json:"cached"`
}

// The keys of Windows Installer for what is installed for all users; the
// product's is Exchange 2007's product code with its parts turned round. Source:
// public inventory scripts; KB2784788 for the cached packages.
const (
	keyInstaller = `SOFTWARE\Microsoft\Windows\CurrentVersion\Installer\UserData\S-1-5-18`
	keyProduct   = keyInstaller + `\Products\461C2B4266EDEF444B864AD6D9E5B613`
	keyPatches   = keyProduct + `\Patches`
	keyCached    = keyInstaller + `\Patches`
)

// patchesAtMost bounds the patches that are looked at; each costs four questions.
const patchesAtMost = 40

// readPatches lists the patches and whether the cached package of each is there.
// It is unknown where Windows Installer has no product Exchange.
func readPatches(ctx context.Context, a *asked) (any, error) {
	if _, there, err := a.keys(ctx, keyProduct); err != nil || !there {
		return nil, err
	}
	codes, _, err := a.keys(ctx, keyPatches)
	if err != nil {
		return nil, err
	}
	if len(codes) > patchesAtMost {
		return nil, fmt.Errorf("%d patches", len(codes))
	}
	patches := []PatchFact{}
	var packages []string
	for _, code := range codes {
		p, err := a.patch(ctx, code)
		if err != nil {
			return nil, err
		}
		patches = append(patches, p)
		packages = append(packages, p.LocalPackage)
	}
	if err := a.look(ctx, packages...); err != nil {
		return nil, err
	}
	for i, p := range patches {
		_, patches[i].Cached = a.file(p.LocalPackage)
	}
	sort.SliceStable(patches, func(i, j int) bool { return patches[i].Installed < patches[j].Installed })
	return patches, nil
}

func (a *asked) patch(ctx context.Context, code string) (PatchFact, error) {
	p := PatchFact{Code: code}
	var err error
	if p.Name, err = a.textValue(ctx, keyPatches+`\`+code, "DisplayName"); err != nil {
		return p, err
	}
	if p.Installed, err = a.textValue(ctx, keyPatches+`\`+code, "Installed"); err != nil {
		return p, err
	}
	state, err := a.numberValue(ctx, keyPatches+`\`+code, "State")
	if err != nil {
		return p, err
	}
	if state != nil {
		p.State = *state
	}
	p.LocalPackage, err = a.textValue(ctx, keyCached+`\`+code, "LocalPackage")
	return p, err
}

// readExSetup is the file version of ExSetup.exe of the installation, which
// rollups raise where ConfiguredVersion stays.
func readExSetup(ctx context.Context, a *asked) (any, error) {
	install, err := a.installPath(ctx)
	if err != nil || install == "" {
		return nil, err
	}
	path := strings.TrimRight(install, `\`) + `\bin\ExSetup.exe`
	if err := a.look(ctx, path); err != nil {
		return nil, err
	}
	if f, there := a.file(path); there && f.Version != "" {
		return f.Version, nil
	}
	return nil, nil
}

// ExSetupVersion is the file version of ExSetup.exe of the installation, "" where
// it is not known. It is asked of WMI alone: an error without it is a *NoWMI.
func (h *Host) ExSetupVersion(ctx context.Context) (string, error) {
	v, err := readExSetup(ctx, &asked{host: h})
	if err != nil {
		return "", err
	}
	version, ok := v.(string)
	if !ok {
		return "", nil
	}
	return version, nil
}

// readUMPacks lists the Unified Messaging language packs. On a server with the
// role and no pack at all they are unknown: no such server exists.
func readUMPacks(ctx context.Context, a *asked) (any, error) {
	roles, err := a.installedRoles(ctx)
	if err != nil {
		return nil, err
	}
	packs := []string{}
	if _, um := roles["UnifiedMessaging"]; !um {
		return packs, nil
	}
	values, _, err := maybe(a.host.valuesByWMI(ctx, LocalMachine, keyLanguagePacks))
	if err != nil {
		return nil, err
	}
	for name := range values {
		if name != "" {
			packs = append(packs, name)
		}
	}
	if len(packs) == 0 {
		return nil, nil
	}
	sort.Strings(packs)
	return packs, nil
}

// StreamingBackupFact is the switch for remote streaming backup. WrongKey is the
// key of the founding document's second spelling, which splits the value's name in
// the wrong place and does nothing.
type StreamingBackupFact struct {
	Value    *int `json:"value"`
	WrongKey bool `json:"wrong_key"`
}

const (
	keyStore          = `SYSTEM\CurrentControlSet\Services\MSExchangeIS`
	keyStreaming      = keyStore + `\ParametersSystem`
	streamingValue    = "Enable Remote Streaming Backup"
	wrongStreamingKey = "ParametersSystem/Enable"
)

func readStreaming(ctx context.Context, a *asked) (any, error) {
	keys, there, err := a.keys(ctx, keyStore)
	if err != nil {
		return nil, err
	}
	fact := StreamingBackupFact{}
	if !there {
		return fact, nil
	}
	fact.WrongKey = fold(keys, wrongStreamingKey)
	if fold(keys, "ParametersSystem") {
		fact.Value, err = a.numberValue(ctx, keyStreaming, streamingValue)
	}
	return fact, err
}

// ForefrontFact is Microsoft's virus scanner for Exchange.
type ForefrontFact struct {
	Installed bool     `json:"installed"`
	Version   string   `json:"version"`
	Services  []string `json:"services"`
}

const (
	keyForefront     = `SOFTWARE\Wow6432Node\Microsoft\Forefront Server Security\Exchange Server`
	forefrontService = "FSCController"
)

// forefrontServices are Forefront's; FSCController is documented by the Exchange
// team's script, the others are remembered.
var forefrontServices = []string{forefrontService, "FSCMonitor", "FSCStatisticsService", "FSEIMC", "FSEMailPickup", "FSCEventing"}

// readForefront takes the service or the key as a sign (technet bb795071); its
// version is that of the service's program.
func readForefront(ctx context.Context, a *asked) (any, error) {
	services, err := a.servicesWithPrograms(ctx)
	if err != nil {
		return nil, err
	}
	os, err := a.system(ctx)
	if err != nil {
		return nil, err
	}
	fact := ForefrontFact{Services: []string{}}
	for _, s := range services {
		if !fold(forefrontServices, s.Name) {
			continue
		}
		fact.Services = append(fact.Services, s.Name)
		if !strings.EqualFold(s.Name, forefrontService) {
			continue
		}
		program := programOf(s.Path, os.WindowsDirectory)
		if err := a.look(ctx, program); err != nil {
			return nil, err
		}
		if f, there := a.file(program); there {
			fact.Version = f.Version
		}
	}
	_, key, err := a.keys(ctx, keyForefront)
	if err != nil {
		return nil, err
	}
	fact.Installed = key || len(fact.Services) > 0
	return fact, nil
}
