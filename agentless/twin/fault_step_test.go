package twin_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// ledger is a Book in memory.
type ledger struct {
	entries []runbook.Entry
	closed  map[int64]bool
}

func (l *ledger) Intend(context.Context, string) error                { return nil }
func (l *ledger) Cleared(context.Context, runbook.Marker) error       { return nil }
func (l *ledger) PutBackMarker(context.Context, runbook.Marker) error { return nil }
func (l *ledger) Restored(_ context.Context, id int64, _ string) error {
	l.closed[id] = true
	return nil
}

func (l *ledger) Change(_ context.Context, e runbook.Entry) (int64, error) {
	for i, open := range l.entries {
		if open.Kind == e.Kind && open.Name == e.Name && !l.closed[open.ID] {
			before := maps.Clone(e.Before)
			maps.Copy(before, open.Before)
			l.entries[i].Before = before
			return open.ID, nil
		}
	}
	e.ID = int64(len(l.entries) + 1)
	l.entries = append(l.entries, e)
	return e.ID, nil
}

// walker walks the product's runbook on one host.
type walker struct {
	t       *testing.T
	fleet   *twin.Fleet
	host    *windows.Host
	server  exchange.Server
	ledger  *ledger
	memory  map[string]map[string]string
	began   time.Time
	attempt int
	medium  runbook.Medium
	meant   []string // steps after whose ticks the twin was asked
	between func(step string, tick int)

	inferred string // the twin's last word
	before   string // and that before the step began

	waived    []string // rules
	disturbed bool     // by a fault of the wire: a step may have to be told from its second question
}

func walk(t *testing.T, s exchange.Server, speed float64, faults ...twin.Fault) (*walker, *truth) {
	t.Helper()
	return walkOf(t, s, speed, nil, faults...)
}

// walkOf is walk on a host with traits.
func walkOf(t *testing.T, s exchange.Server, speed float64, traits map[string][]string, faults ...twin.Fault) (*walker, *truth) {
	t.Helper()
	bundle, manifest, err := twin.Bundle(twin.MediaTree("sp1", "en-US", "x64"))
	if err != nil {
		t.Fatal(err)
	}
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	medium := runbook.Medium{
		ManifestSHA256: sum(manifest), ManifestSize: int64(len(manifest)), TreeSize: 1 << 20, BundleSHA256: sum(bundle), BundleSize: int64(len(bundle)),
		From: `\\files\media\b.wkm`,
	}
	f, truth := start(t, twin.Options{
		Servers: []exchange.Server{s}, Speed: speed, Traits: traits, Faults: faults, NoMedia: true,
		Shares: map[string]fs.FS{`\\files\media`: fstest.MapFS{"b.wkm": &fstest.MapFile{Data: bundle}}},
	})
	return &walker{
		medium: medium,
		t:      t, fleet: f, host: host(t, s), server: s, ledger: &ledger{closed: map[int64]bool{}},
		memory: map[string]map[string]string{}, began: time.Now(), attempt: 1,
	}, truth
}

// step ticks one step to its end and compares what the twin infers.
func (w *walker) step(s runbook.Step) runbook.Outcome {
	w.t.Helper()
	w.before = w.inferred
	end := time.Now().Add(2 * time.Minute)
	for tick := 0; time.Now().Before(end); tick++ {
		work := &runbook.Work{
			Host: w.host, Server: w.server,
			Package: runbook.Package{Name: "SP1", Target: exchange.Build{Major: 8, Minor: 1, Build: 240, Revision: 6}, Language: "en-US", Arch: "x64"},
			Media:   runbook.Media{Folder: `C:\Wavekeeper\media\sp1-x64`, SetupSHA256: twin.SetupSHA256("sp1", "en-US", "x64"), Medium: w.medium},
			RunAs:   runbook.Account{Name: runAs, Password: runAsPass}, Installation: "t", Upgrade: 9, Attempt: w.attempt, Prepared: true, Waived: w.waived,
			Memory: maps.Clone(w.memory[s.Name]), Notes: maps.Clone(w.memory), Book: w.ledger,
			Now: w.began.Add(time.Since(w.began) * 60),
		}
		work.Media.Medium.Staging = int64(20 + w.attempt)
		delete(work.Notes, s.Name)
		for _, e := range w.ledger.entries {
			if !w.ledger.closed[e.ID] {
				work.Ledger = append(work.Ledger, e)
			}
		}
		ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
		out, err := s.Tick(ctx, work)
		cancel()
		if err != nil {
			w.t.Fatalf("step %s: %v", s.Name, err)
		}
		w.memory[s.Name] = work.Memory
		step, err := w.fleet.Step(w.server.Name)
		if err != nil {
			w.t.Fatal(err)
		}
		if !w.known(s.Name, step, tick, out) && !w.disturbed {
			w.t.Errorf("attempt %d, tick %d of %s (%s): the twin infers %s", w.attempt, tick, s.Name, out.Message, step)
		}
		w.inferred = step
		if w.between != nil {
			w.between(s.Name, tick)
		}
		if out.Kind != runbook.Again && out.Kind != runbook.OutOfSight {
			return out
		}
		if tick > 1 {
			t := time.NewTimer(20 * time.Millisecond)
			<-t.C
		}
	}
	w.t.Fatalf("step %s does not end", s.Name)
	return runbook.Outcome{}
}

// known reports whether the twin's word for the step is right. A step may begin
// with a question that others ask as well, or ask nothing; then the one before it
// still counts. Monitoring is stopped as other services are.
func (w *walker) known(step, inferred string, tick int, out runbook.Outcome) bool {
	switch {
	case step == inferred, step == "stop-monitoring" && inferred == "stop-services":
		return true
	case step == "verify" && out.Kind == runbook.Done && inferred == "facts": // it ends with all facts, asked anew
		return true
	case inferred == w.before && (tick == 0 || !slices.Contains(twin.FaultSteps(), step)):
		return true
	}
	return out.Kind == runbook.Done && strings.Contains(out.Message, "nothing to do here") && inferred == "stop-services"
}

// all walks the whole table, and after a failure the steps that put back.
func (w *walker) all(from string) string {
	w.t.Helper()
	ended, begun, unwinding := "", false, false
	for _, s := range runbook.Standalone().Steps {
		if begun = begun || s.Name == from; !begun || unwinding && !s.PutBack {
			continue
		}
		out := w.step(s)
		w.meant = append(w.meant, s.Name)
		if out.Kind != runbook.Done && ended == "" {
			ended = fmt.Sprintf("%s %s: %s", s.Name, out.Kind, out.Message)
			unwinding = true
			if out.Kind == runbook.Interrupted {
				return ended
			}
		}
	}
	return ended
}

func TestTheTwinKnowsTheStepFromWhatIsAsked(t *testing.T) {
	t.Parallel()
	for name, services := range map[string][]string{"with services": {"ScanMail_Master"}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := server(t, "multi1", "CAS+HT")
			s.Services = services
			w, _ := walk(t, s, 4000)
			if ended := w.all("facts"); ended != "" {
				t.Fatal(ended)
			}
			at := 0
			for _, step := range twin.FaultSteps() {
				i := slices.Index(w.meant[at:], step)
				if i < 0 {
					t.Fatalf("steps %v: the twin has %s at another place", w.meant, step)
				}
				at += i
			}
		})
	}
}

func TestTheTwinKnowsTheStepOfASecondAttempt(t *testing.T) {
	t.Parallel()
	s := server(t, "multi1", "CAS+HT")
	s.Services = []string{"ScanMail_Master"}
	w, _ := walk(t, s, 4000, twin.Fault{Host: "MULTI1", Name: "setup-fails", At: "phase:8"})
	probed := false
	w.between = func(step string, _ int) { // the console reads the host's facts meanwhile
		if step == "setup" && !probed {
			probed = true
			if _, err := w.host.Facts(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	if ended := w.all("facts"); ended == "" {
		t.Fatal("Setup did not fail")
	}
	w.attempt = 2
	if ended := w.all("facts"); ended != "" {
		t.Fatal(ended)
	}
}
