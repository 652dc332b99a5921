package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// yamlSettings reads a settings file: a flat map from a flag's name, with or
// without the command in front ("serve.listen" or "listen"), to its value. The
// command line wins over the environment, and that over the file.
func yamlSettings(r io.Reader) (kong.Resolver, error) {
	values := map[string]any{}
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read settings file: %w", err)
	}
	return kong.ResolverFunc(func(ctx *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
		for _, name := range flag.Envs {
			if _, ok := os.LookupEnv(name); ok {
				return nil, nil
			}
		}
		if parent.Command != nil {
			if v, ok := values[parent.Command.Name+"."+flag.Name]; ok {
				return v, nil
			}
		}
		if v, ok := values[flag.Name]; ok {
			return v, nil
		}
		return values[strings.ReplaceAll(flag.Name, "-", "_")], nil
	}), nil
}
