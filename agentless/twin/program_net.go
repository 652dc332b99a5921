package twin

import "strings"

// localGroup is net localgroup: the machine's groups, or the members of one.
// Groups have names in the display language; their SIDs are the same
// everywhere.
func (c *call) localGroup() int {
	h := c.s.h
	if len(c.args) == 1 {
		c.print("\r\nAliases for \\\\%s\r\n\r\n", h.name)
		c.print("-------------------------------------------------------------------------------\r\n*%s\r\n", h.platform.admins)
		c.print("The command completed successfully.\r\n\r\n")
		return 0
	}
	if !strings.EqualFold(c.args[1], h.platform.admins) {
		c.complain("System error 1376 has occurred.\r\n\r\nThe specified local group does not exist.\r\n\r\n")
		return 2
	}
	c.print("-------------------------------------------------------------------------------\r\n")
	for _, member := range []string{"Administrator", h.fleet.opt.User, h.fleet.opt.RunAs} {
		if member != "" {
			c.print("%s\r\n", member)
		}
	}
	c.print("The command completed successfully.\r\n\r\n")
	return 0
}
