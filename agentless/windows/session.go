package windows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/winrm"
)

// ownedImages are the programs whose owner is asked for: Setup's, which may be
// another person's, and the desktop of each person who is logged on.
var ownedImages = append([]string{"setup.exe", "msiexec.exe", desktop}, setupImages...)

// desktop is the program that every person who is logged on has.
const desktop = "explorer.exe"

// ownersWithin is how long owners are asked for at most: Windows asks a domain
// controller for a name, which may be out of reach.
const ownersWithin = 3 * time.Second

// owners fills in who runs the programs whose owner matters. One that cannot be
// told (the program has ended, the host will not say, or not in time) stays
// empty: the list of programs is what decides, and never hangs on a name.
func (h *Host) owners(ctx context.Context, ps []Process) {
	ctx, cancel := context.WithTimeout(ctx, ownersWithin)
	defer cancel()
	for i, p := range ps {
		if !slices.ContainsFunc(ownedImages, func(image string) bool { return strings.EqualFold(p.Name, image) }) {
			continue
		}
		out, err := h.conn.Invoke(ctx, cimv2+"/Win32_Process", map[string]string{"Handle": strconv.FormatInt(p.ID, 10)}, "GetOwner", nil)
		var fault *winrm.Fault
		switch {
		case err == nil:
			ps[i].Owner = ownerOf(out)
		case !errors.As(err, &fault) || fault.Blame == "": // no word about this program
			return
		}
	}
}

// ownerOf is DOMAIN\name, or "" where GetOwner did not return 0.
func ownerOf(out winrm.Instance) string {
	if code, ok := out.Int("ReturnValue"); !ok || code != 0 || out.Str("User") == "" {
		return ""
	}
	if domain := out.Str("Domain"); domain != "" {
		return domain + `\` + out.Str("User")
	}
	return out.Str("User")
}

// Session is one person who is logged on, at the console or by terminal server.
type Session struct {
	User string // DOMAIN\name; empty where the host does not tell (without WMI)
	ID   int    // 0 is the console of Windows Server 2003
}

// Sessions lists who is logged on with a desktop, by session and name.
func (h *Host) Sessions(ctx context.Context) ([]Session, error) {
	all, err := h.Processes(ctx)
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return SessionsOf(all), nil
}

// SessionsOf are the sessions that a list of programs shows.
func SessionsOf(all []Process) []Session {
	out := []Session{}
	seen := map[Session]bool{}
	for _, p := range all {
		s := Session{User: p.Owner, ID: p.Session}
		if strings.EqualFold(p.Name, desktop) && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].ID != out[j].ID {
			return out[i].ID < out[j].ID
		}
		return out[i].User < out[j].User
	})
	return out
}
