package twin

import (
	"fmt"
	"strings"
)

// errMoreData is ERROR_MORE_DATA: the buffer was too small for all services.
const errMoreData = 234

// scBuffer is how much sc.exe asks for unless bufsize= says more (sc query /?,
// K); a real server has more services than fit into it.
const scBuffer = 4096

// listServices is sc query and queryex without a name: the services that run,
// or with state= all or inactive the others too, as far as the buffer takes
// them. The numbers and the words in capitals are not localised.
func (c *call) listServices(long bool) int {
	state, size, from := "active", scBuffer, 0
	for i := 1; i+1 < len(c.args); i += 2 {
		value := strings.ToLower(c.args[i+1])
		switch strings.ToLower(c.args[i]) {
		case "state=":
			state = value
		case "bufsize=":
			size = atoi(value)
		case "ri=":
			from = atoi(value)
		case "type=":
			if value == "driver" {
				return 0
			}
		default:
			return 1639 & 0xffff
		}
	}
	var text strings.Builder
	used, index, need := 0, 0, 0
	c.s.h.look(func() {
		for _, s := range c.s.h.state.Services {
			active := s.State != stopped
			if state == "active" && !active || state == "inactive" && active {
				continue
			}
			if index++; index <= from {
				continue
			}
			display := c.s.h.platform.text(s.Display)
			used += 56 + 2*(len(s.Name)+1+len([]rune(display))+1) // ENUM_SERVICE_STATUS_PROCESS and its two texts
			if used > size {
				if need == 0 {
					from = index - 1
				}
				need = used - size
				continue
			}
			head, rest, _ := strings.Cut(strings.TrimPrefix(c.s.h.status(s, long), "\r\n"), "\r\n")
			fmt.Fprintf(&text, "\r\n%s\r\nDISPLAY_NAME: %s\r\n%s", head, display, rest)
		}
	})
	c.print("%s", text.String())
	if need > 0 {
		c.print("Enum: more data, need %d bytes start resume at index %d\r\n", need, from)
		return errMoreData
	}
	return 0
}
