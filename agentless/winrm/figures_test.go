package winrm

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The programs of testdata/figures, each a process of its own, so that what is
// measured is one side only: ours, bare (masterzen/winrm alone), stub and twin
// (hosts).
var figurePrograms = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "wavekeeper-figures")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"ours", "bare", "stub", "twin"} {
		out, err := exec.Command("go", "build", "-o", filepath.Join(folder, name), "./testdata/figures/"+name).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("build %s: %w: %s", name, err, out)
		}
	}
	return folder, nil
})

var builtFigures atomic.Bool

func TestMain(m *testing.M) {
	code := m.Run()
	if builtFigures.Load() {
		if folder, err := figurePrograms(); err == nil {
			_ = os.RemoveAll(folder) // a folder of the system's for such things
		}
	}
	os.Exit(code)
}

func figureProgram(b *testing.B, name string) string {
	b.Helper()
	builtFigures.Store(true)
	folder, err := figurePrograms()
	if err != nil {
		b.Fatal(err)
	}
	return filepath.Join(folder, name)
}

// hostProcess is a stub or a twin.
type hostProcess struct {
	in    *os.File
	out   *bufio.Reader
	first string // the first line that it says: where its hosts are
}

func startHosts(b *testing.B, program string, args ...string) *hostProcess {
	b.Helper()
	cmd := exec.Command(figureProgram(b, program), args...)
	stdin, in, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stdin, cmd.Stderr = stdin, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	_ = stdin.Close() // the child has it
	p := &hostProcess{in: in, out: bufio.NewReaderSize(out, 64<<10)}
	b.Cleanup(func() {
		_ = p.in.Close() // its end ends the child
		_ = cmd.Wait()   // how does not matter
	})
	p.first = p.line(b)
	return p
}

func (p *hostProcess) line(b *testing.B) string {
	b.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		b.Fatalf("hosts: %v", err)
	}
	return line
}

// hostCounts are what a stub counted since it began.
type hostCounts struct{ Requests, Connections, Open, Waiting, Most int }

func (p *hostProcess) counts(b *testing.B) hostCounts {
	b.Helper()
	if _, err := p.in.WriteString("\n"); err != nil {
		b.Fatal(err)
	}
	var c hostCounts
	if err := json.Unmarshal([]byte(p.line(b)), &c); err != nil {
		b.Fatal(err)
	}
	return c
}

// usage is what a child process took, whole.
type usage struct {
	wall, cpu float64 // s
	said      struct {
		Wall, CPU         float64 // s, of the measured part
		Bytes, Goroutines float64 // of one command
		Memory            float64 // MB, the most that was resident
	}
}

// child runs a program to its end; input is its first line.
func child(b *testing.B, input, program string, args ...string) usage {
	b.Helper()
	return childWith(b, program, args, func(in *os.File) error {
		_, err := in.WriteString(input)
		return err
	})
}

func childWith(b *testing.B, program string, args []string, feed func(in *os.File) error) usage {
	b.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "NO_PROXY=*")
	stdin, in, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	var said, wrong strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &said, &wrong
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	_ = stdin.Close() // the child has it
	if err := feed(in); err != nil {
		b.Fatal(err)
	}
	_ = in.Close() // all was written
	if err := cmd.Wait(); err != nil {
		b.Fatalf("%s: %v: %s", filepath.Base(program), err, wrong.String())
	}
	out := usage{wall: time.Since(began).Seconds(), cpu: (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()}
	if err := json.Unmarshal([]byte(said.String()), &out.said); err != nil {
		b.Fatalf("%s said %q: %v", filepath.Base(program), said.String(), err)
	}
	return out
}

// best is the run that was disturbed least: of each figure the smallest.
func best(all []usage) usage {
	out := all[0]
	for _, u := range all[1:] {
		out.wall, out.cpu = min(out.wall, u.wall), min(out.cpu, u.cpu)
		out.said.Wall, out.said.CPU, out.said.Memory = min(out.said.Wall, u.said.Wall), min(out.said.CPU, u.said.CPU), min(out.said.Memory, u.said.Memory)
	}
	return out
}

// atMost prints a figure beside its target, and fails when it is missed.
func atMost(b *testing.B, what string, got, target float64, unit string) {
	b.Helper()
	word := "pass"
	if got > target {
		word = "FAIL"
	}
	b.Logf("%s  %-62s %10.4g   at most %10.4g %s", word, what, got, target, unit)
	if got > target {
		b.Errorf("%s: %.4g, want at most %.4g %s", what, got, target, unit)
	}
}

// once measures: what a figure is made of has a time of its own, so the number
// of rounds of the benchmark means nothing.
func once(b *testing.B, measure func()) {
	b.Helper()
	done := false
	for b.Loop() {
		if !done {
			done = true
			measure()
		}
	}
	b.ReportMetric(0, "ns/op")
}

// python is the interpreter of Debian's packages, where pywinrm is.
func python(b *testing.B) string {
	b.Helper()
	const debian = "/usr/bin/python3"
	if err := exec.Command(debian, "-c", "import winrm").Run(); err != nil {
		return ""
	}
	return debian
}

// One raw command on each of 100 hosts: this driver, masterzen/winrm alone with
// 20 goroutines, and pywinrm with 20 threads, one after the other, three times.
func BenchmarkHundredHosts(b *testing.B) {
	once(b, func() {
		hosts := startHosts(b, "stub", "-hosts", "100")
		py := python(b)
		var ours, asking, bare, pywinrm []usage
		for range 5 {
			ours = append(ours, child(b, hosts.first, figureProgram(b, "ours"), "-workers", "20"))
			asking = append(asking, child(b, hosts.first, figureProgram(b, "ours"), "-workers", "20", "-page", "0"))
			bare = append(bare, child(b, hosts.first, figureProgram(b, "bare"), "-workers", "20"))
			if py != "" && len(pywinrm) < 3 {
				pywinrm = append(pywinrm, child(b, hosts.first, py, "testdata/figures/pywinrm.py", "127.0.123.1", "1"))
			}
		}
		o, a, m := best(ours), best(asking), best(bare)
		show := func(name string, u usage) {
			b.Logf("      %-40s wall %6.3f s   CPU %6.3f s   memory %6.1f MB", name, u.wall, u.cpu, u.said.Memory)
		}
		show("ours, 20 at once", o)
		show("ours, asking each host who it is first", a)
		show("masterzen/winrm, 20 at once", m)
		atMost(b, "100 hosts, one command each: CPU, of masterzen's", max(o.cpu, a.cpu)/m.cpu, 1, "times")
		atMost(b, "100 hosts, one command each: memory, of masterzen's", max(o.said.Memory, a.said.Memory)/m.said.Memory, 1.3, "times")
		if py == "" {
			b.Log("      pywinrm is not installed (python3-winrm): not compared")
			return
		}
		p := best(pywinrm)
		show("pywinrm, 20 threads", p)
		atMost(b, "100 hosts, one command each: CPU, of pywinrm's", max(o.cpu, a.cpu)/p.cpu, 0.2, "times")
	})
}

// A Receive that answers after a second, from 500 hosts at once.
func BenchmarkFiveHundredHostsAtOnce(b *testing.B) {
	once(b, func() {
		hosts := startHosts(b, "stub", "-hosts", "500", "-delay", "1s")
		var all []usage
		for range 3 {
			all = append(all, child(b, hosts.first, figureProgram(b, "ours"), "-workers", "500", "-page", "0"))
		}
		u := best(all)
		b.Logf("      whole process: wall %.3f s, CPU %.3f s, memory %.1f MB", u.wall, u.cpu, u.said.Memory)
		atMost(b, "500 hosts at once, output after 1 s: wall", u.said.Wall, 1.15, "s")
	})
}

// Ten commands on each of 100 hosts.
func BenchmarkTenCommandsPerHost(b *testing.B) {
	once(b, func() {
		for _, delay := range []string{"0s", "200ms"} {
			hosts := startHosts(b, "stub", "-hosts", "100", "-delay", delay)
			u := child(b, hosts.first, figureProgram(b, "ours"), "-workers", "100", "-commands", "10", "-page", "0")
			c := hosts.counts(b)
			b.Logf("      output after %s: wall %.3f s, CPU %.3f s, memory %.1f MB", delay, u.wall, u.cpu, u.said.Memory)
			atMost(b, "ten commands per host: requests per command", float64(c.Requests)/1000, 3.3, "")
			atMost(b, "ten commands per host: connections to a host", float64(c.Most), map[string]float64{"0s": 1, "200ms": 2}[delay], "")
			atMost(b, "ten commands per host: shells left", float64(c.Open), 0, "")
		}
	})
}

// A command in flight: 300 hosts whose Receive does not answer.
func BenchmarkCommandInFlight(b *testing.B) {
	once(b, func() {
		hosts := startHosts(b, "stub", "-hosts", "300", "-delay", "1h")
		u := childWith(b, figureProgram(b, "ours"), []string{"-mode", "flight"}, func(in *os.File) error {
			if _, err := in.WriteString(hosts.first); err != nil {
				return err
			}
			until(b, "300 Receives wait", func() bool { return hosts.counts(b).Waiting == 300 })
			_, err := in.WriteString("\n")
			return err
		})
		atMost(b, "a command in flight: heap and stack", u.said.Bytes/1024, 30, "KB")
		atMost(b, "a command in flight: goroutines", u.said.Goroutines, 3, "")
		until(b, "no shell is left", func() bool { return hosts.counts(b).Open == 0 })
	})
}

// Polls of running host tasks, as a worker makes them: as many as come, and what
// a thousand cost.
func BenchmarkPollsOfHostTasks(b *testing.B) {
	once(b, func() {
		hosts := startHosts(b, "twin", "-hosts", "20")
		addresses, port, _ := strings.Cut(strings.TrimSpace(hosts.first), " ")
		if _, err := strconv.Atoi(port); err != nil {
			b.Fatalf("the twin said %q", hosts.first)
		}
		const each, rounds = 50, 5
		var all []usage
		for i := range rounds {
			all = append(all, child(b, "", figureProgram(b, "ours"), "-mode", "polls", "-address", addresses, "-port", port,
				"-workers", "20", "-commands", strconv.Itoa(each), "-task", fmt.Sprintf("wk-figure-u1-poll-a%d", i+1)))
		}
		u := best(all)
		b.Logf("      %d polls: wall %.3f s, CPU %.3f s", 20*each, u.said.Wall, u.said.CPU)
		atMost(b, "1,000 polls of host tasks per second: of one core", 100*u.said.CPU*1000/(20*each), 25, "%")
	})
}
