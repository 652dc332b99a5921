package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// The kinds of sources of media.
const (
	SourceConsole = "console" // the listener of `serve`
	SourceShare   = "share"   // \\server\share\folder, read by the host's own account
	SourceMirror  = "mirror"  // http://server/folder, read by anybody
)

// MediaSource says where the hosts of an AD site fetch media from: BASE and
// then `\` or `/` and SHA256.wkm, as `media export` names it.
type MediaSource struct {
	Site  string // "" = of all sites that have none of their own
	Kind  string
	Base  string // "" for the console
	SetBy string
	SetAt time.Time
}

// Address returns where a bundle lies at a share or mirror; "" for the console,
// whose address is serve's to say.
func (m MediaSource) Address(bundleSHA256 string) string {
	switch m.Kind {
	case SourceShare:
		return m.Base + `\` + bundleSHA256 + ".wkm"
	case SourceMirror:
		return m.Base + "/" + bundleSHA256 + ".wkm"
	}
	return ""
}

// MediaSources returns what was set, by site.
func (s *Store) MediaSources(ctx context.Context) ([]MediaSource, error) {
	rows, err := s.q.MediaSources(ctx)
	if err != nil {
		return nil, fmt.Errorf("load sources of media: %w", err)
	}
	var all []MediaSource
	for _, r := range rows {
		all = append(all, MediaSource{Site: r.Site, Kind: r.Kind, Base: r.Base, SetBy: r.SetBy, SetAt: r.SetAt})
	}
	return all, nil
}

// MediaSourceFor returns what counts for hosts of a site: its own source, else
// that of all sites, else the console.
func (s *Store) MediaSourceFor(ctx context.Context, site string) (MediaSource, error) {
	r, err := s.q.MediaSourceFor(ctx, site)
	if errors.Is(err, pgx.ErrNoRows) {
		return MediaSource{Kind: SourceConsole}, nil
	}
	if err != nil {
		return MediaSource{}, fmt.Errorf("load the source of media for site %q: %w", site, err)
	}
	return MediaSource{Site: r.Site, Kind: r.Kind, Base: r.Base, SetBy: r.SetBy, SetAt: r.SetAt}, nil
}

// SetMediaSource says where the hosts of a site fetch media from.
func (s *Store) SetMediaSource(ctx context.Context, actor Actor, m MediaSource) error {
	m, err := m.checked()
	if err != nil {
		return fmt.Errorf("set the source of media: %w", err)
	}
	err = s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "planner", "admin"); err != nil {
			return err
		}
		if err := t.q.SetMediaSource(ctx, db.SetMediaSourceParams{Site: m.Site, Kind: m.Kind, Base: m.Base, SetBy: actor.Name}); err != nil {
			return err
		}
		subject := "site " + m.Site
		if m.Site == "" {
			subject = "all sites"
		}
		t.record(actor, Record{What: "media.source", Subject: subject, Detail: map[string]any{"kind": m.Kind, "base": m.Base}})
		return nil
	})
	if err != nil {
		return fmt.Errorf("set the source of media for site %q: %w", m.Site, err)
	}
	return nil
}

// RemoveMediaSource takes a site's source away ("" = that of all sites that have
// none of their own) and returns what it was. rollout.ErrNotFound when it has none.
func (s *Store) RemoveMediaSource(ctx context.Context, actor Actor, site string) (MediaSource, error) {
	var was MediaSource
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "planner", "admin"); err != nil {
			return err
		}
		spelled, err := t.q.SpelledSite(ctx, strings.TrimSpace(site))
		if err != nil {
			return err
		}
		r, err := t.q.RemoveMediaSource(ctx, spelled)
		subject := "site " + spelled
		if spelled == "" {
			subject = "all sites"
		}
		if err != nil {
			return missing(err, "%s has no source of its own.", strings.ToUpper(subject[:1])+subject[1:])
		}
		was = MediaSource{Site: spelled, Kind: r.Kind, Base: r.Base, SetBy: r.SetBy, SetAt: r.SetAt}
		t.record(actor, Record{What: "media.source-removed", Subject: subject, Detail: map[string]any{"kind": r.Kind, "base": r.Base}})
		return nil
	})
	if err != nil {
		return MediaSource{}, fmt.Errorf("remove the source of media for site %q: %w", site, err)
	}
	return was, nil
}

func (m MediaSource) checked() (MediaSource, error) {
	m.Site, m.Base = strings.ToLower(strings.TrimSpace(m.Site)), strings.TrimRight(strings.TrimSpace(m.Base), `\/`)
	if len(m.Base) > 150 || strings.ContainsAny(m.Base, "\"'`$%^&|<>*\r\n\t") {
		return m, rollout.Invalid("%q cannot be an address of media: at most 150 characters and none of \" ' ` $ %% ^ & | < > *.", m.Base)
	}
	switch m.Kind {
	case SourceConsole:
		if m.Base != "" {
			return m, rollout.Invalid("The console's address is set with --media-url of serve.")
		}
	case SourceShare:
		parts := strings.Split(strings.TrimPrefix(m.Base, `\\`), `\`)
		if !strings.HasPrefix(m.Base, `\\`) || len(parts) < 2 || parts[0] == "" || parts[1] == "" || strings.Contains(m.Base, "/") {
			return m, rollout.Invalid(`%q is no share; \\server\share\folder would be one.`, m.Base)
		}
	case SourceMirror:
		at, err := url.Parse(m.Base)
		switch {
		case err == nil && at.Scheme == "https":
			return m, rollout.Invalid("A mirror is read over http: hosts of 2003 know no TLS that servers still speak. What they fetch is proven by its hash.")
		case err != nil || at.Scheme != "http" || at.Host == "" || at.RawQuery != "" || at.Fragment != "":
			return m, rollout.Invalid("%q is no mirror; http://server/folder would be one.", m.Base)
		case at.User != nil:
			return m, rollout.Invalid("A mirror's address holds no user and no password: it would lie on every host.")
		}
	default:
		return m, rollout.Invalid("%q is no kind of source: console, share or mirror.", m.Kind)
	}
	return m, nil
}
