package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wavekeeper/server/jobs"
	"wavekeeper/server/media"
	"wavekeeper/server/rollout"
	"wavekeeper/server/secret"
	"wavekeeper/server/store"
)

// MediaListenFlags say how hosts fetch media from this console.
type MediaListenFlags struct {
	MediaListen string   `name:"media-listen" help:"Address of the listener that hosts fetch media from, such as 0.0.0.0:8082. It is http: what is fetched is public, proven by its hash and given only to a host with a running job. Empty: none here; hosts fetch from another console, a share or a mirror." env:"WAVEKEEPER_MEDIA_LISTEN" placeholder:"HOST:PORT"`
	MediaURL    string   `name:"media-url" help:"Where hosts reach that listener, such as http://wavekeeper.contoso.com:8082. Empty: this machine's address towards the host, and the listener's port." env:"WAVEKEEPER_MEDIA_URL" placeholder:"URL"`
	MediaRate   byteRate `name:"media-rate" default:"50MB" help:"What all hosts together may fetch in a second, such as 50MB; 0 is no limit." env:"WAVEKEEPER_MEDIA_RATE" placeholder:"BYTES"`
	MediaHosts  int      `name:"media-hosts" default:"10" help:"Hosts that may fetch at the same time; others are told to come later. 0 is no limit." env:"WAVEKEEPER_MEDIA_HOSTS"`
}

// byteRate is a number of bytes: "50MB", "1.5 GB", "0".
type byteRate int64

// UnmarshalText reads a number with kB, MB or GB behind it, or none.
func (b *byteRate) UnmarshalText(text []byte) error {
	number, factor := strings.ToUpper(strings.TrimSpace(string(text))), 1.0
	for unit, f := range map[string]float64{"KB": 1e3, "MB": 1e6, "GB": 1e9} {
		if rest, ok := strings.CutSuffix(number, unit); ok {
			number, factor = strings.TrimSpace(rest), f
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n < 0 || n*factor > 1e15 || math.IsNaN(n) {
		return fmt.Errorf("%q is no number of bytes such as 50MB", text)
	}
	*b = byteRate(n * factor)
	return nil
}

// checkMedia refuses addresses that cannot be meant.
func (c *ServeCmd) checkMedia() error {
	if c.MediaListen == "" {
		if c.MediaURL != "" {
			return errors.New("--media-url says where a listener is reached that --media-listen does not start: set both or none")
		}
		return nil
	}
	_, text, err := net.SplitHostPort(c.MediaListen)
	if err != nil {
		return fmt.Errorf("--media-listen %s: %w", c.MediaListen, err)
	}
	if port, err := strconv.ParseUint(text, 10, 16); err != nil || port == 0 {
		return fmt.Errorf("--media-listen %s: a port that hosts can be told is wanted", c.MediaListen)
	}
	if c.Demo && !isLoopback(c.MediaListen) {
		return fmt.Errorf("--media-listen %s: a demo listens on loopback addresses only", c.MediaListen)
	}
	if c.MediaHosts < 0 {
		return fmt.Errorf("--media-hosts %d: a number from 0 is wanted", c.MediaHosts)
	}
	if c.MediaURL == "" {
		return nil
	}
	at, err := url.Parse(c.MediaURL)
	if err != nil || at.Scheme != "http" || at.Host == "" || at.User != nil || strings.Trim(at.Path, "/") != "" || at.RawQuery != "" {
		return fmt.Errorf("--media-url %s: http, a name and a port are wanted, such as http://wavekeeper.contoso.com:8082", c.MediaURL)
	}
	return nil
}

// media is what the coordinator must know to send hosts to the listener.
func (c *ServeCmd) media(key *secret.Key, listener *media.Listener) jobs.Media {
	if listener == nil {
		return jobs.Media{}
	}
	_, text, err := net.SplitHostPort(c.MediaListen)
	if err != nil {
		return jobs.Media{} // checkMedia has refused it
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return jobs.Media{} // as above
	}
	return jobs.Media{URL: strings.TrimRight(c.MediaURL, "/"), Port: port, Hosts: c.MediaHosts, Secret: key.Derive, Revoke: listener.Revoke}
}

// mediaListener makes the listener and what is counted of it; nil without one.
// What lies in the folder is hashed meanwhile, so that no host waits for it.
func (c *ServeCmd) mediaListener(p *parts, s *store.Store, log *slog.Logger) (*media.Listener, []prometheus.Collector, error) {
	if c.MediaListen == "" {
		return nil, nil, nil
	}
	shelf, err := c.shelf()
	if err != nil {
		return nil, nil, err
	}
	p.run(func(ctx context.Context) error {
		warm(ctx, shelf, log)
		return nil
	})
	counts := newMediaCounts()
	listener := media.New(media.Options{
		Grants: mediaGrants{s}, Files: shelf, Rate: int64(c.MediaRate), Hosts: c.MediaHosts, Log: log,
		Seen: func(e media.Event) {
			counts.seen(e)
			noteRefused(s, e, log)
		},
	})
	return listener, append(counts.all(), prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Name: "wavekeeper_media_transfers", Help: "Hosts that fetch media now."},
		func() float64 { return float64(listener.Busy()) })), nil
}

// serveMedia starts the listener at its own address.
func (c *ServeCmd) serveMedia(p *parts, listener *media.Listener, failed chan<- error) error {
	if listener == nil {
		return nil
	}
	return p.serve("media", c.MediaListen, listener.Server(), failed)
}

// warm hashes what lies on the shelf, and says what is not what it was.
func warm(ctx context.Context, shelf *media.Shelf, log *slog.Logger) {
	bundles, err := shelf.Bundles()
	if err != nil {
		log.Warn("media cannot be listed", "part", "media", "err", err)
	}
	for _, sum := range bundles {
		if _, err := shelf.File(ctx, sum); err != nil && ctx.Err() == nil {
			log.Error("media cannot be served", "part", "media", "err", err)
		}
	}
}

// mediaGrants is the store as the listener asks it.
type mediaGrants struct{ store *store.Store }

// Grant answers for the token of a staging that is in work.
func (g mediaGrants) Grant(ctx context.Context, tokenSHA256 string) (media.Grant, error) {
	have, err := g.store.GrantByToken(ctx, tokenSHA256)
	if errors.Is(err, rollout.ErrNotFound) {
		return media.Grant{}, media.ErrNoGrant
	}
	if err != nil {
		return media.Grant{}, err
	}
	return media.Grant{
		Job: have.Staging, Host: have.Host, Addresses: have.Addresses, Bundles: []string{have.BundleSHA256}, Until: have.Until,
	}, nil
}

// noteWithin bounds how long a request's end may wait for the database.
const noteWithin = 5 * time.Second

// noteRefused keeps with a staging what its host was refused, so that an address
// that is translated on the way, or media that are missing here, are found.
func noteRefused(s *store.Store, e media.Event, log *slog.Logger) {
	words := ""
	switch e.Refused {
	case media.RefusedAddress:
		words = fmt.Sprintf("It asked from %s, which is none of its addresses: something on the way translates them", e.From)
	case media.RefusedMissing:
		words = "The console that it asked does not have the media: run media add there, let the consoles share one folder, or name a share or mirror"
	case media.RefusedChanged:
		words = "The media on the console are not what was registered any more: see its log, and add them again"
	}
	if e.Job == 0 || words == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), noteWithin)
	defer cancel()
	if err := s.NoteMediaRefused(ctx, e.Job, words); err != nil {
		log.Warn("what a host was refused is not kept", "part", "media", "host", e.Host, "err", err)
	}
}

// mediaCounts is what those who watch the program see of the listener.
type mediaCounts struct {
	bytes    prometheus.Counter
	requests *prometheus.CounterVec
}

func newMediaCounts() mediaCounts {
	return mediaCounts{
		bytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "wavekeeper_media_bytes_total", Help: "Bytes of media that hosts fetched from this console."}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wavekeeper_media_requests_total", Help: "Requests for media; refused says why one was, and is empty for one that was served.",
		}, []string{"refused"}),
	}
}

func (m mediaCounts) seen(e media.Event) {
	m.bytes.Add(float64(e.Bytes))
	m.requests.WithLabelValues(e.Refused).Inc()
}

func (m mediaCounts) all() []prometheus.Collector {
	return []prometheus.Collector{m.bytes, m.requests}
}
