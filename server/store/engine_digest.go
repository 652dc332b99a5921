package store

import (
	"context"
	"encoding/json"
	"fmt"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// approvable is one server as an approval would bind it now.
type approvable struct {
	wave    int64
	server  int64
	name    string
	begun   bool
	content rollout.ApprovalContent
}

// fit says how a standing approval fits a server now.
type fit struct {
	server  int64
	match   rollout.ApprovalMatch
	changed []string
}

// approvalContents builds what approvals bind from the rows of this
// transaction, for one server or (0) for all of the rollout.
func (t *txn) approvalContents(ctx context.Context, r db.RolloutByIDRow, books rollout.Books, server int64) ([]approvable, error) {
	rows, err := t.q.ApprovalSubjects(ctx, db.ApprovalSubjectsParams{Package: r.Package, ThenPackage: r.ThenPackage, RolloutID: r.ID, ServerID: server})
	if err != nil {
		return nil, fmt.Errorf("load what is approved: %w", err)
	}
	hosts, err := t.q.HostsOfRollout(ctx, r.ID)
	if err != nil {
		return nil, fmt.Errorf("load hosts: %w", err)
	}
	by := map[int64][]rollout.ApprovalHost{}
	for _, h := range hosts {
		by[h.UpgradeID] = append(by[h.UpgradeID], rollout.ApprovalHost{Name: h.Name, Address: h.Address, Port: h.Port})
	}
	plan, err := rollout.ReadPlan([]byte(r.RevisionContent))
	if err != nil {
		return nil, err
	}
	hooks := t.s.hooksNow(ctx)
	out := make([]approvable, 0, len(rows))
	all := hashed{books: books}
	for _, row := range rows {
		plain, err := all.of(row.Runbook)
		if err != nil {
			return nil, err
		}
		one := approvable{
			wave: row.WaveID, server: row.ServerID, name: row.Name, begun: row.StartedAt != nil,
			content: rollout.ApprovalContent{
				Kind: string(plan.Kind), Servers: row.Servers, Cluster: row.Cluster, Hooks: hooksOf(plain.book, hooks),
				Revision: r.RevisionHash, Wave: row.Wave, Server: row.Name, FQDN: row.Fqdn, Hosts: by[row.UpgradeID], Roles: row.Roles,
				Site: row.Site, StartingBuild: row.Build, Runbook: plain.book.Name, Version: plain.book.Version, Steps: plain.hash, Package: r.Package,
				Language: row.Language, Arch: row.Arch, Folder: row.Folder, SetupSHA256: row.SetupSha256, Manifest: row.ManifestSha256, Profile: row.Profile,
				RunAs: row.RunAs, Services: row.Services,
			},
		}
		if plan.Kind == rollout.OfOrganization {
			one.content.Services = nil // a preparation stops none
		}
		if r.ThenPackage != "" {
			one.content.Then = rollout.ApprovalThen{Package: r.ThenPackage, Folder: row.ThenFolder, SetupSHA256: row.ThenSha256, Manifest: row.ThenManifest}
		}
		out = append(out, one)
	}
	return out, nil
}

// matchApprovals compares the standing approvals with what would be approved
// now. What the rollout itself changes does not void an approval: a server
// that has begun keeps the build that it was approved with.
func (t *txn) matchApprovals(ctx context.Context, r db.RolloutByIDRow, books rollout.Books, server int64) (map[string]fit, error) {
	standing, err := t.q.StandingApprovals(ctx, r.ID)
	if err != nil {
		return nil, fmt.Errorf("load approvals: %w", err)
	}
	approved := make(map[int64]db.StandingApprovalsRow, len(standing))
	for _, a := range standing {
		approved[a.ServerID] = a
	}
	contents, err := t.approvalContents(ctx, r, books, server)
	if err != nil {
		return nil, err
	}
	fits := make(map[string]fit, len(contents))
	for _, c := range contents {
		f := fit{server: c.server, match: rollout.ApprovalNone}
		a, ok := approved[c.server]
		if ok && a.WaveID == c.wave {
			var then rollout.ApprovalContent
			if err := json.Unmarshal([]byte(a.Content), &then); err != nil {
				return nil, fmt.Errorf("read approval of %s: %w", c.name, err)
			}
			if c.begun {
				c.content.StartingBuild = then.StartingBuild
			}
			digest, err := c.content.Digest()
			if err != nil {
				return nil, err
			}
			f.match = rollout.ApprovalMatching
			if digest != a.Digest {
				f.match, f.changed = rollout.ApprovalStale, then.Diff(c.content)
			}
		}
		fits[c.name] = f
	}
	return fits, nil
}

// WaveContent is what an approval of a wave would bind now, server by server.
type WaveContent struct {
	Servers []rollout.ApprovalContent // in the order of their names
	Seen    string                    // what a form carries back, see rollout.Seen
}

// WaveContent returns what an approval of the wave would bind now.
func (s *Store) WaveContent(ctx context.Context, wave int64, books rollout.Books) (WaveContent, error) {
	var content WaveContent
	err := s.inTx(ctx, func(t *txn) error {
		w, err := t.q.WaveByID(ctx, wave)
		if err != nil {
			return missing(err, "There is no such wave.")
		}
		r, err := t.q.RolloutByID(ctx, w.RolloutID)
		if err != nil {
			return fmt.Errorf("load rollout: %w", err)
		}
		_, content, err = t.waveContent(ctx, r, wave, books)
		return err
	})
	if err != nil {
		return WaveContent{}, fmt.Errorf("load what wave %d would do: %w", wave, err)
	}
	return content, nil
}

func (t *txn) waveContent(ctx context.Context, r db.RolloutByIDRow, wave int64, books rollout.Books) ([]approvable, WaveContent, error) {
	all, err := t.approvalContents(ctx, r, books, 0)
	if err != nil {
		return nil, WaveContent{}, err
	}
	var of []approvable
	var content WaveContent
	for _, c := range all {
		if c.wave == wave {
			of, content.Servers = append(of, c), append(content.Servers, c.content)
		}
	}
	content.Seen, err = rollout.Seen(content.Servers)
	return of, content, err
}
