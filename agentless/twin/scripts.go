package twin

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// reviewed are the scripts that the twin runs: what each does was read, line by
// line, and written again below. The sum is the SHA-256 of all but the last
// line of the bytes sent, so an edited script is refused until it was reviewed
// again here.
var reviewed = []struct {
	name, version, sum string
	run                func(*records, []string) int
}{
	{"canary", "2", "35250354cee7bda09c4df1e97ee60416950b475208e0b49913abb23db65e8f2e", scriptCanary},
	{"file-hash", "2", "c4623d1a0ff980e37115e765630c60dede1fba28a2baaeaac564dc5be22ff19c", scriptFileHash},
	{"file-read", "2", "08aa43a29f9b7d977c803ff9162d084b6306719584b79a962e356eb367447df4", scriptFileRead},
	{"file-write", "2", "9dcffb6c2e5157f7da0ac9ac44b74e326e8b06e59c75f10c59fdfbe94514ce42", scriptFileWrite},
	{"folder-list", "1", "1690fc6e64272905115b2021ab1d5a61fc9c955985b9723c88633668429d06a9", scriptFolderList},
	{"folder-make", "1", "84897ff8caf673885e3859078cade08c9f4dd1c4878ff95b2e1a849a54d9804c", scriptFolderMake},
	{"program-list", "1", "d6f9948eb743502dbe0405aedecfcc4d7e6ddf7ee83b67b72d6515e2881cec54", scriptProgramList},
	{"service-list", "1", "f4abe5b37a67608ec0b01018d7eca72dc6308519641392458f81e1040512e1de", scriptServiceList},
	{"system-look", "1", "02f1eeb3e4172e34821e26468ec1ce478b229f47c7165487cfb5dcbea35d6a04", scriptSystemLook},
	{"task-delete", "1", "b84063087f4340b2efdd581118aa9af992c1c997e895c72a709239bb59b66059", scriptTaskDelete},
	{"task-list", "1", "6ec502a96216dc772e30d74c4ca059fc7f9d655636dcdf30a81be06f114ecb40", scriptTaskList},
	{"task-look", "1", "8263bf8196e186552a966d04ae3daa8ae2808d1d4684c7d6a724d1cd67fb4153", scriptTaskLook},
	{"task-register", "1", "6deee17fd750a7cf32eb9e62362a6f78ee87b635bdf145eac8fd353e47a5526a", scriptTaskRegister},
	{"task-run", "1", "4f6662746c10c3f106e1c0d249c4a5ef7d05f655df7ee4cf4e8e68f9cf7fcfba", scriptTaskRun},
}

// Reviewed reports whether a script with that first line and that SHA-256 is one
// that the twin runs.
func Reviewed(head, sum string) bool {
	for _, r := range reviewed {
		if head == "# wavekeeper: "+r.name+" "+r.version && sum == r.sum {
			return true
		}
	}
	return false
}

// HRESULTs of the .NET exceptions that the scripts can meet.
const (
	hrFileNotFound      = "80070002"
	hrDirectoryNotFound = "80070003"
	hrEndOfStream       = "80070026"
	hrFormat            = "80131537"
	hrDiskFull          = "80070070"
	hrIO                = "80131620"
	hrUnauthorized      = "80070005"
	hrIndex             = "80131502"
	hrArgument          = "80070057"
)

func argument(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

// scriptFolderMake makes a folder that only SYSTEM and administrators may use.
// CreateDirectory gives the DACL to every folder that it has to make.
func scriptFolderMake(r *records, args []string) int {
	h := r.c.s.h
	path := clean(argument(args, 0), r.c.s.cwd)
	state, owner, entries, bad := "present", "S-1-5-32-544", []string(nil), false
	h.update(func() {
		if f := h.fileAt(path); f != nil && !f.Dir {
			bad = true
			return
		}
		if !h.folderAt(path) {
			for p := path; len(p) > 3 && h.fileAt(p) == nil; p = parent(p) {
				h.state.Files[strings.ToLower(p)] = &file{
					Path: p, Dir: true, Modified: h.now(), Owner: "S-1-5-32-544", Protected: true, Entries: []string{sidSystem, "S-1-5-32-544"},
				}
			}
			state = "made"
		}
		f := h.fileAt(path)
		if f != nil && f.Owner != "" {
			owner = f.Owner
		}
		if f == nil || !f.Protected {
			state = "foreign"
			entries = []string{sidSystem, "S-1-5-32-544", "S-1-5-32-545"} // what C:\ hands down
			return
		}
		entries = append([]string(nil), f.Entries...)
		for _, sid := range append([]string{owner}, entries...) {
			if sid != sidSystem && sid != "S-1-5-32-544" {
				state = "foreign"
			}
		}
	})
	if bad {
		return r.fail("System.IO.IOException", hrIO)
	}
	for i, sid := range entries {
		entries[i] = strings.TrimSuffix(sid, ":2032127") + ":2032127" // FullControl
	}
	r.put("state", state)
	r.put("owner", owner)
	r.put("entries", strings.Join(entries, ","))
	return 0
}

// scriptFileWrite writes one piece at its offset and cuts off what was behind it.
func scriptFileWrite(r *records, args []string) int {
	h := r.c.s.h
	path := clean(argument(args, 0), r.c.s.cwd)
	offset, err := strconv.ParseInt(argument(args, 1), 10, 64)
	data, bad := base64.StdEncoding.DecodeString(argument(args, 2))
	if err != nil || bad != nil {
		return r.fail("System.FormatException", hrFormat)
	}
	part := path + ".part"
	var all []byte
	kind, hr := "", ""
	h.update(func() {
		if !h.folderAt(parent(path)) {
			kind, hr = "System.IO.DirectoryNotFoundException", hrDirectoryNotFound
			return
		}
		if f := h.fileAt(part); f != nil {
			all = append(all, f.Data...)
		} else {
			h.writeFile(part, nil) // OpenOrCreate
		}
		if int64(len(all)) < offset {
			kind, hr = "System.IO.EndOfStreamException", hrEndOfStream
			return
		}
		all = append(all[:offset], data...)
		if !h.hasRoom(part, len(all)) {
			kind, hr = "System.IO.IOException", hrDiskFull
			return
		}
		h.writeFile(part, all)
		if argument(args, 3) == "1" {
			delete(h.state.Files, strings.ToLower(path))
			h.moveTree(part, path)
		}
	})
	if kind != "" {
		return r.fail(kind, hr)
	}
	r.put("length", len(all))
	if argument(args, 3) == "1" {
		sum := sha256.Sum256(all)
		r.put("sha256", hex.EncodeToString(sum[:]))
	}
	return 0
}

// fileBytes is a file's content, false when it is no file.
func (h *host) fileBytes(path string) (data []byte, found bool) {
	h.look(func() {
		if f := h.fileAt(path); f != nil && !f.Dir {
			data, found = append(data, f.Data...), true
		}
	})
	return data, found
}

func scriptFileRead(r *records, args []string) int {
	data, found := r.c.s.h.fileBytes(clean(argument(args, 0), r.c.s.cwd))
	if !found {
		r.put("exists", 0)
		return 0
	}
	offset, err := strconv.Atoi(argument(args, 1))
	size, bad := strconv.Atoi(argument(args, 2))
	if err != nil || bad != nil || offset < 0 || size < 0 {
		return r.fail("System.FormatException", hrFormat)
	}
	start := min(offset, len(data))
	end := min(start+size, len(data))
	r.put("exists", 1)
	r.put("length", len(data))
	r.put("offset", start)
	r.put("data", base64.StdEncoding.EncodeToString(data[start:end]))
	return 0
}

func scriptFileHash(r *records, args []string) int {
	data, found := r.c.s.h.fileBytes(clean(argument(args, 0), r.c.s.cwd))
	if !found {
		r.put("exists", 0)
		return 0
	}
	sum := sha256.Sum256(data)
	r.put("exists", 1)
	r.put("length", len(data))
	r.put("sha256", hex.EncodeToString(sum[:]))
	return 0
}

func scriptFolderList(r *records, args []string) int {
	h := r.c.s.h
	path := clean(argument(args, 0), r.c.s.cwd)
	exists := false
	var lines []string
	h.look(func() {
		if exists = h.folderAt(path); !exists {
			return
		}
		for _, f := range h.entries(path) {
			kind, size := "f", len(f.Data)
			if f.Dir {
				kind, size = "d", 0
			}
			lines = append(lines, fmt.Sprintf("%s|%s|%d|%s", base(f.Path), kind, size, f.Modified.UTC().Format("2006-01-02T15:04:05.0000000Z")))
		}
	})
	if !exists {
		r.put("exists", 0)
		return 0
	}
	r.put("exists", 1)
	for _, l := range lines {
		r.put("entry", l)
	}
	return 0
}

// scriptCanary says who a host task runs as and whether it reaches AD.
func scriptCanary(r *records, _ []string) int {
	who := r.c.s.who
	sids := []string{"S-1-1-0", "S-1-5-32-544", "S-1-5-32-545", "S-1-5-11"}
	switch {
	case who.sid == sidSystem:
		sids = []string{"S-1-5-32-544", "S-1-1-0", "S-1-5-11"}
	case r.c.s.via == "task":
		sids = append(sids, "S-1-5-3") // batch logon
	default:
		sids = append(sids, "S-1-5-2") // network logon
	}
	r.put("user", who.name)
	r.put("sids", strings.Join(sids, ","))
	r.put("elevated", 1)
	hive := who.sid
	r.put("hkcu", hive)
	ldap := "ok"
	if !who.ad || r.c.s.via != "task" {
		ldap = "error System.DirectoryServices.DirectoryServicesCOMException 80072020" // ERROR_DS_OPERATIONS_ERROR
	}
	r.put("ldap", ldap)
	return 0
}
