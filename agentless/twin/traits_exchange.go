package twin

// exchangeTraits are what differs of Exchange on the host.
var exchangeTraits = []trait{
	{name: "um-pack", words: "a Unified Messaging language pack beside en-US: um-pack=de-DE", shape: func(h *host, culture string) error {
		h.regPut(exchangeRoot+`\UnifiedMessagingRole\LanguagePacks`, text(culture, h.build().String()))
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
