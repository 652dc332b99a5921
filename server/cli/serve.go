package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"wavekeeper/migrations"
	"wavekeeper/server/httpd"
	"wavekeeper/server/jobs"
	"wavekeeper/server/live"
	"wavekeeper/server/store"
)

// stopWithin is how long a graceful stop may take: a tick's own limit and a margin.
const stopWithin = 40 * time.Second

// ServeCmd runs the console and the coordinator: any number of them may share
// one database, and any of them may be killed.
type ServeCmd struct {
	DatabaseFlags
	KeyFlags
	MediaFlags
	MediaListenFlags
	HookDirFlags
	Listen        string   `default:"127.0.0.1:8080" help:"Address of the console." env:"WAVEKEEPER_LISTEN" placeholder:"HOST:PORT"`
	MetricsListen string   `name:"metrics-listen" help:"Address of /metrics and /readyz without a token, such as 127.0.0.1:9090. Empty: none; they are at the console's address behind --metrics-token." env:"WAVEKEEPER_METRICS_LISTEN" placeholder:"HOST:PORT"`
	MetricsToken  string   `name:"metrics-token" help:"Bearer token for /metrics and /readyz at the console's address. Empty: they are not there." env:"WAVEKEEPER_METRICS_TOKEN" placeholder:"TOKEN"`
	PublicURL     string   `name:"public-url" help:"Where people reach the console, such as https://wavekeeper.contoso.com. https makes cookies secure." env:"WAVEKEEPER_PUBLIC_URL" placeholder:"URL"`
	TrustedProxy  []string `name:"trusted-proxy" help:"Address or range of the proxy in front of the console, several with commas: its X-Forwarded-For says where people are. It must set or extend that header itself." env:"WAVEKEEPER_TRUSTED_PROXY" placeholder:"ADDRESS"`
	Workers       int      `default:"50" help:"Jobs that this process works on at the same time." env:"WAVEKEEPER_WORKERS"`
	Demo          bool     `hidden:"" help:"Say demo on every page; only for a demo's database."`
}

// Run serves until it is told to stop (SIGINT, SIGTERM).
func (c *ServeCmd) Run(g *Globals) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(g.Stderr, nil))

	proxies, err := c.check(log)
	if err != nil {
		return err
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.CheckSchema(ctx, migrations.FS); err != nil {
		return err
	}
	key, err := c.key(ctx, s, false)
	if err != nil {
		return err
	}
	hooks, err := c.dir()
	if err != nil {
		return err
	}
	s.UseHooks(jobs.HooksNow(s, hooks))
	if _, err := s.Installation(ctx, c.Demo); err != nil {
		return err
	}
	if err := c.firstAdmin(ctx, s, g.Stderr); err != nil {
		return err
	}

	parts := &parts{log: log}
	defer parts.stop()
	hub := live.New(c.Database, log)
	parts.run(func(ctx context.Context) error { return hub.Run(ctx) })

	listener, counts, err := c.mediaListener(parts, s, log)
	if err != nil {
		return err
	}
	engine, err := jobs.New(jobs.Options{Store: s, Keys: key, Log: log, Workers: c.Workers, Media: c.media(key, listener), Hooks: hooks})
	if err != nil {
		return err
	}
	if err := engine.Start(ctx); err != nil {
		return err
	}
	parts.then("coordinator", engine.Stop)

	failed := make(chan error, 3)
	if err := c.serveMedia(parts, listener, failed); err != nil {
		return err
	}
	handler, ops := c.console(s, key.ID(), hub, proxies, log, counts...)
	if err := parts.listen("console", c.Listen, handler, failed); err != nil {
		return err
	}
	if c.MetricsListen != "" {
		if err := parts.listen("metrics", c.MetricsListen, ops, failed); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		log.Info("stopping")
		return nil
	case err := <-failed:
		return err
	}
}

// firstAdmin prints a one-time token while nobody is an admin.
func (c *ServeCmd) firstAdmin(ctx context.Context, s *store.Store, out io.Writer) error {
	needed, err := s.NeedsFirstAdmin(ctx)
	if err != nil || !needed {
		return err
	}
	raw := make([]byte, 20)
	if _, err := rand.Read(raw); err != nil {
		return fmt.Errorf("make the first admin's token: %w", err)
	}
	token := hex.EncodeToString(raw)
	if err := s.SetFirstAdminToken(ctx, token); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Nobody is an admin yet. Open %s/first-admin and give this token, which works once and for a day: %s\n", c.address(), token)
	return err
}

// address is where people open the console.
func (c *ServeCmd) address() string {
	if c.PublicURL != "" {
		return c.PublicURL
	}
	return "http://" + c.Listen
}

// parts are what runs, stopped in the opposite order of their start.
type parts struct {
	log   *slog.Logger
	stops []func()
}

// run runs a part until the end.
func (p *parts) run(part func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := part(ctx); err != nil {
			p.log.Error("part ended", "err", err)
		}
	})
	p.stops = append(p.stops, func() { cancel(); done.Wait() })
}

// then stops a part that runs already.
func (p *parts) then(name string, stop func(context.Context) error) {
	p.stops = append(p.stops, func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
		defer cancel()
		if err := stop(ctx); err != nil {
			p.log.Warn("stopped hard", "part", name, "err", err)
		}
	})
}

// listen serves pages and figures.
func (p *parts) listen(name, address string, handler http.Handler, failed chan<- error) error {
	return p.serve(name, address, &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: httpd.MaxHeader,
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}, failed)
}

// serve serves HTTP; what ends it early is sent to failed.
func (p *parts) serve(name, address string, server *http.Server, failed chan<- error) error {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return fmt.Errorf("listen for the %s: %w", name, err)
	}
	// Streams last for hours and end when their request's context does.
	base, endStreams := context.WithCancel(context.Background())
	server.BaseContext = func(net.Listener) context.Context { return base }
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve the %s: %w", name, err)
		}
	}()
	p.log.Info("listening", "part", name, "address", listener.Addr().String())
	p.then(name, func(ctx context.Context) error {
		endStreams()
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return server.Close()
		}
		return nil
	})
	return nil
}

func (p *parts) stop() {
	for i := len(p.stops) - 1; i >= 0; i-- {
		p.stops[i]()
	}
}
