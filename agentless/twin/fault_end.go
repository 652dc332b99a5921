package twin

import "time"

// Mend ends a host's declared faults now, also those that nobody would mend,
// and none of them begins again: the cause is gone, and a folder that was
// planted is removed, as the remedy says.
func (f *Fleet) Mend(name string) error {
	h, err := f.host(name)
	if err != nil {
		return err
	}
	h.update(func() {
		for _, d := range h.state.Faults {
			d.Left, d.Armed = 0, false
			if d.On {
				d.On, d.Until = false, time.Time{}
				h.mend(d)
			}
		}
		h.uproot()
	})
	return nil
}

// uproot does what an administrator does about a planted folder: it is removed,
// and so is the folder of all tasks where it came to be with it.
func (h *host) uproot() {
	planted := false
	for _, d := range h.state.Faults {
		planted = planted || d.Fault.Name == "planted-folder"
	}
	if !planted {
		return
	}
	for _, f := range h.state.Files {
		if f.Dir && f.Owner == plantedBy {
			h.removeTree(f.Path)
		}
	}
	const all = `C:\Wavekeeper\tasks`
	if f := h.fileAt(all); f != nil && !f.Protected {
		h.removeTree(all)
	}
}
