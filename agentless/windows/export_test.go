package windows

import "time"

// Unread is unread, for tests over TCP.
var Unread = (*Host).unread

// RestWMI sets for how long WMI is left alone after it hung.
func (h *Host) RestWMI(d time.Duration) { h.known.rests = d }

// Updating says that generated files are written, not compared.
func Updating() bool { return *update }
