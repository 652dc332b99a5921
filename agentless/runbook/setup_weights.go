package runbook

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// Before it configures a role, Setup writes the list of its tasks with their
// weights beside its log, and while it works the role's watermark in the registry
// is the ID of one of them (see exchange.Steps). Together they say how far Setup
// is, where its log only says how many tasks ended.
const (
	listsFolder  = `C:\ExchangeSetupLogs`
	listPieces   = 4       // pieces of a list in one look
	listAtMost   = 4 << 20 // bytes of a list that are read
	listedAtMost = 3000    // tasks of a list that are remembered
	weighEvery   = 3       // ticks from one look to the next
)

// What a step remembers of the lists.
const (
	listsBefore = "lists_before" // the newest list's moment before Setup ran
	listName    = "list"         // the list that is read
	listRead    = "list_read"    // bytes of it
	listSteps   = "list_steps"   // what they say
	weights     = "weights"      // "known" or "none"; "" = not looked yet
)

// markLists remembers the newest list of earlier runs. What fails here costs the
// weights only.
func (p program) markLists(ctx context.Context, w *Work) {
	if p.log != setupLog || w.Memory[listsBefore] != "" {
		return
	}
	moment := time.Time{}
	if newest, ok, err := newestList(ctx, w, time.Time{}); err != nil {
		return
	} else if ok {
		moment = newest.Modified
	}
	w.Memory[listsBefore] = moment.Format(time.RFC3339Nano)
}

// newestList is the list that was written last, after a moment of the host's.
func newestList(ctx context.Context, w *Work, after time.Time) (list windows.DirEntry, found bool, err error) {
	entries, _, err := w.Host.List(ctx, listsFolder)
	for _, e := range entries {
		if !e.Folder && strings.HasSuffix(strings.ToLower(e.Name), ".ps1") && e.Modified.After(after) && (!found || e.Modified.After(list.Modified)) {
			list, found = e, true
		}
	}
	return list, found, err
}

// weigh moves the remembered percentage on by the weights of Setup's own list,
// while roles are configured; the phases of the log stand where it has none. A
// look that fails is left: the next one comes.
func (p program) weigh(ctx context.Context, w *Work) {
	if p.log != setupLog || w.Memory["phase"] != exchange.RolesPhase() || w.raise("weighed")%weighEvery != 1 {
		return
	}
	roles, err := w.Host.Roles(ctx)
	if err != nil {
		return
	}
	part, known := knownPart(w, roles)
	if !known {
		if !p.readList(ctx, w) {
			if w.Memory[weights] == "" {
				w.Memory[weights] = "none"
			}
			return
		}
		part, known = knownPart(w, roles)
	}
	if !known {
		return
	}
	w.Memory[weights] = "known"
	done := 0
	target := w.Package.Target
	for _, role := range roles {
		if build, err := exchange.ParseBuild(role.Configured); err == nil && build.AtLeast(target) && role.Watermark == "" {
			done++
		}
	}
	if percent := exchange.RolesPercent(done, len(roles), part); percent > w.count("percent") {
		w.Memory["percent"] = strconv.Itoa(percent)
	}
}

// knownPart is how much of the list that was read lies before the watermark of
// a role.
func knownPart(w *Work, roles map[string]windows.Role) (float64, bool) {
	steps := listed(w)
	for _, role := range roles {
		if part, known := steps.Part(role.Watermark); known && role.Watermark != "" {
			return part, true
		}
	}
	return 0, false
}

func listed(w *Work) exchange.Steps {
	var s exchange.Steps
	if err := json.Unmarshal([]byte(w.Memory[listSteps]), &s); err != nil {
		return exchange.Steps{} // nothing was read yet
	}
	return s
}

// readList reads the newest list of this run on from where it was left, at most
// some pieces of it; false when there is none.
func (p program) readList(ctx context.Context, w *Work) bool {
	before, err := time.Parse(time.RFC3339Nano, w.Memory[listsBefore])
	if err != nil {
		return false // which lists are of earlier runs is not known
	}
	list, found, err := newestList(ctx, w, before)
	if err != nil || !found {
		return false
	}
	if w.Memory[listName] != list.Name {
		w.Memory[listName] = list.Name
		delete(w.Memory, listRead)
		delete(w.Memory, listSteps)
	}
	steps, offset := listed(w), int64(w.count(listRead))
	for range listPieces {
		if offset >= listAtMost || steps.Tasks >= listedAtMost {
			break
		}
		chunk, err := w.Host.ReadFile(ctx, listsFolder+`\`+list.Name, offset, 0)
		if err != nil || len(chunk.Data) == 0 {
			break
		}
		piece := chunk.Data
		whole := offset+int64(len(piece)) >= chunk.Length
		if end := bytes.LastIndexByte(piece, '\n'); end >= 0 && !whole {
			piece = piece[:end+1]
		}
		steps.Read(piece)
		if offset += int64(len(piece)); whole {
			break
		}
	}
	if text, err := json.Marshal(steps); err == nil {
		w.Memory[listSteps], w.Memory[listRead] = string(text), strconv.FormatInt(offset, 10)
	}
	return true
}
