package twin

import (
	"fmt"
	"strconv"
	"strings"
)

// reg is reg.exe: query, add, delete; exit 0 or 1.
func reg(c *call) int {
	if len(c.args) < 2 {
		c.complain("Error:  Invalid command-line parameters\r\n")
		return 1
	}
	verb := strings.ToLower(c.args[0])
	code, text, why := 1, "", "Error:  Invalid command-line parameters"
	c.s.h.update(func() {
		path := c.s.h.regPath(c.args[1], c.s.who.sid)
		switch verb {
		case "query":
			code, text, why = c.regQuery(path)
		case "add":
			code, why = c.regAdd(path)
		case "delete":
			code, why = c.regDelete(path)
		}
	})
	if code != 0 {
		c.complain("\r\n%s\r\n", why)
		return code
	}
	if verb != "query" {
		text = c.s.h.platform.text("\r\nThe operation completed successfully\r\n")
	}
	c.print("%s", text)
	return 0
}

const regMissing = "Error:  The system was unable to find the specified registry key or value"

// fullName spells a path with the long root, as reg prints it.
func fullName(path string) string {
	if rest, ok := strings.CutPrefix(path, "HKLM"); ok {
		return "HKEY_LOCAL_MACHINE" + rest
	}
	return "HKEY_USERS" + strings.TrimPrefix(path, "HKU")
}

func (c *call) regQuery(path string) (int, string, string) {
	h := c.s.h
	h.serviceKey(path)
	if path == "" || !h.regHas(path) {
		return 1, "", regMissing
	}
	var b strings.Builder
	if h.platform.before6() {
		b.WriteString("\r\n! REG.EXE VERSION 3.0\r\n")
	}
	one := func(v *regValue) {
		b.WriteString(h.platform.regLine(v))
	}
	if name, ok := c.after("/v"); ok {
		v := h.regGet(path, name)
		if v == nil {
			return 1, "", regMissing
		}
		fmt.Fprintf(&b, "\r\n%s\r\n", fullName(path))
		one(v)
		b.WriteString("\r\n")
		return 0, b.String(), ""
	}
	var walk func(p string)
	walk = func(p string) {
		fmt.Fprintf(&b, "\r\n%s\r\n", fullName(p))
		for _, v := range h.regValues(p) {
			one(v)
		}
		for _, k := range h.regSubkeys(p) {
			if c.has("/s") {
				walk(p + `\` + k)
			} else {
				fmt.Fprintf(&b, "\r\n%s\\%s", fullName(p), k)
			}
		}
	}
	walk(path)
	b.WriteString("\r\n")
	return 0, b.String(), ""
}

// regLine is a value as reg query prints it: between tabs on Windows Server
// 2003, between four blanks later [K].
func (p platform) regLine(v *regValue) string {
	name, between := v.Name, "    "
	if p.before6() {
		between = "\t"
	}
	switch {
	case name == "" && p.before6():
		name = p.text("<NO NAME>")
	case name == "":
		name = p.text("(Default)")
	}
	return "    " + name + between + regTypeNames[v.Type] + between + printed(v) + "\r\n"
}

// printed is a value as reg prints it.
func printed(v *regValue) string {
	switch v.Type {
	case regDWORD:
		return fmt.Sprintf("0x%x", v.Number)
	case regMultiSZ:
		return strings.Join(v.Many, `\0`) + `\0\0`
	case regBinary:
		return strings.ToUpper(fmt.Sprintf("%x", v.Bytes))
	}
	return v.Text
}

func (c *call) regAdd(path string) (int, string) {
	if path == "" {
		return 1, "Error:  Invalid key name"
	}
	h := c.s.h
	name, given := c.after("/v")
	if !given && !c.has("/ve") {
		h.regMake(path)
		return 0, ""
	}
	if !c.has("/f") && h.regGet(path, name) != nil {
		return 1, "Value " + name + " exists, overwrite(Yes/No)?" // nobody answers
	}
	data, _ := c.after("/d")
	kind, ok := c.after("/t")
	if !ok {
		kind = "REG_SZ"
	}
	v := regValue{Name: name}
	switch strings.ToUpper(kind) {
	case "REG_SZ":
		v.Type, v.Text = regSZ, data
	case "REG_EXPAND_SZ":
		v.Type, v.Text = regExpandSZ, data
	case "REG_MULTI_SZ":
		v.Type, v.Many = regMultiSZ, strings.Split(data, `\0`)
	case "REG_DWORD":
		n, err := strconv.ParseUint(data, 0, 32)
		if err != nil {
			return 1, "Error:  Invalid command-line parameters"
		}
		v.Type, v.Number = regDWORD, uint32(n)
	default:
		return 1, "Error:  Invalid command-line parameters"
	}
	h.regSet(path, v)
	return 0, ""
}

func (c *call) regDelete(path string) (int, string) {
	h := c.s.h
	if path == "" || !h.regHas(path) {
		return 1, regMissing
	}
	if !c.has("/f") {
		return 1, "Delete the registry value (Yes/No)?" // nobody answers
	}
	if name, ok := c.after("/v"); ok {
		if !h.regDelete(path, name) {
			return 1, regMissing
		}
		return 0, ""
	}
	h.regDeleteKey(path)
	return 0, ""
}
