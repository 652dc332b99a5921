package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
	"wavekeeper/server/store"
)

// demoMedia are the language and architecture of the media that a fleet needs,
// each pair once.
func demoMedia(fleet []byte) ([]store.Package, error) {
	inventory, faults := exchange.ReadInventory(bytes.NewReader(fleet))
	if len(faults) > 0 {
		all := []error{errors.New("the fleet has faulty lines")}
		for _, f := range faults {
			all = append(all, f)
		}
		return nil, errors.Join(all...)
	}
	var media []store.Package
	seen := map[string]bool{}
	for _, s := range inventory.Servers {
		p := store.Package{Language: s.Language, Arch: s.Arch}
		if key := p.Language + " " + p.Arch; !seen[key] {
			seen[key] = true
			media = append(media, p)
		}
	}
	return media, nil
}

// furnishMedia registers the service packs' media in every language and
// architecture of the fleet, as far as they are missing.
func furnishMedia(ctx context.Context, s *store.Store, actor store.Actor, fleet []byte) error {
	media, err := demoMedia(fleet)
	if err != nil {
		return err
	}
	have, err := s.Packages(ctx)
	if err != nil {
		return fmt.Errorf("register media: %w", err)
	}
	known := map[string]bool{}
	for _, p := range have {
		known[p.Name+" "+p.Language+" "+p.Arch] = true
	}
	for _, p := range media {
		for _, name := range []string{"sp1", "sp2", "sp3"} {
			if known[name+" "+p.Language+" "+p.Arch] {
				continue
			}
			p.Name, p.SetupSHA256 = name, twin.SetupSHA256(name, p.Language, p.Arch)
			if err := s.SavePackage(ctx, actor, p); err != nil {
				return err
			}
		}
	}
	return nil
}
