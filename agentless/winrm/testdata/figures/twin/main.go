// Twin is simulated hosts as a process of its own, for figures that need hosts
// which run scripts.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

func main() {
	hosts := flag.Int("hosts", 20, "how many")
	flag.Parse()
	o := twin.Options{User: "operator", Password: "Password-1", RunAs: `LAB\svc`, RunAsPassword: "x"}
	l, err := net.Listen("tcp", "127.0.123.100:0")
	if err != nil {
		log.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		log.Fatal(err)
	}
	list := ""
	for i := range *hosts {
		address := fmt.Sprintf("127.0.123.%d", 100+i)
		list += "," + address
		o.Servers = append(o.Servers, exchange.Server{
			Name: fmt.Sprintf("MBX%d", i), FQDN: fmt.Sprintf("mbx%d.lab.test", i), Roles: []exchange.Role{exchange.Mailbox},
			Language: "en-US", Arch: "x64", Address: address, Port: port,
		})
	}
	fleet, err := twin.Start(context.Background(), o)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %d\n", list[1:], port)
	// The end of the input ends all.
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		log.Fatal(err)
	}
	if err := fleet.Close(); err != nil {
		log.Fatal(err)
	}
}
