// Package localpg runs a private Postgres in a folder of its own: it finds the
// installed binaries, initialises, starts, adopts and stops it. It never
// touches a folder or a database that it did not make, and it knows nothing of
// the program that uses it: no schema, no migrations.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Names inside the private Postgres.
const (
	Database  = "wavekeeper"       // the database
	OwnerRole = "wavekeeper_owner" // owns the database and migrates it
	AppRole   = "wavekeeper"       // the program's own role: no DDL
	superRole = "postgres"
)

// startTimeout bounds how long a start may take: crash recovery and a
// predecessor that is still shutting down are waited for.
const startTimeout = 60 * time.Second

// Options say where the database lives.
type Options struct {
	Dir      string   // made when absent; refused when it holds anything that is not ours
	BinDir   string   // folder of initdb and postgres; empty = PG_BIN, then the usual places
	TCP      bool     // 127.0.0.1 and a free port even where a Unix socket would do
	Settings []string // further "name=value" settings on the command line, for tests
}

// Server is a running private Postgres.
type Server struct {
	dir       layout
	bin       binaries
	options   Options
	passwords passwords
	adopted   bool
	where     endpoint

	mu       sync.Mutex
	process  *process
	stopping bool
	watched  chan struct{} // closed when the supervisor has ended
}

// Start starts the database in o.Dir, or adopts the one that already runs
// there, and makes its two roles. It retries while a predecessor is still
// letting go of the folder. A database that Start started is started again
// when it dies; Stop ends it, and so does the death of this program.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Dir == "" {
		return nil, errors.New("start the private database: no folder given")
	}
	bin, err := findBinaries(o.BinDir)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start the private database: %w", err)
	}
	who, err := systemUser()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s := &Server{dir: layout{root: abs, user: who}, bin: bin, options: o}
	if err := s.start(ctx); err != nil {
		return nil, fmt.Errorf("start the private database in %s: %w", abs, err)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	if err := s.dir.prepare(); err != nil {
		return err
	}
	unlock, err := s.dir.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if s.passwords, err = s.dir.loadPasswords(); err != nil {
		return err
	}
	if err := s.initialise(ctx); err != nil {
		return err
	}
	for {
		if err := s.bringUp(ctx); err != nil {
			return err
		}
		err := s.makeRoles(ctx)
		if err == nil {
			break
		}
		if !s.adopted {
			s.halt()
			return err
		}
		select { // what was adopted goes down with the program that was killed
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	if !s.adopted {
		s.watched = make(chan struct{})
		go s.supervise()
	}
	return nil
}

// bringUp adopts or launches, again and again until one works or time is up.
func (s *Server) bringUp(ctx context.Context) error {
	for {
		if where, ok := s.running(ctx); ok {
			s.adopted, s.where = true, where
			return nil
		}
		err := s.launch(ctx)
		if err == nil {
			s.adopted = false
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// launch starts one postmaster and waits until it answers.
func (s *Server) launch(ctx context.Context) error {
	if s.where == (endpoint{}) {
		where, err := s.dir.endpoint(ctx, s.options.TCP)
		if err != nil {
			return err
		}
		s.where = where
	}
	args := append([]string{"-D", s.dir.data()}, s.where.arguments()...)
	for _, setting := range s.options.Settings {
		args = append(args, "-c", setting)
	}
	p, err := startProcess(s.bin.postgres, args, s.dir.log(), s.dir.user)
	if err != nil {
		return err
	}
	for {
		err := s.ping(ctx, s.where)
		if err == nil {
			s.mu.Lock()
			s.process = p
			s.mu.Unlock()
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("postgres ended at once: %s", lastLines(s.dir.log()))
		case <-ctx.Done():
			p.stop()
			return fmt.Errorf("postgres does not answer: %w: %s", err, lastLines(s.dir.log()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// supervise starts the postmaster again whenever it ends unasked.
func (s *Server) supervise() {
	defer close(s.watched)
	for {
		<-s.current().ended
		for !s.stopped() {
			ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
			err := s.launch(ctx)
			cancel()
			if err == nil {
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
		if s.stopped() {
			s.current().stop()
			return
		}
	}
}

func (s *Server) current() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

func (s *Server) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// Stop ends a database that Start started: a fast shutdown, which waits for no
// client. An adopted one is left running; its own starter stops it.
func (s *Server) Stop() {
	if !s.adopted {
		s.halt()
	}
}

func (s *Server) halt() {
	s.mu.Lock()
	s.stopping = true
	p := s.process
	s.mu.Unlock()
	if p != nil {
		p.stop()
	}
	if s.watched != nil {
		<-s.watched
	}
}

// Adopted reports whether the database was already running.
func (s *Server) Adopted() bool { return s.adopted }

// Pid returns the process id of the postmaster, 0 when it cannot be read.
func (s *Server) Pid() int {
	pid, _, err := s.dir.postmaster()
	if err != nil {
		return 0
	}
	return pid
}

// OwnerURL connects as the role that owns and migrates the database.
func (s *Server) OwnerURL() string { return s.where.url(OwnerRole, s.passwords.Owner, Database) }

// AppURL connects as the program's own role.
func (s *Server) AppURL() string { return s.where.url(AppRole, s.passwords.App, Database) }

// AdminURL connects to the named database as the superuser. Only tests, which
// make databases of their own, need it.
func (s *Server) AdminURL(database string) string {
	return s.where.url(superRole, s.passwords.Super, database)
}

// lastLines returns the end of the log, for an error's text.
func lastLines(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return "its log cannot be read: " + err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], " | ")
}
