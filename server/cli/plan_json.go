package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"wavekeeper/server/rollout"
)

// writePlanJSON prints a report as one line of JSON, server by server: with
// --full, thousands of servers name thousands each.
func writePlanJSON(w io.Writer, r rollout.Report) error {
	out := bufio.NewWriter(w)
	whole := r
	whole.Waves = []rollout.WaveReport{}
	err := writeAround(out, whole, `"waves":[`, len(r.Waves), func(i int) error {
		wave := r.Waves[i]
		wave.Servers = []rollout.ServerReport{}
		return writeAround(out, wave, `"servers":[`, len(r.Waves[i].Servers), func(j int) error {
			server, err := compact(r.Waves[i].Servers[j])
			if err != nil {
				return err
			}
			_, err = out.Write(server)
			return err
		})
	})
	if err == nil {
		err = out.WriteByte('\n')
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("print plan: %w", err)
	}
	return nil
}

// writeAround writes v, whose list that begins with key is empty, with n items
// in that list. What comes before the list holds no such key.
func writeAround(out *bufio.Writer, v any, key string, n int, item func(int) error) error {
	shell, err := compact(v)
	if err != nil {
		return err
	}
	before, after, found := bytes.Cut(shell, []byte(key))
	if !found {
		return fmt.Errorf("no %s in %.80s", key, shell)
	}
	if _, err := out.Write(shell[:len(before)+len(key)]); err != nil {
		return err
	}
	for i := range n {
		if i > 0 {
			if err := out.WriteByte(','); err != nil {
				return err
			}
		}
		if err := item(i); err != nil {
			return err
		}
	}
	_, err = out.Write(after)
	return err
}

// compact is v's JSON without escapes for HTML and without a line end.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
