package runbook

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// boundHooks are hooks by point, and what their runs give by name.
type boundHooks struct {
	names map[string][]string
	gives map[string][]HookState
	ran   []HookCall
}

func (b *boundHooks) Bound(_ context.Context, point string) ([]string, error) {
	return b.names[point], nil
}

func (b *boundHooks) Run(_ context.Context, call HookCall) (HookRun, error) {
	b.ran = append(b.ran, call)
	state := HookDone
	if left := b.gives[call.Name]; len(left) > 0 {
		state, b.gives[call.Name] = left[0], left[1:]
	}
	return HookRun{State: state, Words: string(state), Output: []byte("output of " + call.Name)}, nil
}

// openBook holds what the ledger would.
type openBook struct {
	Book
	open   []Entry
	closed []string
}

func (b *openBook) Intend(context.Context, string) error { return nil }

func (b *openBook) Change(_ context.Context, e Entry) (int64, error) {
	e.ID = int64(len(b.open) + len(b.closed) + 1)
	b.open = append(b.open, e)
	return e.ID, nil
}

func (b *openBook) Restored(_ context.Context, id int64, deviation string) error {
	b.open = slices.DeleteFunc(b.open, func(e Entry) bool { return e.ID == id })
	b.closed = append(b.closed, deviation)
	return nil
}

func hooked(hooks *boundHooks) (*Work, *openBook) {
	book := &openBook{}
	return &Work{
		Memory: map[string]string{}, Notes: map[string]map[string]string{}, Book: book, Hooks: hooks,
		Installation: "i", Upgrade: 7, Attempt: 2, Node: "CAS1",
	}, book
}

// walkHooks runs a point's step to its end.
func walkHooks(t *testing.T, w *Work, point string) Outcome {
	t.Helper()
	w.Memory = map[string]string{}
	for range 20 {
		out, err := hookStep(point).Tick(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		if out.Kind != Again {
			return out
		}
	}
	t.Fatal("the hooks came to no end")
	return Outcome{}
}

func TestHooksRunInOrderAndAgainWithTheSameID(t *testing.T) {
	t.Parallel()
	hooks := &boundHooks{
		names: map[string][]string{HookDrain: {"drain.1", "drain.2"}},
		gives: map[string][]HookState{"drain.1": {HookLater, HookLater}},
	}
	w, book := hooked(hooks)
	if out := walkHooks(t, w, HookDrain); out.Kind != Done {
		t.Fatalf("%+v", out)
	}
	var ran []string
	for _, c := range hooks.ran {
		ran = append(ran, c.ID)
	}
	want := "i-u7-a2-drain-drain.1 i-u7-a2-drain-drain.1 i-u7-a2-drain-drain.1 i-u7-a2-drain-drain.2"
	if got := strings.Join(ran, " "); got != want {
		t.Errorf("ran %s, want %s", got, want)
	}
	if len(book.open) != 1 || book.open[0].Kind != HookEntry {
		t.Errorf("the ledger holds %+v", book.open)
	}
	hooks.names[HookUndrain] = []string{"undrain"}
	if out := walkHooks(t, w, HookUndrain); out.Kind != Done || len(book.open) != 0 || book.closed[0] != "" {
		t.Errorf("%+v, open %v, closed %q", out, book.open, book.closed)
	}
}

func TestFailedHookFailsItsStepAndKeepsItsOutput(t *testing.T) {
	t.Parallel()
	hooks := &boundHooks{names: map[string][]string{HookAnnounce: {"announce"}}, gives: map[string][]HookState{"announce": {HookFailed}}}
	w, _ := hooked(hooks)
	out := walkHooks(t, w, HookAnnounce)
	if out.Kind != Failed || out.Remedy == "" || len(out.Evidence) != 1 || string(out.Evidence[0].Data) != "output of announce" {
		t.Errorf("%+v", out)
	}
}

// TestServerGoesBackIntoTheBalancerOnlyWhereSetupDidNotRun: the put-back of an
// attempt that came to nothing.
func TestServerGoesBackIntoTheBalancerOnlyWhereSetupDidNotRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		setup, undrain bool
		ran            int
		deviation      string
	}{
		"before Setup":   {false, true, 1, ""},
		"Setup ran":      {true, true, 0, "stays out of the balancer"},
		"no hook for it": {false, false, 0, "a person has to"},
	} {
		hooks := &boundHooks{names: map[string][]string{HookDrain: {"drain"}}}
		if c.undrain {
			hooks.names[HookUndrain] = []string{"undrain"}
		}
		w, book := hooked(hooks)
		walkHooks(t, w, HookDrain)
		hooks.ran, w.Unwinding, w.Memory = nil, true, map[string]string{}
		if c.setup {
			w.Notes["setup"] = map[string]string{setupRan: "yes"}
		}
		for range 5 {
			if len(w.Ledger) == 0 {
				break
			}
			if _, _, err := putBackHook(t.Context(), w, w.Ledger[0]); err != nil {
				t.Fatal(err)
			}
		}
		if len(book.open) != 0 || len(hooks.ran) != c.ran || !strings.Contains(book.closed[0], c.deviation) || (c.deviation == "") != (book.closed[0] == "") {
			t.Errorf("%s: open %v, %d hooks ran, closed as %q", name, book.open, len(hooks.ran), book.closed)
		}
	}
}
