// Bare is what somebody writes who has masterzen/winrm and an hour.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/masterzen/winrm"
)

func main() {
	workers := flag.Int("workers", 20, "how many at once")
	commands := flag.Int("commands", 1, "commands for each host")
	address := flag.String("address", "127.0.123.1", "address of all hosts")
	flag.Parse()
	var ports []int
	if err := json.NewDecoder(os.Stdin).Decode(&ports); err != nil {
		log.Fatal(err)
	}
	var all sync.WaitGroup
	next := make(chan int)
	for range *workers {
		all.Add(1)
		go func() {
			defer all.Done()
			for port := range next {
				c, err := winrm.NewClient(winrm.NewEndpoint(*address, port, false, false, nil, nil, nil, time.Minute), "operator", "Password-1")
				if err != nil {
					log.Fatal(err)
				}
				for range *commands {
					if _, err := c.RunWithContext(context.Background(), "hostname", io.Discard, io.Discard); err != nil {
						log.Fatal(err)
					}
				}
			}
		}()
	}
	for _, port := range ports {
		next <- port
	}
	close(next)
	all.Wait()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		log.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes float64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("{\"memory\":%f}\n", kilobytes/1024)
}
