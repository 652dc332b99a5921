package runbook

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"wavekeeper/agentless/windows"
)

// The kinds of evidence.
const (
	RolesEvidence     = "roles"     // builds and markers, as text
	ProcessesEvidence = "processes" // as JSON
	SessionsEvidence  = "sessions"  // who is logged on, as text
	TasksEvidence     = "tasks"     // host tasks of this upgrade and how far they came, as text
	FolderEvidence    = "folder"    // a task's folder, and its small files as they are
	LogTailEvidence   = "log-tail"  // the end of the setup log, as it is
	RegistryEvidence  = "registry"  // Action and Watermark as regedit.exe exports them
)

// Bounds of what is kept.
const (
	evidenceWithin = 14 * time.Second // collecting must leave time for the rest of a tick
	evidenceBytes  = 1 << 20          // of one piece
	tailBytes      = 64 << 10         // of the setup log
	smallFile      = 16 << 10
	smallFiles     = 12
)

// Evidence is one thing read from the host, kept as it was then.
type Evidence struct {
	Kind string // of the kinds above
	Name string // what it is of: a task, a path
	Data []byte // at most 1 MB
}

// collector reads evidence as well as it can: what cannot be read is said in a
// piece of its kind, and nothing fails for it.
type collector struct {
	ctx  context.Context
	w    *Work
	kept []Evidence
}

// Collect reads evidence for a step that ends for another reason than its own
// outcome: its limit has passed while the host answers.
func Collect(ctx context.Context, w *Work) []Evidence { return collect(ctx, w) }

// collect reads all that tells how a host stands. It takes at most
// evidenceWithin; what is not reached by then is said to be missing.
func collect(ctx context.Context, w *Work) []Evidence {
	ctx, cancel := context.WithTimeout(ctx, evidenceWithin)
	defer cancel()
	c := &collector{ctx: ctx, w: w}
	for _, piece := range []struct {
		kind, name string
		read       func() ([]byte, error)
	}{
		{RolesEvidence, "roles", c.roles},
		{RegistryEvidence, "markers.reg", c.registry},
		{ProcessesEvidence, "processes", c.processes},
		{LogTailEvidence, setupLog, c.logTail},
		{TasksEvidence, "tasks", c.tasks},
		{SessionsEvidence, "sessions", c.sessions},
	} {
		data, err := piece.read()
		if err != nil {
			data = fmt.Appendf(nil, "not read: %v\r\n", err)
		}
		c.keep(piece.kind, piece.name, data)
	}
	if culture := w.Memory[packInWork]; culture != "" { // which of the two there is, tells what ran
		for _, verb := range []string{"remove", "add"} {
			path := packLog(verb, culture)
			if data, err := c.tail(path); err == nil && len(data) > 0 {
				c.keep(LogTailEvidence, path, data)
			}
		}
	}
	if known := setupErrorsEvidence(w); known != nil {
		c.keep(SetupErrorsEvidence, "setup-errors.json", known)
	}
	return c.kept
}

func (c *collector) keep(kind, name string, data []byte) {
	if len(data) > evidenceBytes {
		data = data[:evidenceBytes]
	}
	c.kept = append(c.kept, Evidence{Kind: kind, Name: name, Data: data})
}

func (c *collector) roles() ([]byte, error) {
	roles, err := c.w.Host.Roles(c.ctx)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, name := range roleNames(roles) {
		r := roles[name]
		fmt.Fprintf(&b, "%s: configured %s, unpacked %s, Action %q, Watermark %q\r\n", name, said(r.Configured), said(r.Unpacked), r.Action, r.Watermark)
	}
	return []byte(b.String()), nil
}

// registry writes the markers as regedit.exe does, so that a person can put them
// back by hand: UTF-16 with its mark.
func (c *collector) registry() ([]byte, error) {
	markers, err := c.w.Host.Markers(c.ctx)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("Windows Registry Editor Version 5.00\r\n")
	for _, m := range markers {
		fmt.Fprintf(&b, "\r\n[HKEY_LOCAL_MACHINE%s]\r\n", strings.TrimSuffix(strings.TrimPrefix(m.Path(), "HKLM"), `\`+m.Name))
		switch m.Kind {
		case "REG_SZ":
			fmt.Fprintf(&b, "%s=%s\r\n", regQuoted(m.Name), regQuoted(m.Value))
		case "REG_DWORD":
			var n uint64
			if _, err := fmt.Sscan(m.Value, &n); err != nil {
				return nil, fmt.Errorf("%s is %q, no DWORD", m.Path(), m.Value)
			}
			fmt.Fprintf(&b, "%s=dword:%08x\r\n", regQuoted(m.Name), n)
		default:
			fmt.Fprintf(&b, "; %s is %s and is not exported: %q\r\n", m.Name, m.Kind, m.Value)
		}
	}
	return utf16Text(b.String()), nil
}

func regQuoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// utf16Text is a text in UTF-16, low byte first, with its byte order mark.
func utf16Text(s string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

// processes lists the programs. A command line is kept of Setup's and of our own
// tasks' only: those of other programs may hold other people's passwords, and
// that of schtasks.exe holds ours.
func (c *collector) processes() ([]byte, error) {
	all, err := c.w.Host.Processes(c.ctx)
	if err != nil {
		return nil, err
	}
	l := livingOf(c.w, all)
	theirs := append(append(ofTask(all, c.w.prefix()), l.setup...), l.installer...)
	for i, p := range all {
		keep := slices.ContainsFunc(theirs, func(kept windows.Process) bool { return kept.ID == p.ID })
		if p.CommandLine != "" && (!keep || strings.EqualFold(p.Name, "schtasks.exe")) {
			all[i].CommandLine = "(not kept)"
		}
	}
	return json.MarshalIndent(all, "", "  ")
}

func (c *collector) sessions() ([]byte, error) {
	all, err := c.w.Host.Sessions(c.ctx)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "session %d: %s\r\n", s.ID, orUnknown(s.User))
	}
	if len(all) == 0 {
		b.WriteString("nobody is logged on\r\n")
	}
	for _, way := range c.w.Host.Without() {
		fmt.Fprintf(&b, "%s\r\n", way)
	}
	return []byte(b.String()), nil
}

func orUnknown(user string) string {
	if user == "" {
		return "somebody, the host does not tell who"
	}
	return user
}

// tasks lists this upgrade's tasks; the folder of each Setup task is kept, too.
func (c *collector) tasks() ([]byte, error) {
	names, err := ourTasks(c.ctx, c.w.Host, c.w.prefix())
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, name := range names {
		look, err := c.w.Host.LookTask(c.ctx, name)
		if err != nil {
			fmt.Fprintf(&b, "%s: not read: %v\r\n", name, err)
			continue
		}
		fmt.Fprintf(&b, "%s: %s, registered %t, exit %d, last result of the scheduler 0x%08x, body %s\r\n",
			name, look.State, look.Job, look.Exit, look.Last, orUntold(look.Life))
		if c.w.isProgram(name) {
			c.folder(name, look)
		}
	}
	return []byte(b.String()), nil
}

func orUntold(life windows.Life) string {
	if life == windows.LifeUntold {
		return "untold"
	}
	return string(life)
}

func (c *collector) folder(task string, look windows.TaskLook) {
	var b strings.Builder
	read := 0
	for _, name := range slices.Sorted(maps.Keys(look.Files)) {
		fmt.Fprintf(&b, "%10d %s\r\n", look.Files[name], name)
		if size := look.Files[name]; size == 0 || size > smallFile || read == smallFiles {
			continue
		}
		read++
		path := windows.TaskFolder(task) + `\` + name
		if chunk, err := c.w.Host.ReadFile(c.ctx, path, 0, smallFile); err == nil && chunk.Exists {
			c.keep(FolderEvidence, path, chunk.Data)
		}
	}
	c.keep(FolderEvidence, windows.TaskFolder(task), []byte(b.String()))
}

// logTail is the end of the setup log, byte for byte; its first line may be cut.
func (c *collector) logTail() ([]byte, error) {
	tail, err := c.tail(setupLog)
	if err == nil && tail == nil {
		tail = []byte("there is no setup log\r\n")
	}
	return tail, err
}

// tail is the end of a file, nil where there is none.
func (c *collector) tail(path string) ([]byte, error) {
	head, err := c.w.Host.ReadFile(c.ctx, path, 0, 4)
	if err != nil || !head.Exists {
		return nil, err
	}
	tail := []byte{}
	offset := max(head.Length-tailBytes, 0) &^ 1
	if offset > 0 && byteOrder(head.Data) != "" {
		tail = append(tail, head.Data[:2]...) // else nobody could read the rest
	}
	for len(tail) < tailBytes {
		chunk, err := c.w.Host.ReadFile(c.ctx, path, offset, 0)
		if err != nil {
			return nil, err
		}
		if len(chunk.Data) == 0 {
			break
		}
		tail = append(tail, chunk.Data...)
		offset += int64(len(chunk.Data))
	}
	return tail, nil
}
