package localpg

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The marker names the folder as ours. Without it nothing in the folder is
// touched.
const (
	markerName = "WAVEKEEPER-DATABASE"
	markerText = "This folder was made by wavekeeper and holds its private PostgreSQL. Do not edit.\n"
)

// layout is the folder of one private database.
type layout struct {
	root string
	user osUser
}

func (l layout) data() string      { return filepath.Join(l.root, "data") }
func (l layout) log() string       { return filepath.Join(l.root, "postgres.log") }
func (l layout) socketDir() string { return filepath.Join(l.root, "run") }
func (l layout) marker() string    { return filepath.Join(l.root, markerName) }

// passwords of the three roles; the file is readable by its owner only.
type passwords struct{ Super, Owner, App string }

// prepare makes the folder with its marker, or checks that it is ours.
func (l layout) prepare() error {
	if err := os.MkdirAll(filepath.Dir(l.root), 0o755); err != nil {
		return err
	}
	if err := l.user.canReach(filepath.Dir(l.root)); err != nil {
		return err
	}
	entries, err := os.ReadDir(l.root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.Mkdir(l.root, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case err != nil:
		return err
	case len(entries) > 0:
		content, err := os.ReadFile(l.marker())
		if err != nil || string(content) != markerText {
			return fmt.Errorf("the folder is not empty and was not made by wavekeeper (no %s in it): choose another folder", markerName)
		}
		return l.makeFolders()
	}
	if err := l.write(markerName, []byte(markerText)); err != nil {
		return err
	}
	return l.makeFolders()
}

func (l layout) makeFolders() error {
	if err := os.Chmod(l.root, 0o700); err != nil {
		return err
	}
	for _, dir := range []string{l.root, l.socketDir()} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := l.user.own(dir); err != nil {
			return err
		}
	}
	return nil
}

// write puts a file into the folder in one piece, readable by its owner only.
// The folder is the database's system user's, and this program may be root: what
// that user laid there, a link above all, must not be written through.
func (l layout) write(name string, content []byte) error {
	path := filepath.Join(l.root, name)
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(content); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := l.user.own(path + ".new"); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// lock keeps two starters of the same folder apart.
func (l layout) lock(ctx context.Context) (func(), error) {
	file, err := os.OpenFile(filepath.Join(l.root, "start.lock"), os.O_CREATE|os.O_RDWR|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		ok, err := tryLock(file)
		if ok {
			return func() { file.Close() }, nil
		}
		if err == nil {
			select {
			case <-time.After(20 * time.Millisecond):
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		file.Close()
		return nil, fmt.Errorf("wait for another start in the same folder: %w", err)
	}
}

func (l layout) loadPasswords() (passwords, error) {
	const name = "passwords.json"
	var p passwords
	content, err := os.ReadFile(filepath.Join(l.root, name))
	if err == nil {
		if err := json.Unmarshal(content, &p); err != nil {
			return p, fmt.Errorf("read %s: %w", name, err)
		}
		return p, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	if _, err := os.Stat(l.data()); err == nil {
		return p, fmt.Errorf("%s is missing beside an existing database", name)
	}
	p = passwords{Super: rand.Text(), Owner: rand.Text(), App: rand.Text()}
	if content, err = json.Marshal(p); err != nil {
		return p, err
	}
	return p, l.write(name, content)
}

// postmaster reads postmaster.pid: process id, data folder, start time, port,
// socket folder, listen address, one a line (Postgres source, pidfile.h).
func (l layout) postmaster() (int, endpoint, error) {
	content, err := os.ReadFile(filepath.Join(l.data(), "postmaster.pid"))
	if err != nil {
		return 0, endpoint{}, err
	}
	lines := strings.Split(string(content), "\n")
	if len(lines) < 6 {
		return 0, endpoint{}, errors.New("postmaster.pid is not complete yet")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil {
		return 0, endpoint{}, fmt.Errorf("read postmaster.pid: %w", err)
	}
	port, err := strconv.Atoi(strings.TrimSpace(lines[3]))
	if err != nil {
		return 0, endpoint{}, fmt.Errorf("read postmaster.pid: %w", err)
	}
	host := strings.TrimSpace(lines[4])
	if host == "" {
		host = strings.TrimSpace(lines[5])
	}
	return pid, endpoint{host: host, port: port}, nil
}
