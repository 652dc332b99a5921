package twin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// faultFields are the fields of a fault in a file.
var faultFields = []string{"host", "fault", "step", "at", "times", "lasts", "offset"}

// ReadFaults reads a file of declared faults: {"faults":[{"host":"MBX1",
// "fault":"power-loss","step":"setup","at":"phase:7","times":1,"lasts":"40m"}]}.
// Nothing unknown is let pass: all errors are told together, each with its line
// and the nearest known word. A fault of a host that is not among hosts is
// refused, too; without hosts that is left to Start and Inject.
func ReadFaults(r io.Reader, hosts ...string) ([]Fault, error) {
	raw, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read faults: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	broken := func(err error) ([]Fault, error) {
		at := d.InputOffset()
		if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = max(at, wrong.Offset)
		}
		return nil, fmt.Errorf("faults: line %d: %w", 1+bytes.Count(raw[:min(at, int64(len(raw)))], []byte("\n")), err)
	}
	if err := expect(d, json.Delim('{')); err != nil {
		return broken(err)
	}
	var all []Fault
	var wrong []error
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return broken(err)
		}
		if name, _ := key.(string); name != "faults" {
			return broken(fmt.Errorf("unknown field %q%s", key, hint(fmt.Sprint(key), []string{"faults"})))
		}
		if err := expect(d, json.Delim('[')); err != nil {
			return broken(err)
		}
		for d.More() {
			var one json.RawMessage
			if err := d.Decode(&one); err != nil {
				return broken(err)
			}
			begins := 1 + bytes.Count(raw[:int(d.InputOffset())-len(one)], []byte("\n"))
			f, err := readFault(one)
			if err == nil {
				err = f.among(hosts)
			}
			if err != nil {
				wrong = append(wrong, fmt.Errorf("faults: line %d, fault %d: %w", begins, len(all)+1, err))
			}
			all = append(all, f)
		}
		if err := expect(d, json.Delim(']')); err != nil {
			return broken(err)
		}
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return broken(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return broken(errors.New("more after the end"))
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return all, nil
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the file ends where %s is wanted", want)
	}
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%v where %s is wanted", got, want)
	}
	return nil
}

// readFault reads one fault of a file.
func readFault(raw []byte) (Fault, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return Fault{}, fmt.Errorf("a fault is an object: %w", err)
	}
	var f Fault
	texts := map[string]*string{"host": &f.Host, "fault": &f.Name, "step": &f.Step, "at": &f.At}
	durations := map[string]*time.Duration{"lasts": &f.Lasts, "offset": &f.Offset}
	for name, value := range fields {
		var err error
		switch {
		case texts[name] != nil:
			err = json.Unmarshal(value, texts[name])
		case durations[name] != nil:
			*durations[name], err = readDuration(value)
		case name == "times":
			err = json.Unmarshal(value, &f.Times)
		default:
			return f, fmt.Errorf("unknown field %q%s", name, hint(name, faultFields))
		}
		if err != nil {
			return f, fmt.Errorf("field %s: %w", name, err)
		}
	}
	if f.Host == "" {
		return f, errors.New("field host is missing")
	}
	return f, f.check()
}

// among reports, as an error, that a fault names none of the hosts there are.
func (f Fault) among(hosts []string) error {
	if f.Host == "*" || len(hosts) == 0 || slices.ContainsFunc(hosts, func(name string) bool { return strings.EqualFold(name, f.Host) }) {
		return nil
	}
	return fmt.Errorf("no host named %s%s", f.Host, hint(f.Host, hosts))
}

func readDuration(raw []byte) (time.Duration, error) {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return 0, errors.New(`a duration is text like "40m" or "1h30m"`)
	}
	return time.ParseDuration(text)
}

// hint names the known word nearest to one that is not known.
func hint(word string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	nearest := slices.MinFunc(known, func(a, b string) int { return distance(word, a) - distance(word, b) })
	if 2*distance(word, nearest) > max(len(nearest), len(word)) {
		return "; known: " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("; the nearest known is %q", nearest)
}

// distance is how many letters differ between two words (Levenshtein), without
// regard to case.
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := last
			if a[i] != b[j] {
				change++
			}
			last = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
