package twin

import (
	"fmt"
	"strings"
)

func (s *session) chdir(rest string, io streams) int {
	arg := strings.TrimSpace(rest)
	drive := false
	if low := strings.ToLower(arg); strings.HasPrefix(low, "/d") {
		arg, drive = strings.TrimSpace(arg[2:]), true
	}
	if arg = strings.Trim(arg, `"`); arg == "" {
		s.say(io.out, "%s\r\n", s.cwd)
		return 0
	}
	path := clean(arg, s.cwd)
	there := false
	s.h.look(func() {
		if there = s.h.folderAt(path); there {
			if f := s.h.fileAt(path); f != nil {
				path = f.Path
			}
		}
	})
	if !there {
		return s.fail(io, "The system cannot find the path specified.")
	}
	if drive || strings.EqualFold(path[:2], s.cwd[:2]) {
		s.cwd = path
	}
	return 0
}

func (s *session) pushd(rest string, io streams) int {
	return s.chdir(" /d "+strings.TrimSpace(rest), io)
}

// mkdir is atomic: of two that make the same folder one succeeds.
func (s *session) mkdir(rest string, io streams) int {
	_, words := switches(rest)
	if len(words) == 0 {
		return s.fail(io, "The syntax of the command is incorrect.")
	}
	for _, w := range words {
		path := clean(w, s.cwd)
		made := false
		s.h.update(func() {
			if s.h.fileAt(path) == nil && len(path) > 3 {
				s.h.makeFolder(path)
				made = true
			}
		})
		if !made {
			return s.fail(io, "A subdirectory or file %s already exists.", w)
		}
	}
	return 0
}

func (s *session) rmdir(rest string, io streams) int {
	flags, words := switches(rest)
	code := 0
	for _, w := range words {
		path := clean(w, s.cwd)
		why := ""
		s.h.update(func() {
			f := s.h.fileAt(path)
			switch {
			case f == nil:
				why = "The system cannot find the file specified."
			case !f.Dir:
				why = "The directory name is invalid."
			case !flags["s"] && len(s.h.entries(path)) > 0:
				why = "The directory is not empty."
			default:
				s.h.removeTree(path)
			}
		})
		if why != "" {
			// rd says so, and keeps ERRORLEVEL as it was unless || follows; the
			// result that cmd /c returns is the Win32 error.
			code = 2
			s.tell(io.err, "%s\r\n", why)
		}
	}
	return code
}

func (s *session) del(rest string, io streams) int {
	_, words := switches(rest)
	for _, w := range words {
		path := clean(w, s.cwd)
		found := 0
		s.h.update(func() {
			if f := s.h.fileAt(path); f != nil && f.Dir {
				path += `\*`
			}
			for _, f := range s.h.wild(path) {
				if !f.Dir {
					delete(s.h.state.Files, strings.ToLower(f.Path))
					found++
				}
			}
		})
		if found == 0 {
			s.say(io.err, "Could Not Find %s\r\n", path) // ERRORLEVEL stays
		}
	}
	return 0
}

func (s *session) dir(rest string, io streams) int {
	flags, words := switches(rest)
	if len(words) == 0 {
		words = []string{"."}
	}
	for _, w := range words {
		path := clean(w, s.cwd)
		var found []*file
		folder := path
		s.h.look(func() {
			if s.h.folderAt(path) {
				found = s.h.entries(path)
			} else {
				folder = parent(path)
				found = s.h.wild(path)
			}
		})
		var kept []*file
		for _, f := range found {
			if flags["a:d"] && !f.Dir || flags["ad"] && !f.Dir || flags["a-d"] && f.Dir {
				continue
			}
			kept = append(kept, f)
		}
		exists := false
		s.h.look(func() { exists = s.h.folderAt(path) })
		if len(kept) == 0 && (!exists || flags["b"]) {
			return s.fail(io, "File Not Found")
		}
		if flags["b"] {
			for _, f := range kept {
				s.say(io.out, "%s\r\n", base(f.Path))
			}
			continue
		}
		s.say(io.out, " Volume in drive %s has no label.\r\n Volume Serial Number is DE0A-8E57\r\n\r\n Directory of %s\r\n\r\n", folder[:1], folder)
		for _, f := range kept {
			size := fmt.Sprintf("%17d", len(f.Data))
			if f.Dir {
				size = "    <DIR>        "
			}
			s.say(io.out, "%s %s %s\r\n", f.Modified.In(s.h.platform.zone).Format(s.h.platform.dirTime), size, base(f.Path))
		}
		s.say(io.out, "%16d File(s)\r\n", len(kept))
	}
	s.level = 0
	return 0
}

func (s *session) typeFile(rest string, io streams) int {
	_, words := switches(rest)
	if len(words) == 0 {
		return s.fail(io, "The syntax of the command is incorrect.")
	}
	for _, w := range words {
		if isNul(w) {
			continue
		}
		path := clean(w, s.cwd)
		var data []byte
		why := ""
		s.h.look(func() {
			switch f := s.h.fileAt(path); {
			case f == nil:
				why = "The system cannot find the file specified."
			case f.Dir:
				why = "Access is denied."
			default:
				data = append(data, f.Data...)
			}
		})
		if why != "" {
			return s.fail(io, "%s", why)
		}
		_, _ = io.out.Write(data) // a handle of the simulation does not fail
	}
	s.level = 0
	return 0
}

// isNul reports whether a word is the device that is empty and takes all.
func isNul(word string) bool { return strings.EqualFold(strings.TrimSuffix(word, ":"), "nul") }

func (s *session) copyFile(rest string, io streams) int {
	_, words := switches(rest)
	if len(words) == 0 || len(words) > 2 {
		return s.fail(io, "The syntax of the command is incorrect.")
	}
	target := s.cwd
	if len(words) == 2 {
		target = clean(words[1], s.cwd)
	}
	n, why := 0, "The system cannot find the file specified."
	s.h.update(func() {
		from := s.h.wild(clean(words[0], s.cwd))
		if isNul(words[0]) && len(words) == 2 && !s.h.folderAt(target) {
			from = []*file{{Path: target}} // empty
		}
		for _, f := range from {
			if f.Dir {
				continue
			}
			to := target
			if s.h.folderAt(target) {
				to = strings.TrimSuffix(target, `\`) + `\` + base(f.Path)
			}
			if !s.h.folderAt(parent(to)) {
				why = "The system cannot find the path specified."
				return
			}
			if !s.h.hasRoom(to, len(f.Data)) {
				why = "There is not enough space on the disk."
				return
			}
			s.h.writeFile(to, append([]byte(nil), f.Data...))
			n++
		}
	})
	if n == 0 {
		s.say(io.out, "        0 file(s) copied.\r\n")
		return s.fail(io, "%s", why)
	}
	s.say(io.out, "        %d file(s) copied.\r\n", n)
	s.level = 0
	return 0
}

func (s *session) move(rest string, io streams) int {
	_, words := switches(rest)
	if len(words) != 2 {
		return s.fail(io, "The syntax of the command is incorrect.")
	}
	from, to := clean(words[0], s.cwd), clean(words[1], s.cwd)
	why := ""
	s.h.update(func() {
		f := s.h.fileAt(from)
		if f == nil {
			why = "The system cannot find the file specified."
			return
		}
		if s.h.folderAt(to) {
			to += `\` + base(from)
		}
		if !s.h.folderAt(parent(to)) {
			why = "The system cannot find the path specified."
			return
		}
		s.h.moveTree(from, to)
	})
	if why != "" {
		return s.fail(io, "%s", why)
	}
	s.say(io.out, "        1 file(s) moved.\r\n")
	s.level = 0
	return 0
}

// moveTree moves a file, or a folder with all in it.
func (h *host) moveTree(from, to string) {
	low := strings.ToLower(from)
	for p, f := range h.state.Files {
		if p == low || strings.HasPrefix(p, low+`\`) {
			delete(h.state.Files, p)
			f.Path = to + f.Path[len(from):]
			h.state.Files[strings.ToLower(f.Path)] = f
		}
	}
}

func (s *session) rename(rest string, io streams) int {
	_, words := switches(rest)
	if len(words) != 2 {
		return s.fail(io, "The syntax of the command is incorrect.")
	}
	from := clean(words[0], s.cwd)
	to := parent(from) + `\` + base(words[1])
	ok := false
	s.h.update(func() {
		if s.h.fileAt(from) != nil && s.h.fileAt(to) == nil {
			s.h.moveTree(from, to)
			ok = true
		}
	})
	if !ok {
		return s.fail(io, "A duplicate file name exists, or the file\r\ncannot be found.")
	}
	return 0
}
