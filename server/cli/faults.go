package cli

import (
	"bytes"
	"fmt"
	"os"

	"wavekeeper/agentless/twin"
	"wavekeeper/deploy/demo"
	"wavekeeper/server/exchange"
)

// readFaults reads the declared faults of a fleet's hosts; one that is not
// understood, or whose host the fleet does not have, stops everything.
func readFaults(path string, servers []exchange.Server) ([]twin.Fault, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--faults: %w", err)
	}
	defer file.Close()
	faults, err := twin.ReadFaults(file, hostNames(servers)...)
	if err != nil {
		return nil, fmt.Errorf("--faults %s:\n%w", path, err)
	}
	return faults, nil
}

// hostNames is the simulated hosts of a fleet: a server, or the nodes of a cluster.
func hostNames(servers []exchange.Server) []string {
	var names []string
	for _, s := range servers {
		if s.Cluster == exchange.Standalone {
			names = append(names, s.Name)
		}
		for _, n := range s.Nodes {
			names = append(names, n.Name)
		}
	}
	return names
}

// checkFaults judges the demo's faults before anything of it is made.
func (c *DemoCmd) checkFaults() error {
	if c.Faults == "" {
		return nil
	}
	fleet := demo.Fleet
	if c.Fleet != "" {
		var err error
		if fleet, err = os.ReadFile(c.Fleet); err != nil {
			return fmt.Errorf("read --fleet: %w", err)
		}
	}
	inventory, _ := exchange.ReadInventory(bytes.NewReader(fleet)) // the hosts say what is wrong with the fleet
	_, err := readFaults(c.Faults, inventory.Servers)
	return err
}

// usage says a wrong use that the command line alone does not show.
func usage(g *Globals, err error) error {
	fmt.Fprintln(g.Stderr, "wavekeeper:", err)
	return Exit(2)
}
