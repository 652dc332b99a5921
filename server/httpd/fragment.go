package httpd

import (
	"bytes"
	"context"
	"fmt"

	"github.com/a-h/templ"

	"wavekeeper/server/live"
)

// fragment renders one part of a page into an update.
func fragment(ctx context.Context, u *live.Update, target string, c templ.Component) error {
	var b bytes.Buffer
	if err := c.Render(ctx, &b); err != nil {
		return fmt.Errorf("render %s: %w", target, err)
	}
	u.Fragments = append(u.Fragments, live.Fragment{Target: target, HTML: visible(b.Bytes())})
	return nil
}
