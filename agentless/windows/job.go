package windows

import "encoding/binary"

// lastOfJob reads from a file of Task Scheduler 1.0 how the last run ended: the
// HRESULT of the most recent attempt to start the task when it is a failure,
// else the exit code, or 0x41303 when it never ran. 0 when the file says
// nothing. The file is binary and the same in every language. Source: MS-TSCH
// 2.4.1 (68 bytes of fixed length: exit code at 40, status at 44) and 2.4.2.9
// (Start Error, behind what has no fixed length).
func lastOfJob(raw []byte) uint32 {
	if len(raw) < 70 {
		return 0
	}
	if refused := startError(raw); refused>>31 != 0 {
		return refused
	}
	if status := binary.LittleEndian.Uint32(raw[44:]); status == taskNeverRan {
		return status
	}
	return binary.LittleEndian.Uint32(raw[40:])
}

// taskNeverRan is SCHED_S_TASK_HAS_NOT_RUN.
const taskNeverRan uint32 = 0x41303

// startError is the field of that name: five texts (program, arguments, folder,
// author, comment) stand before it, each behind the number of its UTF-16 units,
// then the user's data behind their number of bytes.
func startError(raw []byte) uint32 {
	at := int(binary.LittleEndian.Uint16(raw[20:])) // where the program's name begins
	for part := range 6 {
		if at < 68 || at+2 > len(raw) {
			return 0
		}
		size := int(binary.LittleEndian.Uint16(raw[at:]))
		if part < 5 {
			size *= 2
		}
		at += 2 + size
	}
	if at+6 > len(raw) || binary.LittleEndian.Uint16(raw[at:]) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(raw[at+2:])
}
