package twin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
	"time"
)

// file is a file or a folder of the host.
type file struct {
	Path      string    `json:"path"`
	Dir       bool      `json:"dir,omitempty"`
	Data      []byte    `json:"data,omitempty"`
	Modified  time.Time `json:"modified"`
	Owner     string    `json:"owner,omitempty"`   // SID; empty = administrators
	Entries   []string  `json:"entries,omitempty"` // SIDs of a protected DACL; empty = inherited
	Protected bool      `json:"protected,omitempty"`
	Version   string    `json:"version,omitempty"`  // of the version resource
	Company   string    `json:"company,omitempty"`  // the same
	Junction  bool      `json:"junction,omitempty"` // a reparse point: what is asked of it is its target's, but its attributes
}

// mediaRoot is where the packages lie until media is distributed.
const mediaRoot = `C:\Wavekeeper\media`

// packages are the service packs whose media every host has.
var packages = []string{"sp1", "sp2", "sp3"}

// mediaBytes are the fixed bytes that stand for a package's setup.com.
func mediaBytes(pkg, language, arch string) []byte {
	head := fmt.Sprintf("MZ\x90\x00Exchange Server 2007 %s setup.com language=%s arch=%s\r\n",
		strings.ToUpper(pkg), language, arch)
	return []byte(head + strings.Repeat("\x00This program cannot be run in DOS mode.\r\n", 8))
}

// SetupSHA256 is the SHA-256, in lower-case hex, of the setup.com that every
// host has for a package ("sp1", "sp2", "sp3"), a language and an architecture.
func SetupSHA256(pkg, language, arch string) string {
	sum := sha256.Sum256(mediaBytes(strings.ToLower(pkg), language, arch))
	return hex.EncodeToString(sum[:])
}

// mediaOf reads what a file that looks like setup.com is.
func mediaOf(data []byte) (pkg, language, arch string, ok bool) {
	_, rest, found := strings.Cut(string(data), "Exchange Server 2007 ")
	if !found {
		return "", "", "", false
	}
	if n, err := fmt.Sscanf(rest, "%s setup.com language=%s arch=%s", &pkg, &language, &arch); n != 3 || err != nil {
		return "", "", "", false
	}
	pkg = strings.ToLower(pkg)
	return pkg, language, arch, string(mediaBytes(pkg, language, arch)) == string(data)
}

func (h *host) freshFiles() {
	for _, d := range []string{
		h.platform.system32(), h.platform.windows + `\Tasks`, h.platform.windows + `\Temp`, h.platform.profileFolder() + `\All Users`,
		h.platform.profileFolder() + `\` + h.fleet.opt.User, h.platform.installPath() + `bin`, `D:\`,
	} {
		h.makeFolder(d)
	}
	for _, program := range []string{`reg.exe`, `sc.exe`, `schtasks.exe`, `shutdown.exe`, `wbem\wmic.exe`, `WindowsPowerShell\v1.0\powershell.exe`} {
		h.writeFile(h.platform.system32()+`\`+program, nil)
	}
	row := h.row()
	language, arch := row.Language, row.Arch
	if language == "" {
		language = "en-US"
	}
	if arch == "" {
		arch = "x64"
	}
	h.installFiles(h.build())
	h.makeFolder(mediaRoot)
	for _, pkg := range packages {
		if h.fleet.opt.NoMedia {
			continue
		}
		folder := mediaRoot + `\` + pkg + "-" + language + "-" + arch
		h.makeFolder(folder)
		h.writeFile(folder+`\setup.com`, mediaBytes(pkg, language, arch))
		for _, l := range row.UMLanguages {
			h.makeFolder(folder + `\` + umPackFolder)
			h.writeFile(folder+`\`+umPackFolder+`\UMLanguagePack.`+l+`.msi`, []byte("um "+l+" "+pkg))
		}
	}
	for folder, data := range h.fleet.opt.Rollups {
		h.makeFolder(folder)
		h.writeFile(folder+`\rollup.msp`, data)
	}
	// The media folder lies in the product's own, which is made with a
	// protected DACL so that ordinary users cannot put their own Setup there.
	for _, p := range []string{`c:\wavekeeper`, strings.ToLower(mediaRoot)} {
		f := h.state.Files[p]
		f.Owner, f.Entries, f.Protected = "S-1-5-32-544", []string{sidSystem, "S-1-5-32-544"}, true
	}
}

// clean makes a path absolute against a directory and resolves . and ..
func clean(path, cwd string) string {
	path = strings.ReplaceAll(strings.Trim(path, `"`), "/", `\`)
	switch {
	case len(path) >= 2 && path[1] == ':':
		if len(path) == 2 {
			path += `\`
		}
	case strings.HasPrefix(path, `\`):
		path = cwd[:2] + path
	default:
		path = strings.TrimSuffix(cwd, `\`) + `\` + path
	}
	var parts []string
	for i, p := range strings.Split(path, `\`) {
		switch {
		case p == "" || p == ".":
		case p == "..":
			if len(parts) > 1 {
				parts = parts[:len(parts)-1]
			}
		case i == 0:
			parts = append(parts, strings.ToUpper(p))
		default:
			parts = append(parts, strings.TrimRight(p, " ."))
		}
	}
	if len(parts) == 1 {
		return parts[0] + `\`
	}
	return strings.Join(parts, `\`)
}

// fileAt finds a file or folder by its absolute path; the caller holds the
// lock, as for every function here.
func (h *host) fileAt(path string) *file { return h.state.Files[strings.ToLower(path)] }

// parent is the folder that a path lies in.
func parent(path string) string {
	i := strings.LastIndex(path, `\`)
	if i <= 2 {
		return path[:2] + `\`
	}
	return path[:i]
}

// base is the last part of a path.
func base(path string) string { return path[strings.LastIndex(path, `\`)+1:] }

// folderAt reports whether a path is a folder; drives' roots are.
func (h *host) folderAt(path string) bool {
	if len(path) == 3 {
		for _, d := range h.state.Disks {
			if strings.EqualFold(d.ID, path[:2]) {
				return true
			}
		}
		return false
	}
	f := h.fileAt(path)
	return f != nil && f.Dir
}

// makeFolder makes a folder and those above it, as md does with extensions.
func (h *host) makeFolder(path string) {
	if len(path) <= 3 || h.fileAt(path) != nil {
		return
	}
	h.makeFolder(parent(path))
	h.state.Files[strings.ToLower(path)] = &file{Path: path, Dir: true, Modified: h.now()}
}

// writeFile replaces a file's bytes.
func (h *host) writeFile(path string, data []byte) {
	h.state.Files[strings.ToLower(path)] = &file{Path: path, Data: data, Modified: h.now()}
}

// appendFile adds to a file, making it when it is not there.
func (h *host) appendFile(path string, data []byte) {
	f := h.fileAt(path)
	if f == nil {
		h.writeFile(path, append([]byte(nil), data...))
		return
	}
	f.Data = append(f.Data, data...)
	f.Modified = h.now()
}

// entries lists what lies directly in a folder, by name.
func (h *host) entries(folder string) []*file {
	prefix := strings.ToLower(strings.TrimSuffix(folder, `\`)) + `\`
	var all []*file
	for low, f := range h.state.Files {
		if strings.HasPrefix(low, prefix) && !strings.Contains(low[len(prefix):], `\`) {
			all = append(all, f)
		}
	}
	sort.Slice(all, func(i, j int) bool { return strings.ToLower(all[i].Path) < strings.ToLower(all[j].Path) })
	return all
}

// removeTree removes a folder with all in it, but files that are held open and
// the folders above them.
func (h *host) removeTree(path string) {
	low := strings.ToLower(path)
	kept := func(p string) bool {
		for held := range h.held {
			if held == p || strings.HasPrefix(held, p+`\`) {
				return true
			}
		}
		return false
	}
	for p := range h.state.Files {
		if (p == low || strings.HasPrefix(p, low+`\`)) && !kept(p) {
			delete(h.state.Files, p)
		}
	}
}

// wild lists the paths that a path with * or ? in its last part names.
func (h *host) wild(path string) []*file {
	if !strings.ContainsAny(base(path), "*?") {
		if f := h.fileAt(path); f != nil {
			return []*file{f}
		}
		return nil
	}
	var all []*file
	for _, f := range h.entries(parent(path)) {
		if match(strings.ToLower(base(path)), strings.ToLower(base(f.Path))) {
			all = append(all, f)
		}
	}
	return all
}

// match is the wildcard rule of cmd for one name.
func match(pattern, name string) bool {
	if pattern == "*.*" {
		return true
	}
	for pattern != "" {
		switch pattern[0] {
		case '*':
			for i := 0; i <= len(name); i++ {
				if match(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		case '?':
			if name == "" {
				return pattern[1:] == ""
			}
		default:
			if name == "" || name[0] != pattern[0] {
				return false
			}
		}
		pattern, name = pattern[1:], name[1:]
	}
	return name == ""
}
