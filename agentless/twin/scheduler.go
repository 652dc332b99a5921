package twin

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"sort"
	"strings"
)

// Task Scheduler 2.0, as Schedule.Service shows it to a script on Windows
// Server 2008 and later. Windows Server 2003 has no such class.

// What a script meets of Task Scheduler 2.0 beside what registerTask answers
// (winerror.h; "Task Scheduler Error and Success Constants").
const (
	hrMalformedXML = "8004131A"

	comException = "System.Runtime.InteropServices.COMException"
	noSuchClass  = "System.Management.Automation.PSArgumentException"
)

// taskDefinition is what the twin reads of Task Scheduler's XML; what it does
// not know is refused, so that nothing is asked for in vain.
type taskDefinition struct {
	XMLName  xml.Name `xml:"http://schemas.microsoft.com/windows/2004/02/mit/task Task"`
	Version  string   `xml:"version,attr"`
	Triggers struct {
		Any []struct{} `xml:",any"`
	} `xml:"Triggers"`
	Principal struct {
		UserID    string `xml:"UserId"`
		LogonType string `xml:"LogonType"`
		RunLevel  string `xml:"RunLevel"`
	} `xml:"Principals>Principal"`
	Settings struct {
		Policy    string `xml:"MultipleInstancesPolicy"`
		Demand    string `xml:"AllowStartOnDemand"`
		Enabled   string `xml:"Enabled"`
		Batteries string `xml:"DisallowStartIfOnBatteries"`
		Limit     string `xml:"ExecutionTimeLimit"`
		Priority  int    `xml:"Priority"`
	} `xml:"Settings"`
	Command   string `xml:"Actions>Exec>Command"`
	Arguments string `xml:"Actions>Exec>Arguments"`
}

// definitionOf reads a description; false when the scheduler would not have it
// or would not do with it what a host task needs.
func definitionOf(text string) (taskDefinition, bool) {
	var d taskDefinition
	decoder := xml.NewDecoder(strings.NewReader(text))
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it came as a BSTR
	if err := decoder.Decode(&d); err != nil {
		return d, false
	}
	s := d.Settings
	return d, d.Version == "1.2" && d.Command != "" && d.Principal.UserID != "" && len(d.Triggers.Any) == 0 &&
		d.Principal.RunLevel == "HighestAvailable" && s.Policy == "IgnoreNew" && s.Demand == "true" && s.Enabled == "true" &&
		s.Batteries == "false" && s.Limit == "PT0S" && s.Priority == 4
}

// scriptTaskRegister registers a task; a password comes by stdin, as one line of
// base64.
func scriptTaskRegister(r *records, args []string) int {
	h := r.c.s.h
	name, text, who := argument(args, 0), argument(args, 1), argument(args, 2)
	password := ""
	if who != "" {
		line, _, _ := strings.Cut(r.c.input(), "\n")
		line = strings.TrimRight(line, "\r")
		if line == "" {
			return r.fail("System.IO.EndOfStreamException", hrEndOfStream)
		}
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return r.fail("System.FormatException", hrFormat)
		}
		password = string(raw)
	}
	if h.platform.before6() {
		return r.fail(noSuchClass, hrArgument)
	}
	d, ok := definitionOf(text)
	if !ok || (who == "") != (d.Principal.UserID == sidSystem) || (who != "") != (d.Principal.LogonType == "Password") {
		return r.fail(comException, hrMalformedXML)
	}
	code := uint32(hresultOK)
	h.update(func() {
		code = h.registerTask(&task{
			Name: name, Run: strings.TrimSpace(d.Command + " " + d.Arguments), Account: who, XML: text, At: h.now(), Fired: true,
		}, password)
	})
	if code != hresultOK {
		return r.fail(comException, fmt.Sprintf("%08X", code))
	}
	r.put("state", "registered")
	return 0
}

// scheduledTask finds a task of Task Scheduler 2.0; it writes the error where
// there is none.
func (r *records) scheduledTask(name string) (*task, int) {
	h := r.c.s.h
	if h.platform.before6() {
		return nil, r.fail(noSuchClass, hrArgument)
	}
	var t *task
	h.look(func() { t = h.state.Tasks[strings.ToLower(name)] })
	if t == nil {
		return nil, r.fail("System.IO.FileNotFoundException", hrFileNotFound)
	}
	return t, 0
}

// scriptTaskRun lets a task begin and runs it.
func scriptTaskRun(r *records, args []string) int {
	h := r.c.s.h
	t, failed := r.scheduledTask(argument(args, 0))
	if t == nil {
		return failed
	}
	path, found := clean(argument(args, 1), r.c.s.cwd), false
	h.update(func() {
		if found = h.folderAt(parent(path)); found {
			h.writeFile(path, []byte("go"))
			h.startTask(t)
		}
	})
	if !found {
		return r.fail("System.IO.DirectoryNotFoundException", hrDirectoryNotFound)
	}
	r.put("state", "started")
	return 0
}

// scriptTaskCheck compares files of a folder with their SHA-256.
func scriptTaskCheck(r *records, args []string) int {
	if r.c.s.h.fips() {
		return r.fail(fipsRefuses, hrInvalid)
	}
	folder := clean(argument(args, 0), r.c.s.cwd)
	for _, each := range strings.Split(argument(args, 1), ";") {
		name, want, _ := strings.Cut(each, "=")
		sum := ""
		if data, found := r.c.s.h.fileBytes(folder + `\` + name); found {
			sum = fmt.Sprintf("%x", sha256.Sum256(data))
		}
		if sum != want {
			r.put("wrong", name)
		}
	}
	return 0
}

// scriptTaskDelete takes a task out of the scheduler; what runs goes on.
func scriptTaskDelete(r *records, args []string) int {
	h := r.c.s.h
	t, failed := r.scheduledTask(argument(args, 0))
	if t == nil {
		return failed
	}
	h.update(func() {
		h.unregisterTask(t)
	})
	r.put("state", "deleted")
	return 0
}

// scriptTaskList lists the tasks whose names begin so, with TASK_STATE and the
// last result.
func scriptTaskList(r *records, args []string) int {
	h := r.c.s.h
	if h.platform.before6() {
		return r.fail(noSuchClass, hrArgument)
	}
	var lines []string
	h.look(func() {
		for key, t := range h.state.Tasks {
			if !strings.HasPrefix(key, strings.ToLower(argument(args, 0))) {
				continue
			}
			state := 3 // ready
			if t.Running {
				state = 4
			}
			lines = append(lines, fmt.Sprintf("%s|%d|%08X", t.Name, state, t.Last))
		}
	})
	sort.Strings(lines)
	for _, l := range lines {
		r.put("task", l)
	}
	return 0
}

// input is what came by stdin, to its end, as powershell.exe hands it to a
// command as $input.
func (c *call) input() string {
	raw, err := io.ReadAll(c.in)
	if err != nil {
		return ""
	}
	return decode(raw, c.s.codePage)
}
