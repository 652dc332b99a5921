package twin

import (
	"sort"
	"strconv"
	"strings"
)

// manifestLines are the entries of a manifest: SHA-256, length, length in the
// bundle, how it is kept there, path.
func manifestLines(raw []byte) [][]string {
	var lines [][]string
	for _, l := range strings.Split(strings.ReplaceAll(string(raw), "\r\n", "\n"), "\n") {
		if f := strings.Split(l, "|"); len(f) == 5 {
			lines = append(lines, f)
		}
	}
	return lines
}

// differences compares a folder with a manifest, as the scripts do: what is
// there too much comes first.
func (h *host) differences(folder string, lines [][]string) (out []string, same int) {
	h.look(func() {
		want := map[string]bool{}
		for _, f := range lines {
			want[strings.ToLower(f[4])] = true
		}
		prefix := strings.ToLower(folder) + `\`
		for p, f := range h.state.Files {
			if below, ok := strings.CutPrefix(p, prefix); ok && !f.Dir && !want[below] {
				out = append(out, "extra|"+f.Path[len(folder)+1:])
			}
		}
		sort.Strings(out)
		for _, l := range lines {
			f := h.fileAt(folder + `\` + l[4])
			switch {
			case f == nil || f.Dir:
				out = append(out, "missing|"+l[4])
			case strconv.Itoa(len(f.Data)) != l[1]:
				out = append(out, "length|"+l[4])
			case sumOf(f.Data) != l[0]:
				out = append(out, "changed|"+l[4])
			default:
				same++
			}
		}
		if len(out) == 0 && same != len(want) {
			out = append(out, "unproven|"+strconv.Itoa(same))
		}
	})
	return out, same
}

// putDifferences says the first of them. A record is written to a file of the
// host, so the host's lock must not be held.
func (r *records) putDifferences(all []string) {
	for _, d := range all[:min(20, len(all))] {
		r.put("differs", d)
	}
}

// scriptMediaCheck compares every file of a tree.
func scriptMediaCheck(r *records, args []string) int {
	h := r.c.s.h
	manifest, want, folder := clean(argument(args, 0), r.c.s.cwd), argument(args, 1), clean(argument(args, 2), r.c.s.cwd)
	raw, there := h.fileBytes(manifest)
	tree, junction := h.treeAt(folder)
	switch {
	case !there || !tree:
		r.put("state", "absent")
		return 2
	case junction:
		r.put("state", "foreign")
		return 2
	case h.fips():
		return r.fail(fipsRefuses, hrInvalid)
	case sumOf(raw) != want:
		r.put("state", "manifest")
		r.put("differs", "manifest|"+sumOf(raw))
		return 2
	}
	lines := manifestLines(raw)
	bad, same := h.differences(folder, lines)
	r.putDifferences(bad)
	r.put("files", len(lines))
	r.put("same", same)
	r.put("bad", len(bad))
	if len(bad) > 0 {
		r.put("state", "differs")
		return 2
	}
	r.put("state", "right")
	r.put("tree", want)
	if proof := argument(args, 3); proof != "" {
		h.update(func() { h.writeFile(clean(proof, r.c.s.cwd), []byte(want)) })
	}
	return 0
}

// treeAt reports whether a folder is there, and whether it is a junction.
func (h *host) treeAt(folder string) (there, junction bool) {
	h.look(func() {
		there = h.folderAt(folder)
		f := h.fileAt(folder)
		junction = f != nil && f.Junction
	})
	return there, junction
}

// scriptMediaUnpack makes a tree of a bundle, beside its place until it is whole.
func scriptMediaUnpack(r *records, args []string) int {
	h, cwd, ctx := r.c.s.h, r.c.s.cwd, r.c.s.ctx
	bundle, sum, manifest, want, folder := clean(argument(args, 0), cwd), argument(args, 1), clean(argument(args, 3), cwd), argument(args, 4), clean(argument(args, 5), cwd)
	head, err := strconv.Atoi(argument(args, 2))
	room, bad := strconv.ParseInt(argument(args, 6), 10, 64)
	if err != nil || bad != nil {
		return r.fail("System.FormatException", hrFormat)
	}
	fresh := folder + ".new"
	h.update(func() {
		if ctx.Err() == nil {
			h.removeTree(fresh)
		}
	})
	data, there := h.fileBytes(bundle)
	kept, has := h.fileBytes(manifest)
	tree, _ := h.treeAt(folder)
	switch {
	case !there && tree && has && !h.fips() && sumOf(kept) == want:
		r.unpackedBefore(folder, bundle, want, manifestLines(kept))
		return 0
	case !there:
		r.put("state", "absent")
		return 0
	case h.fips():
		return r.fail(fipsRefuses, hrInvalid)
	case sumOf(data) != sum || head > len(data):
		r.put("state", "changed")
		r.put("differs", "bundle|"+sumOf(data))
		return 0
	}
	raw := data[len(data)-head:]
	h.update(func() { h.writeFile(manifest, raw) })
	if sumOf(raw) != want {
		r.put("state", "manifest")
		r.put("differs", "manifest|"+sumOf(raw))
		return 2
	}
	lines := manifestLines(raw)
	if tree {
		r.unpackedBefore(folder, bundle, want, lines)
		return 0
	}
	free := h.freeSpace(folder)
	r.put("free", free)
	if free < room {
		r.put("state", "no-room")
		return 0
	}
	h.update(func() { h.makeFolder(fresh) })
	at := 0
	for _, l := range lines {
		n, err := strconv.Atoi(l[2])
		if err != nil || at+n > len(data) {
			return r.fail("System.FormatException", hrFormat)
		}
		piece, err := inflated(data[at:at+n], l[3])
		if err != nil {
			return r.fail("System.IO.InvalidDataException", hrIO)
		}
		at += n
		full := false
		h.update(func() {
			if ctx.Err() != nil {
				return
			}
			to := fresh + `\` + l[4]
			if full = !h.hasRoom(to, len(piece)); full {
				return
			}
			h.makeFolder(parent(to))
			h.writeFile(to, piece)
		})
		if full {
			return r.fail("System.IO.IOException", hrDiskFull)
		}
		if ctx.Err() != nil {
			return 1
		}
	}
	differs, _ := h.differences(fresh, lines)
	r.putDifferences(differs)
	if len(differs) > 0 {
		r.put("state", "differs")
		r.put("bad", len(differs))
		return 0
	}
	h.update(func() {
		if ctx.Err() != nil {
			return
		}
		h.moveTree(fresh, folder)
		delete(h.state.Files, strings.ToLower(bundle))
		h.happened("media-unpacked", map[string]any{"folder": folder, "files": len(lines)})
	})
	r.put("state", "unpacked")
	r.put("tree", want)
	return 0
}

// unpackedBefore is a tree that is there already.
func (r *records) unpackedBefore(folder, bundle, want string, lines [][]string) {
	h := r.c.s.h
	if _, junction := h.treeAt(folder); junction {
		r.put("state", "foreign")
		return
	}
	differs, _ := h.differences(folder, lines)
	r.putDifferences(differs)
	if len(differs) > 0 {
		r.put("state", "foreign")
		r.put("bad", len(differs))
		return
	}
	h.update(func() { delete(h.state.Files, strings.ToLower(bundle)) })
	r.put("state", "present")
	r.put("tree", want)
}
