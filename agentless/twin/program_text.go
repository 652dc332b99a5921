package twin

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/text/encoding"
)

// lines reads what find, findstr, sort and more read: files or stdin.
func (c *call) lines(files []string) ([]string, bool) {
	raw, err := []byte(nil), error(nil)
	if len(files) == 0 {
		raw, err = io.ReadAll(c.in)
	}
	for _, name := range files {
		found := false
		c.s.h.look(func() {
			if f := c.s.h.fileAt(clean(name, c.s.cwd)); f != nil && !f.Dir {
				raw, found = append(raw, f.Data...), true
			}
		})
		if !found {
			return nil, false
		}
	}
	if err != nil {
		return nil, false
	}
	var all []string
	scan := bufio.NewScanner(bytes.NewReader(raw))
	for scan.Scan() {
		all = append(all, strings.TrimRight(decode(scan.Bytes(), c.s.codePage), "\r"))
	}
	return all, scan.Err() == nil
}

// find prints the lines with a string in them: 0 found, 1 none.
func find(c *call) int {
	var files []string
	want, given := "", false
	for _, w := range c.args {
		switch {
		case strings.HasPrefix(w, "/"):
		case !given:
			want, given = w, true
		default:
			files = append(files, w)
		}
	}
	if !given || !strings.Contains(c.line, `"`) {
		c.complain("FIND: Parameter format not correct\r\n")
		return 2
	}
	all, ok := c.lines(files)
	if !ok {
		c.complain("File not found - %s\r\n", strings.ToUpper(strings.Join(files, " ")))
		return 1
	}
	n := 0
	for i, l := range all {
		hay, needle := l, want
		if c.has("/i") {
			hay, needle = strings.ToLower(hay), strings.ToLower(needle)
		}
		if strings.Contains(hay, needle) == c.has("/v") {
			continue
		}
		n++
		switch {
		case c.has("/c"):
		case c.has("/n"):
			c.print("[%d]%s\r\n", i+1, l)
		default:
			c.print("%s\r\n", l)
		}
	}
	if c.has("/c") {
		c.print("%d\r\n", n)
	}
	if n == 0 {
		return 1
	}
	return 0
}

// findstr knows words, /i, /v and /c:; its words are not regular expressions here.
func findstr(c *call) int {
	var files, wants []string
	fold, invert, given := false, false, false
	for _, w := range c.args {
		low := strings.ToLower(w)
		switch {
		case strings.HasPrefix(low, "/c:"):
			wants, given = append(wants, w[3:]), true
		case strings.HasPrefix(w, "/"):
			fold, invert = fold || strings.Contains(low, "i"), invert || strings.Contains(low, "v")
		case !given:
			wants, given = strings.Fields(w), true
		default:
			files = append(files, w)
		}
	}
	all, ok := c.lines(files)
	if !ok {
		c.complain("FINDSTR: Cannot open %s\r\n", strings.Join(files, " "))
		return 1
	}
	n := 0
	for _, l := range all {
		hit := false
		for _, want := range wants {
			hay := l
			if fold {
				hay, want = strings.ToLower(hay), strings.ToLower(want)
			}
			hit = hit || strings.Contains(hay, want)
		}
		if hit != invert {
			n++
			c.print("%s\r\n", l)
		}
	}
	if n == 0 {
		return 1
	}
	return 0
}

// sortLines knows /r and a file; without one it reads its input.
func sortLines(c *call) int {
	var files []string
	for _, w := range c.args {
		if !strings.HasPrefix(w, "/") {
			files = append(files, w)
		}
	}
	all, ok := c.lines(files)
	if !ok {
		c.complain("The system cannot find the file specified.\r\n")
		return 1
	}
	sort.Strings(all)
	if c.has("/r") {
		slices.Reverse(all)
	}
	for _, l := range all {
		c.print("%s\r\n", l)
	}
	return 0
}

func more(c *call) int {
	all, ok := c.lines(c.args)
	if !ok {
		c.complain("Cannot access file\r\n")
		return 1
	}
	for _, l := range all {
		c.print("%s\r\n", l)
	}
	return 0
}

// chcp shows the console's code page, or sets it to one that the simulation
// knows.
func chcp(c *call) int {
	if len(c.args) > 0 {
		page, err := strconv.Atoi(c.args[0])
		if err != nil {
			c.complain("Parameter format not correct - %s\r\n", c.args[0])
			return 1
		}
		if page != 65001 && codePageOf(page) == encoding.Nop {
			c.complain("Invalid code page\r\n")
			return 1
		}
		c.s.codePage = page
	}
	c.print("Active code page: %d\r\n", c.s.codePage)
	return 0
}
