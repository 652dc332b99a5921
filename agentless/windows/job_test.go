package windows

import (
	"encoding/binary"
	"testing"
)

func TestAFileOfTaskScheduler1IsReadByItsPlaces(t *testing.T) {
	t.Parallel()
	file := func(exit, status, refused uint32, texts ...string) []byte {
		b := make([]byte, 68)
		binary.LittleEndian.PutUint16(b[20:], 70)
		binary.LittleEndian.PutUint32(b[40:], exit)
		binary.LittleEndian.PutUint32(b[44:], status)
		b = append(b, 0, 0)
		for _, s := range texts {
			b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
			for _, c := range []byte(s) {
				b = append(b, c, 0)
			}
		}
		b = append(b, 3, 0, 'x', 'y', 'z') // user data
		b = append(b, 8, 0)
		b = binary.LittleEndian.AppendUint32(b, refused)
		return append(b, 0, 0, 0, 0, 0, 0)
	}
	good := file(7, 0x41300, 0, "program\x00", "", "C:\\\x00", "LAB\\a\x00", "")
	for want, raw := range map[uint32][]byte{
		7: good, 0x8007052e: file(7, 0x41300, 0x8007052e, "p\x00", "a\x00", "", "", "c\x00"), taskNeverRan: file(0, taskNeverRan, 0, "", "", "", "", ""),
	} {
		if got := lastOfJob(raw); got != want {
			t.Errorf("last result 0x%x, want 0x%x", got, want)
		}
	}
	for size := range good { // a file that was cut off is no reason to fall over
		lastOfJob(good[:size])
	}
	wild := file(7, 0x41300, 0x8007052e, "p\x00", "", "", "", "")
	for _, at := range []uint16{0, 67, 69, 0xffff} {
		binary.LittleEndian.PutUint16(wild[20:], at)
		lastOfJob(wild)
	}
	if got := lastOfJob([]byte("job of wk")); got != 0 {
		t.Errorf("no such file is read as 0x%x", got)
	}
}

func TestWhatTaskLookSaysIsNotTrusted(t *testing.T) {
	t.Parallel()
	for _, bad := range []Record{{"entry", "a"}, {"entry", "a|f|x"}, {"rc", "%"}, {"job", "%"}, {"task", "a|b|c"}, {"task", "a|1|zz"}, {"task", "a"}} {
		if look, err := lookOf(Records{{"exists", "1"}, bad}); err == nil {
			t.Errorf("%v is %+v", bad, look)
		}
	}
	look, err := lookOf(Records{{"exists", "1"}, {"entry", "alive|f|0"}, {"held", "System.UnauthorizedAccessException 80070005"}})
	if err != nil || look.Life != LifeUntold {
		t.Errorf("a file that could not be tried says %q, %v", look.Life, err)
	}
}

// TestAResultThatAPowerLossToreIsNone: else nothing of the upgrade could ever be
// looked at, put back or tidied again.
func TestAResultThatAPowerLossToreIsNone(t *testing.T) {
	t.Parallel()
	for rc, want := range map[string]TaskState{"": TaskStarted, "AAAA": TaskStarted, "eA==": TaskStarted, "MQ0K": TaskEnded} {
		look, err := lookOf(Records{{"exists", "1"}, {"entry", "started|d|0"}, {"entry", "rc|f|3"}, {"rc", rc}})
		if err != nil || look.State != want || !look.Has("rc") {
			t.Errorf("result %q is %+v, %v, want %s", rc, look, err, want)
		}
	}
}
