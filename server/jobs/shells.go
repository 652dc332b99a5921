package jobs

import (
	"context"
	"time"

	"wavekeeper/agentless/winrm"
)

// shellBeat is how often shells are looked for that no command came for.
const shellBeat = 5 * time.Second

// sweepShells deletes shells on hosts that are kept for nothing: a host has few
// of them for an account. So it lets go of credentials that were replaced.
func (e *Engine) sweepShells(ctx context.Context) {
	every := time.NewTicker(shellBeat)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-every.C:
			tidying, cancel := context.WithTimeout(ctx, shellBeat)
			if err := e.tidyAccesses(tidying, now); err != nil && ctx.Err() == nil {
				e.log.Warn("credentials that were replaced are still in memory", "err", err)
			}
			cancel()
			if n := winrm.Sweep(ctx, now); n > 0 {
				e.log.Debug("shells on hosts were ended", "shells", n)
			}
		}
	}
}
