package jobs

import (
	"context"
	"fmt"
	"maps"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// prepared is a tick's work with the secrets that must not be stored.
type prepared struct {
	runbook.Work
	way     *way // nil = the host was not to be contacted
	host    store.HostAddress
	staging *store.Staging // of the stage step of an upgrade whose package has a medium
	behind  bool           // nothing was done: an upgrade is in work on the host
	secrets secrets
	judged  time.Time // when the step's outcome was weighed against its limits; zero = it did not come to one
}

// prepare fills in all that a tick may use. What it refuses is an outcome: the
// host is not contacted.
func (e *Engine) prepare(ctx context.Context, w store.UpgradeWork, lease store.Lease, work *prepared) *runbook.Outcome {
	step, _ := e.step(w)
	install, err := installs(e.plain(w), w, step.Step)
	if err != nil {
		return &runbook.Outcome{Kind: runbook.Failed, Message: err.Error()}
	}
	if install.media.SetupSHA256 == "" && !step.PutBack && w.Decision == "" && !w.Repaired {
		return &runbook.Outcome{
			Kind:    runbook.Failed,
			Message: fmt.Sprintf("No media of %s is known for language %s and architecture %s", install.pkg.Name, w.Server.Language, w.Server.Arch),
			Remedy:  "Register the package with its folder on the hosts and the SHA-256 of its setup.com, then run again.",
		}
	}
	notes := notesOf(w)
	host, ended := e.place(ctx, w, step.Step, notes)
	if ended != nil {
		return ended
	}
	work.host = host
	way, err := e.way(ctx, host, w.Server.HostFQDN(host.Name), w.Server.Profile)
	if err != nil {
		return e.refusal(err, w.State)
	}
	work.way = way
	runas, err := e.account(ctx, way.profile, store.PurposeRunAs)
	if err != nil {
		return e.refusal(err, w.State)
	}
	work.secrets = secrets{way.password, runas.password}
	if runas.name != w.RunAs {
		// Of what was repaired by hand only a look is taken, before it is put back.
		looks := w.Decision != "" || w.Repaired && !step.PutBack
		if refused := otherAccount(w, step.Step, runas.name); refused != nil && !looks {
			return refused
		}
		runas = account{name: w.RunAs}
	}
	if w.Decision == "" && !step.PutBack && runas.password != "" {
		if bar, err := e.runAsRefused(ctx, way.profile, host.Name); err != nil {
			return e.refusal(err, w.State)
		} else if bar != nil {
			return bar.out(w.State)
		}
	}
	attempt := 1
	for _, s := range w.Steps {
		if s.Name == worked(w) {
			attempt = s.Attempt
		}
	}
	page := store.Page{
		Lease: lease, Upgrade: w.ID, Rollout: w.Rollout, Generation: w.Generation, Host: host.ID,
		Wave: w.Wave, Server: w.Server.Name, Step: worked(w), Runbook: e.plain(w),
	}
	memory := work.Memory
	work.Work = runbook.Work{
		Host:         way.windows(),
		Node:         host.Name,
		Nodes:        hostNames(w.Hosts),
		Turn:         turnOf(e.plain(w), w, step.Step),
		Server:       w.Server,
		Servers:      w.Servers,
		Package:      install.pkg,
		Then:         install.then,
		Media:        install.media,
		RunAs:        runbook.Account{Name: runas.name, Password: runas.password},
		Installation: w.Installation,
		Upgrade:      w.ID,
		Attempt:      attempt,
		Prepared:     w.Prepared,
		Unwinding:    w.Unwinding,
		Memory:       memory,
		Notes:        notes,
		Book:         &book{store: e.store, page: page, secrets: work.secrets},
		Hooks:        &hooks{store: e.store, keys: e.keys, dir: e.hooks, approved: w.Hooks, rollout: w.Rollout, secrets: work.secrets},
		Now:          w.Now,
		Away:         (&course{w: w, table: e.plain(w), now: w.Now}).away(),
	}
	for _, l := range w.Ledger {
		if l.Host != host.Name {
			continue
		}
		work.Ledger = append(work.Ledger, runbook.Entry{ID: l.ID, Kind: l.Kind, Name: l.Name, Before: l.Before, Meant: l.Meant})
	}
	for _, m := range w.Markers {
		if m.Host == host.Name {
			work.Markers = append(work.Markers, runbook.Marker{Role: m.Role, Name: m.Name, Kind: m.Kind, Value: m.Value})
		}
	}
	if err := e.know(ctx, w, step.Step, work); err != nil {
		e.log.Warn("what is known not loaded", "rollout", w.Rollout, "server", w.Server.Name, "err", err)
		return &runbook.Outcome{Kind: runbook.Again, After: errorPause, Message: "What is known of the host could not be read. The program's log says why."}
	}
	if err := e.bring(ctx, w, lease, work, install.manifest); err != nil {
		e.log.Warn("media not prepared", "rollout", w.Rollout, "server", w.Server.Name, "err", err)
		return &runbook.Outcome{Kind: runbook.Again, After: errorPause, Message: "What is known of the package's media could not be read. The program's log says why."}
	}
	return nil
}

// otherAccount refuses to run anything as another account than the one that was
// approved. Putting back waits only where it needs the account.
func otherAccount(w store.UpgradeWork, step rollout.Step, now string) *runbook.Outcome {
	refused := &runbook.Outcome{
		Kind: runbook.Failed, Message: fmt.Sprintf("The run-as account was approved as %q and is %q now: nothing runs as another one", w.RunAs, now),
		Remedy: "Set the credential of the approved account again, or approve the wave again and run again.",
	}
	if !step.PutBack {
		return refused
	}
	for _, l := range w.Ledger {
		if runbook.NeedsRunAs(l.Kind) {
			refused.Kind, refused.After = runbook.Again, refusedPause
			return refused
		}
	}
	return nil
}

// book writes what must be on record before an effect.
type book struct {
	store   *store.Store
	page    store.Page
	secrets secrets
}

// Intend records what is about to happen on the host.
func (b *book) Intend(ctx context.Context, what string) error {
	return b.store.Intend(ctx, b.page, b.secrets.redact(what))
}

// Change records the state found before a change.
func (b *book) Change(ctx context.Context, e runbook.Entry) (int64, error) {
	return b.store.OpenLedger(ctx, b.page, store.LedgerEntry{
		Kind: e.Kind, Name: b.secrets.redact(e.Name), Before: b.secrets.redactMap(maps.Clone(e.Before)), Meant: b.secrets.redactMap(maps.Clone(e.Meant)),
	})
}

// Restored records that a change was put back.
func (b *book) Restored(ctx context.Context, id int64, deviation string) error {
	return b.store.CloseLedger(ctx, b.page, id, b.secrets.redact(deviation))
}

// Cleared records an Action or Watermark value before it is deleted.
func (b *book) Cleared(ctx context.Context, m runbook.Marker) error {
	return b.store.ClearMarker(ctx, b.page, store.Marker{Role: m.Role, Name: m.Name, Kind: m.Kind, Value: m.Value})
}

// PutBackMarker records that a cleared value stands on the host again.
func (b *book) PutBackMarker(ctx context.Context, m runbook.Marker) error {
	return b.store.PutBackMarker(ctx, b.page, store.Marker{Role: m.Role, Name: m.Name, Kind: m.Kind, Value: m.Value})
}

// done ends the use of the way to the host.
func (p *prepared) done(ctx context.Context) {
	if p.way != nil {
		p.way.done(ctx)
	}
}

// barred is what kept the step from the host, where that is not for the step to
// judge: nobody may say of a host that failed, or that it is unknown, because we
// were not let in. What the step reached or read all the same counts.
func (p *prepared) barred(ctx context.Context, out runbook.Outcome, err error) (*barred, error) {
	if p.way == nil || err != nil {
		return nil, nil // the record or the lease said no, not the host
	}
	switch out.Kind {
	case runbook.Again, runbook.OutOfSight, runbook.Failed:
	case runbook.Done, runbook.Interrupted, runbook.Unknown:
		return nil, nil
	}
	return p.way.barred(context.WithoutCancel(ctx))
}
