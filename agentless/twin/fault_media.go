package twin

import (
	"io/fs"
	"slices"
	"sort"
	"strings"
)

// struck reports whether a fault of that name takes hold of what happens now.
func (h *host) struck(name string) bool {
	var d *declared
	h.update(func() { d = h.strikes(name, nil) })
	return d != nil
}

// fips reports whether a policy keeps .NET 2.0 from its own SHA-256 (KB811833).
func (h *host) fips() bool { return h.struck("fips-policy") }

// freeSpace is what a path's disk has free.
func (h *host) freeSpace(path string) int64 {
	free := int64(0)
	h.look(func() {
		for _, d := range h.state.Disks {
			if strings.EqualFold(d.ID, path[:2]) {
				free = h.freeOf(d)
			}
		}
	})
	return free
}

// freeOf is what a disk has free: less by what the product put on it. The caller
// holds the lock.
func (h *host) freeOf(d *disk) int64 {
	free := d.Free
	if free > 0 {
		root := strings.ToLower(d.ID) + `\wavekeeper\`
		for low, f := range h.state.Files {
			if strings.HasPrefix(low, root) {
				free -= int64(len(f.Data))
			}
		}
	}
	return max(0, free)
}

// truncateMedia takes the tail of what is being fetched: a power loss leaves a
// file whose last bytes never reached the disk. The caller holds the lock.
func (h *host) truncateMedia() {
	for _, f := range h.state.Files {
		if strings.HasSuffix(strings.ToLower(f.Path), ".wkm.part") {
			f.Data = f.Data[:len(f.Data)*3/4]
		}
	}
}

// spoilTree changes one byte of a file of an unpacked package, or puts a file
// beside it that does not belong there; the caller holds the lock.
func (h *host) spoilTree(d *declared) {
	files := h.treeFiles()
	if len(files) == 0 {
		return
	}
	f := files[h.number("tree/"+d.Fault.At, len(files))]
	for _, one := range files {
		if d.file != "" && strings.HasSuffix(strings.ToLower(one.Path), strings.ToLower(d.file)) {
			f = one
		}
	}
	if d.Fault.Name == "tree-extra" {
		h.writeFile(parent(f.Path)+`\planted.dll`, []byte("MZ"))
		return
	}
	f.Data = slices.Clone(f.Data)
	if len(f.Data) == 0 {
		f.Data = []byte{0}
		return
	}
	f.Data[len(f.Data)/2] ^= 0xff
}

// treeFiles are the files of unpacked packages that a manifest lies beside, by
// path; the caller holds the lock.
func (h *host) treeFiles() []*file {
	var all []*file
	for low, m := range h.state.Files {
		tree, is := strings.CutSuffix(low, ".manifest")
		if !is || m.Dir {
			continue
		}
		for p, f := range h.state.Files {
			if !f.Dir && strings.HasPrefix(p, tree+`\`) {
				all = append(all, f)
			}
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	return all
}

// shared reads a file of a share; code is the error's, as the machine's account
// meets it. A share that is declared without files refuses the account.
func (f *Fleet) shared(path string) (data []byte, code string) {
	for name, files := range f.opt.Shares {
		below, ok := cutPrefixFold(path, name+`\`)
		switch {
		case !ok:
			continue
		case files == nil:
			return nil, hrUnauthorized
		}
		data, err := fs.ReadFile(files, strings.ReplaceAll(below, `\`, "/"))
		if err != nil {
			return nil, hrFileNotFound
		}
		return data, ""
	}
	return nil, hrBadNetPath
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
