package winrm

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var partFile = regexp.MustCompile(`^(.+)_(star|all)_(\d+)\.xml$`)

// enumerations are the recorded answers: "server_2003/Win32_Service star" to
// its parts in order.
func enumerations(t *testing.T) map[string][][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpus(t, "wql"), "*", "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files of the corpus: %d, %v", len(files), err)
	}
	sort.Strings(files)
	out := map[string][][]byte{}
	for _, file := range files {
		m := partFile.FindStringSubmatch(filepath.Base(file))
		if m == nil {
			t.Fatalf("%s: not CLASS_star_NNN.xml or CLASS_all_NNN.xml", file)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		key := filepath.Base(filepath.Dir(file)) + "/" + m[1] + " " + m[2]
		out[key] = append(out[key], data)
	}
	return out
}

// replay enumerates recorded parts through HTTP.
func replay(t *testing.T, class string, parts [][]byte) []Instance {
	t.Helper()
	h := newFakeHost(t)
	next := 0
	part := func(w http.ResponseWriter, r *http.Request, n int) {
		if next >= len(parts) {
			answer(200, soapBody(`<n:PullResponse><n:Items/><n:EndOfSequence/></n:PullResponse>`))(w, r, n)
			return
		}
		answer(200, string(parts[next]))(w, r, n)
		next++
	}
	h.on("Enumerate", part).on("Pull", part)
	got, err := h.dial(t).Enumerate(withDeadline(t, 20*time.Second), "root/cimv2", "SELECT * FROM "+class)
	if err != nil {
		t.Fatalf("Enumerate: %v", err)
	}
	if next != len(parts) {
		t.Errorf("%d parts asked for, want all %d", next, len(parts))
	}
	return got
}

func TestRecordedEnumerationsGiveEveryObjectAndProperty(t *testing.T) {
	t.Parallel()
	for name, parts := range enumerations(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			class, _, _ := strings.Cut(name[strings.IndexByte(name, '/')+1:], " ")
			want := 0
			for _, part := range parts {
				tree, err := byStandard(part)
				if err != nil {
					t.Fatal(err)
				}
				want += len(tree.find("Items").all())
			}
			got := replay(t, class, parts)
			if len(got) != want || want == 0 {
				t.Fatalf("%d objects, want %d", len(got), want)
			}
			list, err := os.ReadFile(filepath.Join(corpus(t, "wql"), name[:strings.IndexByte(name, '/')], class+".properties"))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			text := string(bytes.Join(parts, nil))
			for _, property := range strings.Fields(string(list)) {
				recorded := strings.Contains(text, property+">") || strings.Contains(text, property+" xsi:nil")
				for i, one := range got {
					if _, ok := one[property]; recorded && !ok {
						t.Fatalf("object %d has no %s: %v", i, property, one)
					}
				}
			}
		})
	}
}

// Both shapes of one class say the same, except for what moves with time.
func TestBothItemShapesReadTheSame(t *testing.T) {
	t.Parallel()
	all := enumerations(t)
	moving := map[string]bool{
		"LocalDateTime": true, "FreePhysicalMemory": true, "FreeSpaceInPagingFiles": true, "FreeVirtualMemory": true,
		"NumberOfProcesses": true, "FreeSpace": true, "LoadPercentage": true, "CurrentClockSpeed": true,
	}
	for name, parts := range all {
		class, isStar := strings.CutSuffix(name, " star")
		if !isStar || all[class+" all"] == nil {
			continue
		}
		short := class[strings.IndexByte(class, '/')+1:]
		star, named := replay(t, short, parts), replay(t, short, all[class+" all"])
		if len(star) != len(named) {
			t.Errorf("%s: %d objects by SELECT *, %d by name", class, len(star), len(named))
			continue
		}
		for i := range star {
			for property, value := range named[i] {
				if !moving[property] && !cmp.Equal(value, star[i][property]) {
					t.Errorf("%s, object %d, %s = %v by name, %v by SELECT *", class, i, property, value, star[i][property])
				}
			}
		}
	}
}

func TestRecordedTimesNumbersAndNulls(t *testing.T) {
	t.Parallel()
	for _, shape := range []string{"star", "all"} {
		parts := enumerations(t)["server_2003/Win32_OperatingSystem "+shape]
		if parts == nil {
			t.Skip("no Win32_OperatingSystem of Windows Server 2003 in the corpus")
		}
		host := replay(t, "Win32_OperatingSystem", parts)[0]
		boot, ok := host.Time("LastBootUpTime")
		if want := "2013-04-15T16:28:38.376625Z"; !ok || boot.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: LastBootUpTime = %v, %v, want %s", shape, boot, ok, want)
		}
		if n, ok := host.Int("buildnumber"); n != 3790 || !ok {
			t.Errorf("%s: BuildNumber = %d, %v", shape, n, ok)
		}
		if v, ok := host.Bool("Debug"); v || !ok {
			t.Errorf("%s: Debug = %v, %v, want false", shape, v, ok)
		}
		if host.Has("TotalSwapSpaceSize") {
			t.Errorf("%s: TotalSwapSpaceSize = %v, want null", shape, host["TotalSwapSpaceSize"])
		}
	}
}

var (
	shellSelector = regexp.MustCompile(`<w:Selector Name=["']ShellId["']>([^<]+)<`)
	faultCode     = regexp.MustCompile(`(?:WSManFault[^>]* Code=["']|error_Code[^>]*>)(\d+)`)
	exitCode      = regexp.MustCompile(`<rsp:ExitCode>(-?\d+)<`)
	streamPart    = regexp.MustCompile(`<rsp:Stream Name="stdout"[^>]*>([^<]*)<`)
	commandIDText = regexp.MustCompile(`<rsp:CommandId>([^<]+)<`)
	statusColumn  = regexp.MustCompile(`(?m)^\| (\S+) \| (\d+) \|`)
)

// Every recorded answer of a shell, given to the driver over HTTP with the
// status of the README, has to mean what a plain search of the file says.
func TestRecordedShellAnswers(t *testing.T) {
	t.Parallel()
	dir := corpus(t, "winrm-records")
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]int{}
	for _, m := range statusColumn.FindAllStringSubmatch(string(readme), -1) {
		status[m[1]], _ = strconv.Atoi(m[2])
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.response.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files of the corpus: %d, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := string(data)
			code := status[name]
			if code == 0 {
				code = http.StatusOK
				if strings.Contains(text, "<s:Fault>") {
					code = http.StatusInternalServerError
				}
			}
			h, ctx := newFakeHost(t), withDeadline(t, 10*time.Second)
			switch {
			case strings.Contains(text, "Fault>"):
				want := uint32(0)
				if m := faultCode.FindStringSubmatch(text); m != nil {
					want = code32(m[1])
				}
				h.on("Create", answer(code, text))
				_, err := h.dial(t).Run(ctx, Command{Line: "hostname"})
				if got, _ := FaultCode(err); got != want || want == 0 {
					t.Errorf("fault code = %d, want %d (%v)", got, want, err)
				}
			case strings.Contains(text, "CreateResponse"):
				h.on("Create", answer(code, text))
				c := h.dial(t)
				if _, err := c.Run(ctx, Command{Line: "hostname"}); err != nil {
					t.Fatal(err)
				}
				c.Close()
				want := shellSelector.FindStringSubmatch(text)[1]
				for _, action := range []string{"Command", "Receive", "Signal", "Delete"} {
					if got := selectorsOf(h.last(t, action).envelope)["ShellId"]; got != want {
						t.Errorf("%s to shell %q, want %q", action, got, want)
					}
				}
			case strings.Contains(text, "<rsp:CommandResponse>"):
				h.on("Command", answer(code, text))
				if _, err := h.dial(t).Run(ctx, Command{Line: "hostname"}); err != nil {
					t.Fatal(err)
				}
				want := commandIDText.FindStringSubmatch(text)[1]
				if got := h.last(t, "Receive").envelope.find("DesiredStream").attr("CommandId"); got != want {
					t.Errorf("Receive of command %q, want %q", got, want)
				}
			case strings.Contains(text, "<rsp:ReceiveResponse>"):
				h.on("Receive", inTurn(answer(code, text), answer(200, received("", "", 77))))
				got, err := h.dial(t).Run(ctx, Command{Line: "hostname"})
				if err != nil {
					t.Fatal(err)
				}
				wantExit, wantOut := 77, []byte(nil)
				if m := exitCode.FindStringSubmatch(text); m != nil {
					wantExit, _ = strconv.Atoi(m[1])
				}
				for _, m := range streamPart.FindAllStringSubmatch(text, -1) {
					b, err := base64.StdEncoding.DecodeString(m[1])
					if err != nil {
						t.Fatal(err)
					}
					wantOut = append(wantOut, b...)
				}
				if got.Exit != wantExit || !bytes.Equal(got.Stdout, wantOut) {
					t.Errorf("exit %d, stdout %q, want %d, %q", got.Exit, got.Stdout, wantExit, wantOut)
				}
			default: // Send, Signal, Delete, Get: an answer without a fault
				h.on("Delete", answer(code, text))
				c := h.dial(t)
				if err := c.say(ctx, deleteMessage(shellID), heard); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// fields are what a host decides on in a request.
type fields struct {
	Action, Resource, Envelope string
	Selectors, Options         map[string]string
	Body                       string
}

func selectorsOf(envelope *node) map[string]string {
	out := map[string]string{}
	for _, s := range envelope.child("Header").child("SelectorSet").all() {
		out[s.attr("Name")] = s.words()
	}
	return out
}

func fieldsOf(envelope *node) fields {
	header := envelope.child("Header")
	f := fields{
		Action: header.child("Action").words(), Resource: header.child("ResourceURI").words(),
		Envelope: header.child("MaxEnvelopeSize").words(), Selectors: selectorsOf(envelope), Options: map[string]string{},
	}
	for _, o := range header.child("OptionSet").all() {
		f.Options[o.attr("Name")] = strings.ToUpper(o.words())
	}
	for _, k := range envelope.child("Body").all() {
		f.Body += written(k)
	}
	return f
}

// written is an element without prefixes, its attributes in order.
func written(n *node) string {
	attrs := []string{}
	for _, a := range n.attrs {
		attrs = append(attrs, fmt.Sprintf(" %s=%q", a.Name.Local, strings.ToLower(a.Value)))
	}
	sort.Strings(attrs)
	out := "<{" + n.name.Space + "}" + n.name.Local + strings.Join(attrs, "") + ">" + strings.TrimSpace(n.text)
	for _, k := range n.kids {
		out += written(k)
	}
	return out + "</>"
}

// Our requests are those that real hosts answered, field by field, with the
// differences that are named here.
func TestRequestsAreThoseThatHostsAnswered(t *testing.T) {
	t.Parallel()
	dir := corpus(t, "winrm-records")
	files, err := filepath.Glob(filepath.Join(dir, "*.request.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files of the corpus: %d, %v", len(files), err)
	}
	compared := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		recorded, err := parse(data)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		want := fieldsOf(recorded)
		ours := ourMessage(t, recorded, &want)
		if ours == "" {
			continue // Get of winrm/config: not asked by us
		}
		sent, err := parse([]byte(ours))
		if err != nil {
			t.Fatalf("%s: our message: %v", file, err)
		}
		if diff := cmp.Diff(fieldsOf(sent), want); diff != "" {
			t.Errorf("%s: ours (-) and recorded (+):\n%s", filepath.Base(file), diff)
		}
		compared++
	}
	if compared < 8 {
		t.Errorf("%d requests compared, want at least 8", compared)
	}
}

// ourMessage makes the message with the recorded ids and puts our deliberate
// differences into want.
func ourMessage(t *testing.T, recorded *node, want *fields) string {
	t.Helper()
	c, err := New(Config{Address: "127.0.0.1", Port: 5985, Account: Basic("u", "p")})
	if err != nil {
		t.Fatal(err)
	}
	body, shell := recorded.child("Body"), want.Selectors["ShellId"]
	if want.Resource != shellResource {
		return "" // not a message of a text shell
	}
	switch want.Action[strings.LastIndexByte(want.Action, '/')+1:] {
	case "Create":
		// A code page and no profile; no environment, times or folder.
		want.Options["WINRS_NOPROFILE"], want.Options["WINRS_CODEPAGE"] = "TRUE", "437"
		kept := body.kids[0].kids[:0]
		for _, k := range body.kids[0].kids {
			if strings.HasSuffix(k.name.Local, "Streams") {
				kept = append(kept, k)
			}
		}
		body.kids[0].kids = kept
		want.Body = written(body.kids[0])
		return string(createMessage(437, 0).appendTo(nil, c))
	case "Command":
		// Stdin as a console, as pywinrm and Ansible ask for.
		want.Options["WINRS_CONSOLEMODE_STDIN"] = "TRUE"
		cmd := Command{Line: body.find("Command").text, SkipShell: want.Options["WINRS_SKIP_CMD_SHELL"] == "TRUE"}
		for _, k := range body.kids[0].kids {
			if k.name.Local == "Arguments" {
				cmd.Args = append(cmd.Args, k.text)
			}
		}
		return string(commandMessage(shell, cmd).appendTo(nil, c))
	case "Receive":
		if body.find("DesiredStream").attr("CommandId") == "" {
			return "" // asked without a command to provoke a fault
		}
		// WinRM 1.1 does not know the option; the time limit is answered instead.
		delete(want.Options, "WSMAN_CMDSHELL_OPTION_KEEPALIVE")
		return string(receiveMessage(shell, body.find("DesiredStream").attr("CommandId")).appendTo(nil, c))
	case "Send":
		data, err := base64.StdEncoding.DecodeString(body.find("Stream").text)
		if err != nil {
			t.Fatal(err)
		}
		want.Body = strings.Replace(want.Body, ` End="false"`, "", 1) // false is the default
		return string(sendMessage(shell, body.find("Stream").attr("CommandId"), data, false).appendTo(nil, c))
	case "Signal":
		want.Body = strings.Replace(want.Body, "signal/ctrl_c", "signal/terminate", 1)
		return string(signalMessage(shell, body.child("Signal").attr("CommandId")).appendTo(nil, c))
	case "Delete":
		return string(deleteMessage(shell).appendTo(nil, c))
	default:
		return ""
	}
}
