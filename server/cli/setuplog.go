package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// SetupLogCmd says what a log of Setup says: for anyone who has one.
type SetupLogCmd struct {
	File  string `arg:"" help:"ExchangeSetup.log, a .msilog, what Setup wrote on a console, or a step list that it generated (.ps1), in any encoding and culture; - reads standard input."`
	JSON  bool   `name:"json" help:"As one line of JSON."`
	Dates string `enum:",day-first,month-first" default:"" help:"How the account that ran Setup writes dates, where the file leaves it open: day-first or month-first." placeholder:"ORDER"`
}

// setupLogLine is the documented answer, its keys in their order.
type setupLogLine struct {
	Verdict string              `json:"verdict"`
	Runs    int                 `json:"runs"`
	Mode    string              `json:"mode"`
	Build   string              `json:"build"`
	Roles   []string            `json:"roles"`
	Phase   string              `json:"phase"`
	Percent int                 `json:"percent"`
	Started string              `json:"started"`
	Ended   string              `json:"ended"`
	Errors  []exchange.LogError `json:"errors"`
}

// Run reads the log and prints its report. The exit status says whether the
// file could be read, not how Setup ended.
func (c *SetupLogCmd) Run(g *Globals) error {
	in, changed, err := c.open(g)
	if err != nil {
		return err
	}
	defer in.Close()
	reader := exchange.NewLogReader()
	read, err := io.CopyBuffer(reader, struct{ io.Reader }{in}, make([]byte, 256<<10))
	if err != nil {
		return fmt.Errorf("read %s: %w", c.named(), err)
	}
	if read == 0 {
		return fmt.Errorf("%s is empty: there is nothing to say of it", c.named())
	}
	report := reader.Report(exchange.ReportOptions{Now: time.Now().UTC(), Changed: changed, Dates: exchange.DateOrder(c.Dates)})
	if !c.JSON {
		_, err = io.WriteString(g.Stdout, report.Words())
		return err
	}
	encoder := json.NewEncoder(g.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(setupLogLine{
		Verdict: string(report.Verdict), Runs: report.Runs, Mode: report.Mode, Build: report.Build, Roles: report.Roles,
		Phase: report.Phase, Percent: report.Percent, Started: report.Started, Ended: report.Ended, Errors: report.Errors,
	})
}

func (c *SetupLogCmd) named() string {
	if c.File == "-" {
		return "standard input"
	}
	return c.File
}

// open opens the file; changed is when it was written last, zero of a stream.
func (c *SetupLogCmd) open(g *Globals) (in io.ReadCloser, changed time.Time, err error) {
	if c.File == "-" {
		return io.NopCloser(g.Stdin), time.Time{}, nil
	}
	f, err := os.Open(c.File)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return nil, time.Time{}, fmt.Errorf("read the log %s: %w", c.File, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("it is a folder; name a file in it, such as " + strings.TrimRight(c.File, `/\`) + "/ExchangeSetup.log")
	}
	if err != nil {
		_ = f.Close() // the error that counts is said
		return nil, time.Time{}, fmt.Errorf("read the log %s: %w", c.File, err)
	}
	return f, info.ModTime(), nil
}
