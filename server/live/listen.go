package live

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Run listens at the database until the context ends, on a connection of its
// own. When the connection is lost every open page is told that it grows stale;
// when it is made again every open page is rendered, since announcements may
// have been missed.
func (h *Hub) Run(ctx context.Context) error {
	defer h.once.Do(func() { close(h.done) })
	wait := 200 * time.Millisecond
	for {
		began := time.Now()
		err := h.listen(ctx)
		if ctx.Err() != nil {
			return nil
		}
		h.hears(false)
		if time.Since(began) > 30*time.Second {
			wait = 200 * time.Millisecond
		}
		h.log.Warn("listen for changes", "err", err, "again_in", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

func (h *Hub) listen(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, h.url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // the connection is given up in any case
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+Channel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	h.hears(true)
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("wait for an announcement: %w", err)
		}
		h.Ring(n.Payload)
	}
}
