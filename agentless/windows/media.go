package windows

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Media is the folder of packages, bundles and manifests on a host. It is made
// by folder-make with a protected DACL.
const Media = Root + `\media`

// The scripts about media. Each is run by SYSTEM in a host task, media-check by
// Setup's own task, too.
const (
	MediaCheck  = "media-check"
	MediaPull   = "media-pull"
	MediaUnpack = "media-unpack"
)

// The states that the scripts about media end with.
const (
	MediaRight    = "right"    // media-check: every file is the manifest's, and no other is there
	MediaAbsent   = "absent"   // media-check: no manifest or no tree; media-unpack: no bundle
	MediaDiffers  = "differs"  // a file is missing, too many, of another length or content
	MediaManifest = "manifest" // the manifest is not the one of the approval
	MediaForeign  = "foreign"  // in the tree's place lies something else
	MediaFetched  = "fetched"  // media-pull: the bundle came, and its SHA-256 is right
	MediaPresent  = "present"  // it was there already, and is right
	MediaNoRoom   = "no-room"
	MediaChanged  = "changed" // the bundle is another one than it has to be
	MediaRefused  = "refused" // the source does not give it, or has no such file
	MediaAway     = "away"    // nothing was heard of the source for five minutes
	MediaTooLong  = "too-long"
	MediaUnpacked = "unpacked" // media-unpack: the tree is there, and every file of it right
)

// MediaTree is an unpacked medium on a host and the manifest that says what its
// files have to be.
type MediaTree struct {
	Folder         string // of the tree
	Manifest       string // path of the manifest, outside the tree
	ManifestSHA256 string // lower-case hex
}

// CheckArguments are those of media-check that leaves nothing but its records.
func (t MediaTree) CheckArguments() []string { return t.arguments("") }

func (t MediaTree) arguments(proof string) []string {
	return []string{t.Manifest, t.ManifestSHA256, t.Folder, proof}
}

// CheckTask is the host task that compares every file of the tree.
func (t MediaTree) CheckTask(name string) (Task, error) {
	return ScriptTask(name, MediaCheck, "", "", t.CheckArguments()...)
}

// CheckFiles are the files that Setup's task needs beside its body to compare
// the tree first: see CheckedSetupBody. folder is the task's.
func (t MediaTree) CheckFiles(folder string) (map[string][]byte, error) {
	text, err := call(MediaCheck, taskNonce, t.arguments(folder+`\`+mediaRight)...)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{MediaCheck + ".ps1": []byte(text)}, nil
}

// Pull is one bundle that a host fetches.
type Pull struct {
	From    string // http://..., or \\server\share\...
	Token   string // of the console's listener; empty = none is asked for
	SHA256  string // of the bundle
	Size    int64
	Path    string // where it is to lie; what is there of it is at Path.part
	Room    int64  // bytes that must be free, those that are there already among them
	Minutes int    // after which no new try is made
}

// Task is the host task that fetches. It goes on where an earlier one stopped.
func (p Pull) Task(name string) (Task, error) {
	return ScriptTask(name, MediaPull, "", "", p.From, p.Token, p.SHA256, strconv.FormatInt(p.Size, 10), p.Path,
		strconv.FormatInt(p.Room, 10), strconv.Itoa(p.Minutes), TaskFolder(name))
}

// Unpack is one bundle that becomes a tree: first beside its place, and there
// only when every file of it is right. The bundle is deleted then.
type Unpack struct {
	Bundle, SHA256 string
	ManifestSize   int64 // the manifest is the bundle's tail
	Tree           MediaTree
	Room           int64
}

// Task is the host task that unpacks.
func (u Unpack) Task(name string) (Task, error) {
	return ScriptTask(name, MediaUnpack, "", "", u.Bundle, u.SHA256, strconv.FormatInt(u.ManifestSize, 10),
		u.Tree.Manifest, u.Tree.ManifestSHA256, u.Tree.Folder, strconv.FormatInt(u.Room, 10))
}

// Progress reads how far media-pull is from the files of its task's folder: it
// tells by the name of an empty file, since the length of a file that is being
// written is stale in its folder. It reports false when nothing is told yet.
func (l TaskLook) Progress() (done, total int64, ok bool) {
	for name := range l.Files {
		at, of, both := strings.Cut(strings.TrimPrefix(name, "p-"), "-")
		if !strings.HasPrefix(name, "p-") || !both {
			continue
		}
		d, err1 := strconv.ParseInt(at, 10, 64)
		t, err2 := strconv.ParseInt(of, 10, 64)
		if err1 == nil && err2 == nil && d >= done && d <= t {
			done, total, ok = d, t, true
		}
	}
	return done, total, ok
}

// Waits reads why media-pull waits, which it tells by the name of another empty
// file: the code of HTTP's answer ("503"), or an HRESULT in upper-case hex, with
// the WebExceptionStatus of .NET behind it where there is one ("80131509-2");
// empty while bytes come.
func (l TaskLook) Waits() string {
	for name := range l.Files {
		if code, ok := strings.CutPrefix(name, "w-"); ok && code != "0" {
			return code
		}
	}
	return ""
}

// mediaRefused is the file that Setup's body leaves when the tree is not what
// was approved: Setup was not begun. mediaChecked is the one that says that it
// is. mediaRight is what media-check leaves there as its last act.
const (
	mediaRight   = "right"
	mediaRefused = "refused"
	mediaChecked = "checked"
)

// MediaRefused reports whether Setup's body found the tree changed and did not
// begin Setup.
func (l TaskLook) MediaRefused() bool { return l.Has(mediaRefused) }

// MediaChecked reports whether Setup's body found the tree right.
func (l TaskLook) MediaChecked() bool { return l.Has(mediaChecked) }

// RefusedRecords reads what Setup's body found in the tree.
func (h *Host) RefusedRecords(ctx context.Context, task string) (Records, error) {
	return h.taskRecords(ctx, task, "media.txt", MediaCheck)
}

// RemoveMedia deletes files in the folder of media and folders beside trees: what
// is left of a bundle (.wkm, .part) and what was not unpacked to its end (.new).
// What is not there is fine. Nothing else is touched.
func (h *Host) RemoveMedia(ctx context.Context, names ...string) error {
	for _, name := range names {
		line := ""
		switch full := Media + `\` + name; {
		case safePath(full) != nil || strings.ContainsAny(name, `\/`) || strings.HasPrefix(name, "."):
		case path.Ext(name) == ".wkm" || path.Ext(name) == ".part":
			line = `del /f /q "` + full + `"`
		case path.Ext(name) == ".new":
			line = `rd /s /q "` + full + `"`
		}
		if line == "" {
			return fmt.Errorf("remove %q: it is no bundle and no tree that was left half unpacked", name)
		}
		if _, err := h.Run(ctx, line); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}
