package jobs

import (
	"strconv"
	"time"

	"wavekeeper/server/store"
)

// unwatchedAfter is how long nobody must have looked at a step for the time not
// to count: it is above every pause between ticks. Coordinators that were all
// down, and a database's clock that was set forward, are no doing of the host.
const unwatchedAfter = 5 * time.Minute

// What a step's memory holds beside what the runbook keeps there. When its limits
// count from is no memory but a column: pages read it, too.
const (
	lookedAt = "jobs.looked_at" // when it was ticked last, seconds of 1970
	awayFor  = "jobs.away"      // how long nobody looked in all, seconds: what the runbook's patience leaves out
	barredAt = "jobs.barred"    // when it was ticked last the host took no command: nobody could look since
)

// gap is how much of the time since the step was looked at last nobody looked.
func (c *course) gap(memory map[string]string, last time.Time) time.Duration {
	since := c.now.Sub(last)
	if since > unwatchedAfter || memory[barredAt] != "" && since > 0 {
		return since
	}
	return 0
}

// unwatched is how much of the time since the tick before, or since the step's
// limits began to count, nobody looked at it. What was before that is in the
// moment itself: each tick moves it on.
func (c *course) unwatched(from time.Time) time.Duration {
	memory := c.step(worked(c.w)).Memory
	if last := seconds(memory[lookedAt]); last >= from.Unix() {
		return c.gap(memory, time.Unix(last, 0))
	}
	return c.gap(nil, from) // it was not looked at since
}

// away is how long nobody looked at the step since it was begun, also while its
// limits did not count.
func (c *course) away() time.Duration {
	memory := c.step(worked(c.w)).Memory
	last := c.counted()
	if at := seconds(memory[lookedAt]); at > 0 {
		last = time.Unix(at, 0)
	}
	if last.IsZero() {
		return 0
	}
	return time.Duration(seconds(memory[awayFor]))*time.Second + c.gap(memory, last)
}

// looked notes in what is saved that the step was looked at now, and from when
// its limits count; barred, that the host was, but took no command.
func (c *course) looked(save *store.TickSave, barred bool) {
	from := c.counted()
	if save.Memory == nil || from.IsZero() {
		return
	}
	if later := c.from(); later.After(from) {
		save.LimitsFrom = later
	}
	save.Memory[lookedAt] = strconv.FormatInt(c.now.Unix(), 10)
	save.Memory[awayFor] = strconv.FormatInt(int64(c.away()/time.Second), 10)
	delete(save.Memory, barredAt)
	if barred {
		save.Memory[barredAt] = "yes"
	}
}

func seconds(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
