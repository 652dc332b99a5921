// Ours is the driver doing what a figure asks for, as a process of its own.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
)

// report is what is printed at the end.
type report struct {
	Wall       float64 `json:"wall"`       // s
	CPU        float64 `json:"cpu"`        // s, of the measured part
	Bytes      float64 `json:"bytes"`      // heap and stacks, for a command in flight
	Goroutines float64 `json:"goroutines"` // for a command in flight
	Memory     float64 `json:"memory"`     // MB, the most that was resident
}

func main() {
	log.SetFlags(0)
	mode := flag.String("mode", "raw", "raw, flight or polls")
	workers := flag.Int("workers", 100, "how many at once")
	commands := flag.Int("commands", 1, "commands, or polls, for each host")
	address := flag.String("address", "127.0.123.1", "address of all hosts; with a comma, one for each")
	port := flag.Int("port", 0, "their port; 0 = the first line of the input lists one for each")
	page := flag.Int("page", 437, "code page to ask for; 0 asks the host who it is first")
	task := flag.String("task", "wk-figure-u1-poll-a1", "name of the host task that is polled")
	profile := flag.String("profile", "", "file for a CPU profile of polls")
	flag.Parse()
	account, err := winrm.NewAccount(winrm.AccountConfig{Auth: winrm.AuthBasic, User: "operator", Password: "Password-1"})
	if err != nil {
		log.Fatal(err)
	}
	in := bufio.NewReader(os.Stdin)
	var hosts []winrm.Config
	switch {
	case *port == 0:
		var ports []int
		line, err := in.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &ports)
		}
		if err != nil {
			log.Fatal(err)
		}
		for _, p := range ports {
			hosts = append(hosts, winrm.Config{Address: *address, Port: p, Account: account})
		}
	default:
		for _, a := range strings.Split(*address, ",") {
			hosts = append(hosts, winrm.Config{Address: a, Port: *port, Account: account})
		}
	}
	var out report
	switch *mode {
	case "raw":
		out = raw(hosts, *workers, *commands, *page)
	case "flight":
		out = flight(hosts, *page, in)
	case "polls":
		out = polls(hosts, *workers, *commands, *task, *profile)
	}
	out.Memory = resident()
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}

// raw runs commands on every host, so many hosts at once.
func raw(hosts []winrm.Config, workers, commands, page int) report {
	began, before := time.Now(), cpu()
	var all sync.WaitGroup
	next := make(chan winrm.Config)
	for range workers {
		all.Go(func() {
			for cfg := range next {
				c, err := winrm.New(cfg)
				if err != nil {
					log.Fatal(err)
				}
				for range commands {
					if _, err := c.Run(context.Background(), winrm.Command{Line: "hostname", CodePage: page}); err != nil {
						log.Fatal(err)
					}
				}
				c.Close()
			}
		})
	}
	for _, cfg := range hosts {
		next <- cfg
	}
	close(next)
	all.Wait()
	return report{Wall: time.Since(began).Seconds(), CPU: cpu() - before}
}

// flight has one command running on every host, and measures when the parent
// says that all wait for output. What connections and one command cost that is
// over is not in flight: each host ran one before.
func flight(hosts []winrm.Config, page int, in *bufio.Reader) report {
	before, goroutines := memory(), runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, cfg := range hosts {
		c, err := winrm.New(cfg)
		if err != nil {
			log.Fatal(err)
		}
		all.Go(func() {
			// It is cancelled below.
			_, _ = c.Run(ctx, winrm.Command{Line: "ping -n 100 localhost", CodePage: page})
			c.Close()
		})
	}
	if _, err := in.ReadBytes('\n'); err != nil {
		log.Fatal(err)
	}
	n := float64(len(hosts))
	out := report{Goroutines: float64(runtime.NumGoroutine()-goroutines) / n, Bytes: (memory() - before) / n}
	cancel()
	all.Wait()
	return out
}

// polls looks at a running host task again and again, as a worker does.
func polls(hosts []winrm.Config, workers, each int, task, profile string) report {
	var conns []*winrm.Conn
	var known []*windows.Host
	for _, cfg := range hosts {
		c, err := winrm.New(cfg)
		if err != nil {
			log.Fatal(err)
		}
		conns = append(conns, c)
		h := windows.New(c)
		begin(h, task)
		known = append(known, h)
	}
	if profile != "" {
		file, err := os.Create(profile)
		if err == nil {
			err = pprof.StartCPUProfile(file)
		}
		if err != nil {
			log.Fatal(err)
		}
		defer pprof.StopCPUProfile()
	}
	began, before := time.Now(), cpu()
	var all sync.WaitGroup
	next := make(chan *windows.Host)
	for range workers {
		all.Go(func() {
			for h := range next {
				if _, err := h.LookTask(context.Background(), task); err != nil {
					log.Fatal(err)
				}
			}
		})
	}
	for range each {
		for _, h := range known {
			next <- h
		}
	}
	close(next)
	all.Wait()
	out := report{Wall: time.Since(began).Seconds(), CPU: cpu() - before}
	for _, c := range conns {
		c.Close()
	}
	return out
}

// begin prepares, registers and starts a host task that runs for long.
func begin(h *windows.Host, name string) {
	ctx := context.Background()
	task := windows.Task{Name: name}
	folder := task.Folder()
	task.Body = []byte("@echo off\r\nmd \"" + folder + "\\started\" || exit /b 0\r\nping -n 3600 127.0.0.1 >\"" + folder + "\\out.log\"\r\n")
	for _, do := range []func(context.Context, windows.Task) error{
		h.PrepareTask, h.CreateTask,
		func(ctx context.Context, t windows.Task) error { return h.RunTask(ctx, t.Name) },
	} {
		if err := do(ctx, task); err != nil {
			log.Fatal(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		look, err := h.LookTask(ctx, name)
		if err != nil {
			log.Fatal(err)
		}
		if look.State == windows.TaskStarted {
			return
		}
		if time.Now().After(deadline) {
			log.Fatalf("the task is %s", look.State)
		}
	}
}

// resident is VmHWM. A parent cannot ask for it: what wait4 tells begins with the
// parent's own.
func resident() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		log.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes float64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		log.Fatal(err)
	}
	return kilobytes / 1024
}

// memory is what heap and stacks hold, after a collection.
func memory() float64 {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// cpu is what the process used so far, in seconds.
func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}
