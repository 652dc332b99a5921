package preflight

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"wavekeeper/server/exchange"
)

// anything draws a value of any type of the facts.
func anything(t *rapid.T, v reflect.Value) {
	if draw, ok := draws()[v.Kind()]; ok {
		draw(t, v)
	}
}

var texts = []string{
	"", "2003", "2008", "2008R2", "C:", "D", "x86", "8.0.685.25", "8.1.240.6", "8.", "..", "NODEA", "NODEB.lab.test", `\\`, `\\HUB01\x`, "ok", "error 1",
	"2010-08-01T12:00:00Z", "2010-13-40", "2010-07-14", currentTZI, oldTZI, "zz", "Running", "Stopped", "Disabled", "Up", "Online", "Healthy", "en-US", "de-DE",
	"ExchangeServer", "S-1-5-32-544", "MSExchangeIS", "MSDTC", "W3SVC", "4.5", "KB953469", "\x00", "ß",
}

func draws() map[reflect.Kind]func(*rapid.T, reflect.Value) {
	number := func(t *rapid.T, v reflect.Value) {
		v.SetInt(int64(rapid.SampledFrom([]int{-1 << 40, -1, 0, 1, 2, 3, 300, 301, 8000, 14625, 1 << 40}).Draw(t, "int")))
	}
	return map[reflect.Kind]func(*rapid.T, reflect.Value){
		reflect.Bool: func(t *rapid.T, v reflect.Value) { v.SetBool(rapid.Bool().Draw(t, "bool")) },
		reflect.Int:  number, reflect.Int64: number,
		reflect.String: func(t *rapid.T, v reflect.Value) { v.SetString(rapid.SampledFrom(texts).Draw(t, "text")) },
		reflect.Pointer: func(t *rapid.T, v reflect.Value) {
			if rapid.Bool().Draw(t, "there") {
				v.Set(reflect.New(v.Type().Elem()))
				anything(t, v.Elem())
			}
		},
		reflect.Slice: func(t *rapid.T, v reflect.Value) {
			n := rapid.IntRange(0, 2).Draw(t, "length")
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				anything(t, v.Index(i))
			}
		},
		reflect.Map: func(t *rapid.T, v reflect.Value) {
			v.Set(reflect.MakeMap(v.Type()))
			for range rapid.IntRange(0, 2).Draw(t, "keys") {
				key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				anything(t, key)
				anything(t, value)
				v.SetMapIndex(key, value)
			}
		},
		reflect.Struct: func(t *rapid.T, v reflect.Value) {
			if v.Type() == reflect.TypeFor[time.Time]() {
				v.Set(reflect.ValueOf(noon.Add(time.Duration(rapid.IntRange(-1<<20, 1<<20).Draw(t, "seconds")) * time.Second)))
				return
			}
			for i := range v.NumField() {
				if v.Field(i).CanSet() {
					anything(t, v.Field(i))
				}
			}
		},
	}
}

// TestJudgeBearsAnything: whatever is known, Judge ends, says the same twice,
// keeps the order of the rules, changes nothing, and calls no fact that is not
// known a pass.
func TestJudgeBearsAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s Subject
		anything(t, reflect.ValueOf(&s).Elem())
		s.Package = rapid.SampledFrom(exchange.Packages()).Draw(t, "package")
		s.Policy = Policy{rapid.SampledFrom([]string{InstallDisk, ForefrontSP1, "none"}).Draw(t, "name"): rapid.IntRange(-1, 1<<30).Draw(t, "value")}
		before, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		first, second := Judge(s), Judge(s)
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("judged twice: %s", diff)
		}
		if after, err := json.Marshal(s); err != nil || string(after) != string(before) {
			t.Fatalf("judging changed the subject: %v", err)
		}
		last := -1
		for _, f := range first {
			at := place(f.Rule)
			if at <= last {
				t.Fatalf("%s stands out of order", f.Rule)
			}
			last = at
			rule := Rules()[at]
			if f.Severity == "" || f.Text == "" || f.Severity == Blocker && f.Remedy == "" {
				t.Fatalf("%+v is not whole", f)
			}
			if missing := rule.missing(s); len(missing) > 0 && (!f.Unknown || f.Severity == Pass) {
				t.Fatalf("%s passes without %v", f.Rule, missing)
			}
			if f.Waived && (!f.Waivable || f.Blocks()) {
				t.Fatalf("%+v is waived", f)
			}
		}
	})
}

func TestCompareTellsWhatChanged(t *testing.T) {
	t.Parallel()
	before := Judge(subject(healthy))
	if got := Compare(before, before); len(got) > 0 {
		t.Errorf("the same: %+v", got)
	}
	s := subject(with(healthy, said{"dotnet20_sp": `0`, "memory_mb": `4097`}))
	got := Compare(before, Judge(s))
	if len(got) != 1 || got[0].Rule != "dotnet20-sp1" || got[0].Before.Severity != Pass || got[0].After.Severity != Blocker {
		t.Errorf("one rule trips: %+v", got)
	}
	s.Package = packageNamed("sp2") // two rules more are asked
	names := map[string]bool{}
	for _, c := range Compare(Judge(subject(healthy)), Judge(s)) {
		names[c.Rule] = c.Before == nil
	}
	if !names["windows-installer"] || names["dotnet20-sp1"] {
		t.Errorf("another package: %v", names)
	}
	for _, c := range Compare(Judge(s), before) {
		if c.Rule == "windows-installer" && c.After != nil {
			t.Errorf("a rule that is not asked any more: %+v", c)
		}
	}
}

func TestAWaivedBlockerDoesNotBlock(t *testing.T) {
	t.Parallel()
	s := subject(with(healthy, said{"dotnet20_sp": `0`, OfOrganization + "exchange_2000": `[{"name":"OLD0","version":"6.0","sp2":false}]`}))
	s.Waived = []string{"exchange-2000", "dotnet20-sp1", "clock"}
	for _, f := range Judge(s) {
		waived, blocks := f.Rule == "exchange-2000", f.Rule == "dotnet20-sp1" // which may not be waived
		if f.Waived != waived || f.Blocks() != blocks {
			t.Errorf("%s: %+v", f.Rule, f)
		}
	}
}

func TestAFindingIsAsOldAsItsOldestFact(t *testing.T) {
	t.Parallel()
	s := subject(healthy)
	s.Facts.FQDN.At = noon.Add(-5 * time.Hour)
	for rule, want := range map[string]time.Time{"fqdn": noon.Add(-5 * time.Hour), "domain-member": noon.Add(-time.Hour), "second-package": {}} {
		if rule == "second-package" {
			p := packageNamed("sp1-ru1")
			s.Then = &p
		}
		if f, ok := found(Judge(s), rule); !ok || !f.At.Equal(want) {
			t.Errorf("%s: %+v, want it of %s", rule, f, want)
		}
	}
}

func TestPolicyHasDefaultsAndLimits(t *testing.T) {
	t.Parallel()
	for _, v := range PolicyValues() {
		if v.Default < v.Min || v.Default > v.Max || v.Words == "" || v.Source == "" || v.Unit == "" {
			t.Errorf("%+v is not sound", v)
		}
		for _, n := range []int{v.Min, v.Max} {
			p := Policy{v.Name: n}
			if errs := p.Check(); len(errs) > 0 || p.Of(v.Name) != n {
				t.Errorf("%s: %d is refused: %v", v.Name, n, errs)
			}
		}
		for _, n := range []int{v.Min - 1, v.Max + 1} {
			p := Policy{v.Name: n}
			if errs := p.Check(); len(errs) != 1 || p.Of(v.Name) != v.Default {
				t.Errorf("%s: %d is taken", v.Name, n)
			}
		}
	}
	if errs := (Policy{"nothing": 1}).Check(); len(errs) != 1 {
		t.Errorf("a name that there is not: %v", errs)
	}
}

func TestBuildsAreThoseOfHostsThatSayThem(t *testing.T) {
	t.Parallel()
	roles := func(text string) map[string]Fact { return map[string]Fact{"roles": {Value: json.RawMessage(text)}} }
	got := Builds(map[string]map[string]Fact{
		"NODEA": roles(`{"Mailbox":` + rtmKey + `,"AdminTools":{"configured":"8.1.240.6","unpacked":"8.1.240.6","action":"","watermark":""}}`),
		"NODEB": roles(`{"Mailbox":{"configured":"?","unpacked":"","action":"","watermark":""}}`),
		"NODEC": roles(`{}`), "NODED": roles(`[]`), "NODEE": {},
	})
	if want := (map[string]exchange.Build{"NODEA": {Major: 8, Minor: 0, Build: 685, Revision: 25}}); cmp.Diff(want, got) != "" {
		t.Errorf("builds %v, want %v", got, want)
	}
}
