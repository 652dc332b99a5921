package jobs

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/media"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// Media says how hosts fetch from the listener of this program. The zero value
// is a program without one: its hosts fetch from a share or mirror.
type Media struct {
	URL    string                      // http://name:port; empty = this machine's address towards the host, and Port
	Port   int                         // of the listener; 0 = there is none
	Secret func(purpose string) []byte // derives 32 bytes from the installation's key; tokens are made of them
	Hosts  int                         // that fetch at the same time ahead of their upgrades, about; 0 = 50
	Revoke func(staging int64)         // ends what the host of a staging fetches from here
}

// grantFor is how long a token is good without being given anew. It dies with
// the staging.
const grantFor = 12 * time.Hour

// mediumOf is what a host is told of a medium.
func mediumOf(m store.Medium) runbook.Medium {
	return runbook.Medium{
		ManifestSHA256: m.ManifestSHA256, ManifestSize: m.ManifestSize, TreeSize: m.TreeSize, BundleSHA256: m.BundleSHA256, BundleSize: m.BundleSize,
		Packs: m.UMLanguages,
	}
}

// fetch fills in from where the host of a staging fetches. For the console it
// gives the host a token, the same for every tick of the staging: its tasks must
// come out the same when a killed tick is repeated. Only its hash is stored.
func (e *Engine) fetch(ctx context.Context, lease store.Lease, g store.Staging, m *runbook.Medium, site, fqdn, installation string) (token string, err error) {
	m.Staging, m.Attempt = g.ID, g.Attempt
	source, err := e.store.MediaSourceFor(ctx, site)
	if err != nil {
		return "", err
	}
	switch source.Kind {
	case store.SourceShare:
		m.From, m.Source = source.Address(m.BundleSHA256), "the share "+source.Base
		return "", nil
	case store.SourceMirror:
		m.From, m.Source = source.Address(m.BundleSHA256), "the mirror "+source.Base
		return "", nil
	}
	if e.media.Secret == nil || e.media.URL == "" && e.media.Port == 0 {
		return "", nil // another coordinator may have a listener: stage waits, and says for what
	}
	base := e.media.URL
	if base == "" {
		local, err := towards(ctx, g.Host)
		if err != nil {
			return "", err
		}
		base = "http://" + net.JoinHostPort(local, strconv.Itoa(e.media.Port))
	}
	secret := e.media.Secret(fmt.Sprintf("wavekeeper media token/1\n%s\n%d\n%d\n%d", installation, g.Host.ID, g.ID, g.Attempt))
	token, hash := media.Token(secret)
	if err := e.store.Grant(ctx, lease, g.ID, hash, addressesOf(ctx, g.Host.Address, fqdn), grantFor); err != nil {
		return "", err
	}
	m.From, m.Token, m.Source = base+media.PathPrefix+m.BundleSHA256, token, "the console"
	return token, nil
}

// towards is this machine's address on the way to a host. Nothing is sent.
func towards(ctx context.Context, host store.HostAddress) (string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", net.JoinHostPort(host.Address, strconv.Itoa(max(1, host.Port))))
	if err != nil {
		return "", fmt.Errorf("find this machine's address towards %s: %w", host.Name, err)
	}
	defer func() { _ = conn.Close() }() // nothing was written
	local, _, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		return "", fmt.Errorf("find this machine's address towards %s: %w", host.Name, err)
	}
	return local, nil
}

// addressesOf are those from which a host may ask: what its address and its full
// name stand for now.
func addressesOf(ctx context.Context, names ...string) []netip.Addr {
	var all []netip.Addr
	for _, name := range names {
		if ip, err := netip.ParseAddr(name); err == nil {
			all = append(all, ip.Unmap())
			continue
		}
		if name == "" {
			continue
		}
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		if err != nil {
			continue // one of the two is enough, and without both nothing is given
		}
		for _, ip := range found {
			all = append(all, ip.Unmap())
		}
	}
	return all
}

// bring fills in the medium of an upgrade, and in its stage step from where it
// comes: the step goes on with a staging that was asked for ahead.
func (e *Engine) bring(ctx context.Context, w store.UpgradeWork, lease store.Lease, work *prepared, manifest string) error {
	if manifest == "" {
		return nil
	}
	m, err := e.store.BundleByManifest(ctx, manifest)
	if err != nil {
		return err
	}
	work.Media.Medium = mediumOf(m)
	if name := worked(w); name != runbook.Stage && !strings.HasPrefix(name, runbook.Stage+"-") {
		return nil
	}
	g, err := e.store.StagingForUpgrade(ctx, lease, w.ID, work.host.ID, m.ID, work.Media.Folder)
	if err != nil {
		return err
	}
	g.Host.Address, g.Host.Port = work.host.Address, work.host.Port // the approved one
	token, err := e.fetch(ctx, lease, g, &work.Media.Medium, w.Server.Site, w.Server.HostFQDN(work.host.Name), w.Installation)
	if token != "" {
		work.secrets = append(work.secrets, token)
	}
	work.staging = &g
	return err
}

// staged is what a tick changes of its staging.
func staged(g store.Staging, out runbook.Outcome, source string, now time.Time) store.StagingSave {
	save := g.Save()
	save.Message, save.Remedy, save.Source = headline(out), out.Remedy, source
	if s := out.Staged; s != nil {
		save.Phase, save.Done, save.Proven = s.Phase, s.Done, s.Proven
		if s.Total > 0 {
			save.Total = s.Total
		}
		save.Output = save.Done != g.Done || save.Phase != g.Phase
		save.Rate = rateOf(g, s.Done, now)
	}
	return save
}

// rateOf is the bytes a second since the last look that saw any.
func rateOf(g store.Staging, done int64, now time.Time) int64 {
	switch {
	case done == g.Done || g.OutputAt == nil:
		return g.Rate
	case now.Sub(*g.OutputAt) <= 0:
		return g.Rate
	}
	return max(0, int64(float64(done-g.Done)/now.Sub(*g.OutputAt).Seconds()))
}

func headline(out runbook.Outcome) string {
	if out.Headline != "" {
		return out.Headline
	}
	return out.Message
}

// beside is how far the medium is that a tick of an upgrade brings, nil where it
// brings none. It is saved with the tick, so that nobody who dies in between
// leaves a staging that has ended and a step that knows nothing of it.
func beside(work *prepared, out runbook.Outcome, ended rollout.State, now time.Time) *store.StagingSave {
	if work.staging == nil {
		return nil
	}
	save := staged(*work.staging, out, work.Media.Medium.Source, now)
	save.To = rollout.Running
	switch {
	case ended == rollout.Done && save.Proven:
		save.To = rollout.Done
	case ended == rollout.Failed:
		save.To = rollout.Failed
	}
	save.Message, save.Remedy = work.secrets.redact(save.Message), work.secrets.redact(save.Remedy)
	return &save
}

// ended takes back what a staging that came to its end was given.
func (e *Engine) ended(save *store.StagingSave) {
	if save != nil && save.To != rollout.Running && e.media.Revoke != nil {
		e.media.Revoke(save.Staging)
	}
}
