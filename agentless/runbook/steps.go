package runbook

import (
	"context"
	"fmt"
)

func unbuilt(name string) (Outcome, error) {
	return Outcome{}, fmt.Errorf("step %s is not built yet", name)
}

func facts(context.Context, *Work) (Outcome, error)        { return unbuilt("facts") }
func preflight(context.Context, *Work) (Outcome, error)    { return unbuilt("preflight") }
func record(context.Context, *Work) (Outcome, error)       { return unbuilt("record") }
func stopServices(context.Context, *Work) (Outcome, error) { return unbuilt("stop-services") }
func setup(context.Context, *Work) (Outcome, error)        { return unbuilt("setup") }
func verify(context.Context, *Work) (Outcome, error)       { return unbuilt("verify") }
func putBack(context.Context, *Work) (Outcome, error)      { return unbuilt("put-back") }
func tidy(context.Context, *Work) (Outcome, error)         { return unbuilt("tidy") }
