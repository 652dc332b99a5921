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
	{"canary", "4", "887feaae14987d704dd11ae0ff3c2afaf508089289f2076348cbea94cbb294ee", scriptCanary},
	{"cluster-act", "2", "a6d800a6b36776c7433d81d9194dc3af5070dbe5295db2ffd3ae6245e951d13f", scriptClusterAct},
	{"cluster-look", "1", "dbedeb779c3b775a315f0bfaab6d993590c31ded6906f61e3827b5e7dfb00f22", scriptClusterLook},
	{"exchange-act", "3", "a18371e735cd4b6abe068231d87315c8fcf9774628129aba90bcd591d9995e65", scriptExchangeAct},
	{"exchange-look", "1", "2c0e3356cfd53ec8730274b7a4e9c5dab4e003dbcbd60cfbf0ef59a6cfae0036", scriptExchangeLook},
	{"file-hash", "3", "935515487830fe36c64711f35f74420002bf9135aae18c42637dd85fb2d81fee", scriptFileHash},
	{"file-read", "3", "15b714b2bb3249efc912d4ccf9d322c611b5b14866f6263c2bbab3eef227c047", scriptFileRead},
	{"file-write", "3", "965c5fff5dfe18f0e37f311e5892faba9e52bf2730bfbc27ff2b5bbff738456e", scriptFileWrite},
	{"firewall-start", "1", "7db41ef99d6da1abe8afda8482936b7e9c95c138664ced8b245ec5415c98bdde", scriptFirewallStart},
	{"folder-list", "2", "cb1a4280e4c56c7e9f6b833551092568af8b87718c834de4a231c2f95aabaa07", scriptFolderList},
	{"folder-make", "2", "b39656e647e643c0180e830500b0217a48cc355e921e5a327f672e2bb92d4f04", scriptFolderMake},
	{"media-check", "2", "e967748d346216a434df2cdad36e27896bcbcd6048b3ecc04f9834f74aba31c3", scriptMediaCheck},
	{"media-pull", "2", "58028b57aa9f7b83ca1f569981f4dad7f8777babc526ceb3fc2b9b400b3be286", scriptMediaPull},
	{"media-unpack", "2", "15e0f0982ff93f190b7df71aa10e544153be321017ab8959276e6063fd10b831", scriptMediaUnpack},
	{"organization-export", "1", "5c1b6e918a814943c8c758b428d812882c71ba3823c3cd4058fff873fbc249d2", scriptOrganizationExport},
	{"organization-look", "1", "fa40bf3586c9956cce16b3b1bc6ae7678194e8d10d29c85b7629ff611921041a", scriptOrganizationLook},
	{"program-list", "2", "2f31991102e8b5d35e0613e456f7e053949ad71e47da331b0f842e2ac73a85cf", scriptProgramList},
	{"service-list", "2", "356f3b0750693effac6849f2d57445c36cf4810e1ffe792830ed759963ce1007", scriptServiceList},
	{"state-keep", "1", "1df04404ae58973a347e90f727b912ee79d06395d6847a0bdad1cedd72dbf764", scriptStateKeep},
	{"system-look", "3", "6568ed60ee74edb91de2eabd57ad33cfcbfa7f08d16710c059f494738541268b", scriptSystemLook},
	{"task-check", "1", "f83e1044b10eb840b7dc69ec3102ee19eee8ace54376894211f36c409c2faaab", scriptTaskCheck},
	{"task-delete", "2", "a74a8d371796ff8ebb7d6706801a47d804894995bde092a067a2600ac0a1d07f", scriptTaskDelete},
	{"task-list", "2", "f95872cb43c8c2711aa77419638a0b3fd99fe358333da72b5874cd6b13508ec7", scriptTaskList},
	{"task-look", "2", "2a2c696d9132f55601a37c64bce53239f67957b515617c48940324a78bb70828", scriptTaskLook},
	{"task-register", "2", "266e1438d99efa215556b927e77b37189ba1155dc3c821bca298d6a1436fb77b", scriptTaskRegister},
	{"task-run", "2", "f6bcbbcb6c93fb41fddd66c96dbb297d95ed62032ba33781d3f2b186f8d1941c", scriptTaskRun},
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
		if f != nil && f.Junction { // whoever owns its target and however that is protected
			state, entries = "foreign", append(entries, f.Entries...)
			return
		}
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
	if h.fips() {
		return r.fail(fipsRefuses, hrInvalid)
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
	if r.c.s.h.fips() {
		return r.fail(fipsRefuses, hrInvalid)
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
func scriptCanary(r *records, args []string) int {
	who := r.c.s.who
	sids := []string{"S-1-1-0", "S-1-5-32-544", "S-1-5-32-545", "S-1-5-11"}
	switch {
	case who.sid == sidSystem:
		sids = []string{"S-1-5-32-544", "S-1-1-0", "S-1-5-11"}
	case r.c.s.via == "task":
		sids = append(sids, "S-1-5-3") // batch logon
		if who.sid == sidRunAs {
			sids = append(sids, r.c.s.h.fleet.directory.runAsGroups()...)
		}
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
	r.c.s.h.tellRevocation(r, hive, argument(args, 0), argument(args, 1))
	return 0
}
