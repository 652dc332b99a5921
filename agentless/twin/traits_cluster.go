package twin

// clusterTraits are what differs of nodes.
var clusterTraits = []trait{
	{name: "cms-stays-offline", words: "Setup /UpgradeCms on this node leaves the clustered mailbox server offline (a public report starts it by hand; the founding document has it running)"},
	{name: "cms-move-refused", words: "Move-ClusteredMailboxServer to this node is refused: Exchange finds it in no acceptable state (exchhelp 5ac92b11)"},
}

// hasTrait reports whether a host was given a trait.
func (h *host) hasTrait(name string) bool {
	_, has := h.trait(name)
	return has
}
