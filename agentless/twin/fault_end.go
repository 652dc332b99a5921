package twin

import "time"

// Mend ends a host's declared faults now, also those that nobody would mend,
// and none of them begins again: the cause is gone.
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
	})
	return nil
}
