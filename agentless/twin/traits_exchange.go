package twin

// storeKey is the information store's key.
const storeKey = servicesKey + `\MSExchangeIS`

// exchangeTraits are what differs of Exchange on the host.
var exchangeTraits = []trait{
	{name: "um-pack", words: "a Unified Messaging language pack beside en-US: um-pack=de-DE", shape: func(h *host, culture string) error {
		h.regPut(exchangeRoot+`\UnifiedMessagingRole\LanguagePacks`, text(culture, h.build().String()))
		return nil
	}},
	{name: "streaming-backup", words: "remote streaming backup is switched: streaming-backup=1", shape: func(h *host, value string) error {
		h.regPut(storeKey+`\ParametersSystem`, dword("Enable Remote Streaming Backup", uint32(atoi(value))))
		return nil
	}},
	{name: "streaming-wrong-key", words: "the founding document's second spelling was imported: a key ParametersSystem/Enable with a value that does nothing", shape: func(h *host, _ string) error {
		h.regPut(storeKey+`\ParametersSystem/Enable`, dword("Remote Streaming Backup", 1))
		return nil
	}},
	{name: "patch", words: "a patch of Exchange: patch=Update Rollup 4 for Exchange Server 2007 (KB940006)", shape: func(h *host, name string) error {
		h.addPatch(name, h.state.Installed.AddDate(0, 6, 0), true)
		return nil
	}},
	{name: "patch-not-cached", words: "the same, and its cached .msp is gone (KB2784788)", shape: func(h *host, name string) error {
		h.addPatch(name, h.state.Installed.AddDate(0, 6, 0), false)
		return nil
	}},
	{name: "interim-update", words: "an interim update, which blocks service packs and rollups (the Exchange team on SP2)", shape: func(h *host, _ string) error {
		h.addPatch("Interim Update for Exchange Server 2007 (KB940012)", h.state.Installed.AddDate(0, 5, 0), true)
		return nil
	}},
	{name: "exsetup-version", words: "ExSetup.exe is of another build than the role keys say: exsetup-version=8.1.291.2", shape: func(h *host, version string) error {
		h.versionFile(h.platform.installPath()+`bin\ExSetup.exe`, version, "Microsoft Corporation")
		return nil
	}},
	{name: "forefront", words: "Forefront Security for Exchange Server (technet bb795071; the Exchange team's script)", shape: func(h *host, _ string) error {
		folder := `C:\Program Files (x86)\Microsoft Forefront Security\Exchange Server\`
		h.regPut(`HKLM\SOFTWARE\Wow6432Node\Microsoft\Forefront Server Security\Exchange Server`, text("InstalledPath", folder))
		for _, name := range []string{"FSCController", "FSCMonitor", "FSCStatisticsService", "FSCEventing"} {
			h.addService(&service{Name: name, Display: "Microsoft Forefront Server Security " + name[3:], Path: `"` + folder + name + `.exe"`, Account: "LocalSystem", StartMode: automatic})
		}
		for _, name := range []string{"MSExchangeIS", "MSExchangeTransport"} { // its installation makes them need it
			if s := h.service(name); s != nil {
				s.DependsOn = append(s.DependsOn[:len(s.DependsOn):len(s.DependsOn)], "FSCController")
			}
		}
		return nil
	}},
	{name: "install-path-elsewhere", words: "the folder stands in Exchange\\Setup only, where other scripts look for it", shape: func(h *host, _ string) error {
		h.regForget(exchangeRoot+`\Setup`, "MsiInstallPath")
		return nil
	}},
	{name: "interrupted-setup", words: "a role key holds Action and Watermark: an earlier Setup did not finish (the founding document; Exchange team on watermarks)", shape: func(h *host, action string) error {
		if action == "" {
			action = upgradeMode
		}
		key := exchangeRoot + `\` + h.roleKeys()[len(h.roleKeys())-1]
		h.regPut(key, text("Action", action))
		h.regPut(key, text("Watermark", "fdfe6b1a"))
		return nil
	}},
}
