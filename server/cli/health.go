package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// healthWithin is how long the console may take to answer.
const healthWithin = 4 * time.Second

// HealthCmd asks a console whether it works, for health checks of containers:
// their image needs no other HTTP client.
type HealthCmd struct {
	URL string `name:"url" default:"http://127.0.0.1:8080/healthz" help:"What is asked: /healthz of the console says that it answers, /readyz of its inner address that its database does, too." env:"WAVEKEEPER_HEALTH_URL" placeholder:"URL"`
}

// Run fails unless the answer is 200.
func (c *HealthCmd) Run(g *Globals) error {
	ctx, cancel := context.WithTimeout(context.Background(), healthWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	// No proxy of the environment: what is asked is this very address.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask the console: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 500))
	if err != nil {
		return fmt.Errorf("read the console's answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", c.URL, answer.Status, strings.TrimSpace(string(text)))
	}
	_, err = fmt.Fprintln(g.Stdout, strings.TrimSpace(string(text)))
	return err
}
