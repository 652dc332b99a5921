package twin

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
)

// streams are a program's three handles.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// codePageOf is the encoding of a console code page.
func codePageOf(n int) encoding.Encoding {
	switch n {
	case 437:
		return charmap.CodePage437
	case 850:
		return charmap.CodePage850
	case 932:
		return japanese.ShiftJIS // Windows' own, with NEC's and IBM's letters
	case 1252:
		return charmap.Windows1252
	}
	return encoding.Nop // 65001
}

// encode writes text in a code page; what it does not have becomes "?".
func encode(text string, codePage int) []byte {
	e := codePageOf(codePage)
	if e == encoding.Nop {
		return []byte(text)
	}
	var out []byte
	for _, r := range text {
		if r < 0x80 {
			out = append(out, byte(r))
			continue
		}
		raw, err := e.NewEncoder().String(string(r))
		if err != nil {
			raw = "?"
		}
		out = append(out, raw...)
	}
	return out
}

// decode reads bytes of a code page.
func decode(raw []byte, codePage int) string {
	text, err := codePageOf(codePage).NewDecoder().Bytes(raw)
	if err != nil {
		return string(raw)
	}
	return string(text)
}

// fileWriter appends to a file of the host.
type fileWriter struct {
	h    *host
	path string
}

// Write appends to the file.
func (w fileWriter) Write(p []byte) (int, error) {
	data := append([]byte(nil), p...)
	var err error
	w.h.update(func() {
		size := len(data)
		if f := w.h.fileAt(w.path); f != nil {
			size += len(f.Data)
		}
		if !w.h.hasRoom(w.path, size) {
			err = message("There is not enough space on the disk.")
			return
		}
		w.h.appendFile(w.path, data)
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// redirected opens what the redirections name.
func (s *session) redirected(where []redirection, io streams) (streams, func(), error) {
	var held []func()
	done := func() {
		for _, release := range held {
			release()
		}
	}
	for _, r := range where {
		if r.same >= 0 {
			target := io.out
			if r.same == 2 {
				target = io.err
			}
			if r.handle == 2 {
				io.err = target
			} else {
				io.out = target
			}
			continue
		}
		name := strings.Trim(s.late(r.target), `"`)
		if r.input {
			if strings.EqualFold(name, "nul") {
				io.in = strings.NewReader("")
				continue
			}
			var data []byte
			found := false
			s.h.look(func() {
				if f := s.h.fileAt(clean(name, s.cwd)); f != nil && !f.Dir {
					data, found = append([]byte(nil), f.Data...), true
				}
			})
			if !found {
				done()
				return io, nil, message("The system cannot find the file specified.")
			}
			io.in = bytes.NewReader(data)
			continue
		}
		w, err := s.open(name, r.append)
		if err != nil {
			done()
			return io, nil, err
		}
		switch r.handle {
		case 1:
			io.out = w
		case 2:
			io.err = w
		default: // nobody writes to it, and it stays open
			held = append(held, s.h.hold(clean(name, s.cwd)))
		}
	}
	return io, done, nil
}

// open makes or continues a file for output.
func (s *session) open(name string, more bool) (io.Writer, error) {
	if strings.EqualFold(name, "nul") {
		return io.Discard, nil
	}
	path := clean(name, s.cwd)
	var err error
	s.h.update(func() {
		f := s.h.fileAt(path)
		switch {
		case !s.h.folderAt(parent(path)):
			err = message("The system cannot find the path specified.")
		case f != nil && f.Dir:
			err = message("Access is denied.")
		case f == nil || !more:
			s.h.writeFile(path, nil)
		}
	})
	return fileWriter{s.h, path}, err
}

// inputStream is what a client sends to a command's stdin.
type inputStream struct {
	console bool // behaves as a keyboard: nobody waits for its end
	mu      sync.Mutex
	data    []byte
	ended   bool
	changed chan struct{}
}

func newInputStream(console bool) *inputStream {
	return &inputStream{console: console, changed: make(chan struct{})}
}

func (i *inputStream) put(p []byte, end bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended {
		return
	}
	i.data = append(i.data, p...)
	i.ended = end
	close(i.changed)
	i.changed = make(chan struct{})
}

func (i *inputStream) reader(ctx context.Context) io.Reader { return inputReader{ctx, i} }

type inputReader struct {
	ctx context.Context
	i   *inputStream
}

// Read waits for input; it ends with the stream or with the command.
func (r inputReader) Read(p []byte) (int, error) {
	for {
		r.i.mu.Lock()
		if len(r.i.data) > 0 {
			n := copy(p, r.i.data)
			r.i.data = r.i.data[n:]
			r.i.mu.Unlock()
			return n, nil
		}
		ended, changed := r.i.ended, r.i.changed
		r.i.mu.Unlock()
		if ended {
			return 0, io.EOF
		}
		select {
		case <-changed:
		case <-r.ctx.Done():
			return 0, io.EOF
		}
	}
}

// message is what cmd.exe says when it refuses; the wording is Windows' own.
type message string

// Error is the wording.
func (m message) Error() string { return string(m) }
