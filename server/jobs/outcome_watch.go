package jobs

import (
	"strconv"
	"time"
)

// unwatchedAfter is how long nobody must have looked at a step for the time not
// to count: it is above every pause between ticks. Coordinators that were all
// down, and a database's clock that was set forward, are no doing of the host.
const unwatchedAfter = 5 * time.Minute

// What a step's memory holds beside what the runbook keeps there.
const (
	lookedAt  = "jobs.looked_at" // when it was ticked last, seconds of 1970
	unwatched = "jobs.unwatched" // how long nobody looked since the limits began to count, seconds
	countedBy = "jobs.counted"   // when they began to count, to see that they began anew
)

// unwatched is how much of the time since the step's limits began to count
// nobody looked at it.
func (c *course) unwatched(from time.Time) time.Duration {
	memory := c.step(c.w.Step).Memory
	var total time.Duration
	last := from // it was not looked at since
	if seconds(memory[countedBy]) == from.Unix() {
		total = time.Duration(seconds(memory[unwatched])) * time.Second
		last = time.Unix(seconds(memory[lookedAt]), 0)
	}
	if gap := c.now.Sub(last); gap > unwatchedAfter {
		total += gap
	}
	return total
}

// looked notes in the memory that is saved that the step was looked at now.
func (c *course) looked(memory map[string]string) {
	from := c.counted()
	if memory == nil || from.IsZero() {
		return
	}
	memory[lookedAt] = strconv.FormatInt(c.now.Unix(), 10)
	memory[unwatched] = strconv.FormatInt(int64(c.unwatched(from)/time.Second), 10)
	memory[countedBy] = strconv.FormatInt(from.Unix(), 10)
}

func seconds(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
