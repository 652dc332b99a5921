// Command wavekeeper takes a fleet of Exchange Server 2007 machines through a
// service pack or an update rollup. Everything it does is in server/cli.
package main

import (
	"os"

	"wavekeeper/server/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
