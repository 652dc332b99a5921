package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"wavekeeper/server/exchange"
	"wavekeeper/server/store"
)

// ImportCmd brings an inventory file into the database.
type ImportCmd struct {
	DatabaseFlags
	File      string `arg:"" help:"CSV file; - is standard input. The format is in the README, section Inventory."`
	DryRun    bool   `name:"dry-run" help:"Say what would change, and change nothing."`
	GoodLines bool   `name:"good-lines" help:"Import the good lines although others are not."`
	JSON      bool   `name:"json" help:"Print the result as one JSON object."`
}

// Run imports and reports; the exit status is 0 only if every line was good.
func (c *ImportCmd) Run(g *Globals) error {
	ctx := context.Background()
	inv, faults, err := openInventory(g, c.File)
	if err != nil {
		return err
	}
	if c.DryRun && c.Database == "" {
		return c.checkAlone(g, inv, faults)
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	result, err := s.ImportInventory(ctx, commandLine(), inv, faults, store.ImportOptions{GoodLines: c.GoodLines, DryRun: c.DryRun})
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeImportJSON(g.Stdout, result, c.DryRun)
	} else {
		err = c.say(g, result)
	}
	if err == nil && len(result.Faults) > 0 {
		err = Exit(1)
	}
	return err
}

// checkAlone judges the file where there is no database to compare it with.
func (c *ImportCmd) checkAlone(g *Globals, inv exchange.Inventory, faults []exchange.LineError) error {
	if c.JSON {
		if err := writeImportJSON(g.Stdout, store.Import{Faults: faults}, true); err != nil {
			return err
		}
	} else {
		for _, fault := range faults {
			fmt.Fprintln(g.Stderr, fault.Error())
		}
		fmt.Fprintf(g.Stdout, "dry run without a database: %s, %s\n", counted(len(inv.Servers), "good server"), counted(len(faults), "fault"))
	}
	if len(faults) > 0 {
		return Exit(1)
	}
	return nil
}

func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// say prints the changes, then the faults, then what came of it.
func (c *ImportCmd) say(g *Globals, r store.Import) error {
	nothing := !c.DryRun && !r.Applied && len(r.Faults) > 0
	for _, change := range r.Servers {
		if !nothing {
			fmt.Fprintf(g.Stdout, "line %d: %s\n", change.Line, change.Words())
		}
	}
	for _, fault := range r.Faults {
		fmt.Fprintln(g.Stderr, fault.Error())
	}
	counts := fmt.Sprintf("%d new, %d changed, %d unchanged", r.Added, r.Changed, r.Unchanged)
	switch {
	case c.DryRun && len(r.Faults) > 0 && !c.GoodLines:
		counts = "dry run, nothing was changed; with --good-lines it would be: " + counts
	case c.DryRun:
		counts = "dry run, nothing was changed; it would be: " + counts
	case nothing && c.GoodLines:
		counts = fmt.Sprintf("nothing was imported: %s and no good line", counted(len(r.Faults), "fault"))
	case nothing:
		counts = fmt.Sprintf("nothing was imported: %s; correct what is wrong, or import the good lines alone with --good-lines", counted(len(r.Faults), "fault"))
	}
	_, err := fmt.Fprintln(g.Stdout, counts)
	return err
}

type importJSON struct {
	Applied   bool                 `json:"applied"`
	DryRun    bool                 `json:"dry_run"`
	Added     int                  `json:"added"`
	Changed   int                  `json:"changed"`
	Unchanged int                  `json:"unchanged"`
	Servers   []importChange       `json:"servers"`
	Faults    []exchange.LineError `json:"faults"`
}

type importChange struct {
	Line    int           `json:"line"`
	Server  string        `json:"server"`
	New     bool          `json:"new"`
	Cleared bool          `json:"facts_cleared"`
	Fields  []importField `json:"fields"`
	Words   string        `json:"words"`
}

type importField struct {
	Column string `json:"column"`
	Before string `json:"before"`
	After  string `json:"after"`
}

func writeImportJSON(w io.Writer, r store.Import, dryRun bool) error {
	out := importJSON{
		Applied: r.Applied, DryRun: dryRun, Added: r.Added, Changed: r.Changed, Unchanged: r.Unchanged,
		Servers: []importChange{}, Faults: append([]exchange.LineError{}, r.Faults...),
	}
	for _, c := range r.Servers {
		change := importChange{Line: c.Line, Server: c.Server, New: c.New, Cleared: c.Cleared, Fields: []importField{}, Words: c.Words()}
		for _, f := range c.Fields {
			change.Fields = append(change.Fields, importField(f))
		}
		out.Servers = append(out.Servers, change)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(out)
}
