package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
	"wavekeeper/server/store"
)

// PolicyCmd shows and sets the values that rules of preflight compare with.
type PolicyCmd struct {
	Show  PolicyShowCmd  `cmd:"" help:"List the values that rules of preflight compare with, and who set which."`
	Set   PolicySetCmd   `cmd:"" help:"Set one of them, with the reason."`
	Reset PolicyResetCmd `cmd:"" help:"Let one of them be the rule's own again."`
}

// PolicyShowCmd lists values.
type PolicyShowCmd struct{ DatabaseFlags }

// Run prints one line per value.
func (c *PolicyShowCmd) Run(g *Globals) error {
	ctx := context.Background()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	set, err := s.PolicyValues(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tVALUE\tMEANS\tOWN\tWHAT\tSET")
	for _, v := range preflight.PolicyValues() {
		value, who := v.Default, ""
		if i := slices.IndexFunc(set, func(one store.PolicyValue) bool { return one.Name == v.Name }); i >= 0 {
			value, who = set[i].Value, fmt.Sprintf("%s by %s: %s", set[i].SetAt.UTC().Format(time.RFC3339), set[i].SetBy, set[i].Reason)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%s\t%s\n", v.Name, value, v.Say(value), v.Default, v.Words, orDash(printable(who)))
	}
	return w.Flush()
}

// PolicySetCmd sets a value.
type PolicySetCmd struct {
	DatabaseFlags
	Key    string `arg:"" help:"Value, see policy show: backup-age-hours."`
	Value  string `arg:"" help:"What the rule compares with from now on: a whole number, see policy show."`
	Reason string `required:"" help:"Why; it stands on the record." placeholder:"TEXT"`
}

// Run sets it.
func (c *PolicySetCmd) Run(g *Globals) error {
	ctx := context.Background()
	if err := knownPolicy(c.Key); err != nil {
		return usage(g, err)
	}
	value, err := policyNumber(c.Key, c.Value)
	if err != nil {
		return usage(g, err)
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.SetPolicy(ctx, commandLine(), c.Key, value, c.Reason); err != nil {
		return err
	}
	fmt.Fprintf(g.Stdout, "%s is %d\n", c.Key, value)
	return nil
}

// policyNumber reads the number of a policy value that there is.
func policyNumber(key, text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		for _, v := range preflight.PolicyValues() {
			if v.Name == key {
				return 0, fmt.Errorf("policy value %s: %q is no whole number %s", key, text, v.Bounds())
			}
		}
	}
	return n, errors.Join((preflight.Policy{key: n}).Check()...)
}

// belowZero says between which bounds a policy value lies whose number begins with
// a minus, which the parser takes for a flag; nil where that is not what was typed.
func belowZero(args []string) error {
	if len(args) < 2 || args[0] != "policy" || args[1] != "set" {
		return nil
	}
	for i, key := range args[2:] {
		if i+3 >= len(args) || knownPolicy(key) != nil {
			continue
		}
		if n, err := strconv.Atoi(args[i+3]); err == nil && n < 0 {
			return errors.Join((preflight.Policy{key: n}).Check()...)
		}
	}
	return nil
}

func knownPolicy(key string) error {
	var names []string
	for _, v := range preflight.PolicyValues() {
		names = append(names, v.Name)
	}
	if slices.Contains(names, key) {
		return nil
	}
	return fmt.Errorf("there is no value %q%s; see policy show", key, exchange.Near(key, names, ": the nearest is"))
}

// PolicyResetCmd takes a value back.
type PolicyResetCmd struct {
	DatabaseFlags
	Key    string `arg:"" help:"Value, see policy show."`
	Reason string `required:"" help:"Why; it stands on the record." placeholder:"TEXT"`
}

// Run takes it back.
func (c *PolicyResetCmd) Run(g *Globals) error {
	ctx := context.Background()
	if err := knownPolicy(c.Key); err != nil {
		return usage(g, err)
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.ResetPolicy(ctx, commandLine(), c.Key, c.Reason); err != nil {
		return err
	}
	fmt.Fprintf(g.Stdout, "%s is the rule's own again\n", c.Key)
	return nil
}
