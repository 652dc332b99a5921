package runbook

import (
	"strconv"
	"time"
)

// Patience with a host counts the time in which somebody looked. While no
// coordinator or no database was there, or the database's clock was set forward,
// a service had its chance to start and nobody saw whether it did: that is no
// failure and no deviation. Work.Away says how long that was.

// awayAt is added to a moment's key: Work.Away at that moment, seconds.
const awayAt = ".away"

// since is for how long the moment under key has been waited with somebody
// looking; it is set when absent.
func (w *Work) since(key string) time.Duration {
	return max(w.ago(key)-w.Away+time.Duration(w.count(key+awayAt))*time.Second, 0)
}

// ago is how long ago the moment under key was, whoever looked; it is set when
// absent.
func (w *Work) ago(key string) time.Duration {
	unix, err := strconv.ParseInt(w.Memory[key], 10, 64)
	if err != nil {
		w.stamp(key)
		return 0
	}
	return w.Now.Sub(time.Unix(unix, 0))
}

// stamp sets the moment under key to now.
func (w *Work) stamp(key string) {
	w.Memory[key] = strconv.FormatInt(w.Now.Unix(), 10)
	w.Memory[key+awayAt] = strconv.FormatInt(int64(w.Away/time.Second), 10)
}

// unstamp forgets the moment under key.
func (w *Work) unstamp(key string) {
	delete(w.Memory, key)
	delete(w.Memory, key+awayAt)
}
