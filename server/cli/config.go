package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"wavekeeper/server/exchange"
)

// settings is a settings file: values by key. A key is a flag's name, alone or
// with the command in front ("listen", "serve.listen", "user.add.role"), or
// nested below the command; hyphens may be underscores. The command line wins
// over the environment, and that over the file.
type settings map[string]any

// yamlSettings reads a settings file.
func yamlSettings(r io.Reader) (kong.Resolver, error) {
	file := map[string]any{}
	if err := yaml.NewDecoder(r).Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read settings file: %w", err)
	}
	values := settings{}
	values.take("", file)
	return values, nil
}

// take flattens what is nested.
func (s settings) take(prefix string, file map[string]any) {
	for key, v := range file {
		key = prefix + strings.ReplaceAll(key, "_", "-")
		if nested, ok := v.(map[string]any); ok {
			s.take(key+".", nested)
			continue
		}
		s[key] = v
	}
}

// Validate refuses a key that no command knows, with the nearest.
func (s settings) Validate(app *kong.Application) error {
	known := settingKeys(app.Node, "")
	for _, flag := range app.Flags {
		known = append(known, flag.Name)
	}
	for key := range s {
		if !slices.Contains(known, key) {
			return fmt.Errorf("settings file: unknown key %q%s", key, exchange.Near(key, known, ", the nearest known one is"))
		}
	}
	return nil
}

// settingKeys lists the keys of a command's flags and of its subcommands'.
func settingKeys(n *kong.Node, path string) []string {
	var keys []string
	for _, child := range n.Children {
		below := path + child.Name + "."
		for _, flag := range child.Flags {
			keys = append(keys, flag.Name, below+flag.Name)
		}
		keys = append(keys, settingKeys(child, below)...)
	}
	return keys
}

// Resolve gives a flag's value, nil when the file has none or the environment
// comes first.
func (s settings) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	if n := parent.Node(); n != nil && n.Type == kong.CommandNode {
		path := flag.Name
		for ; n != nil && n.Type == kong.CommandNode; n = n.Parent {
			path = n.Name + "." + path
		}
		if v, ok := s[path]; ok {
			return v, nil
		}
	}
	return s[flag.Name], nil
}
