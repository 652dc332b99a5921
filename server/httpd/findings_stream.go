package httpd

import (
	"context"
	"net/http"

	"wavekeeper/server/auth"
	"wavekeeper/server/live"
	"wavekeeper/web/page"
)

// findingsStream keeps the progress of checks as it is.
func (s *server) findingsStream(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	return s.Live.Serve(w, r, s.streamPage(r, v, "findings?"+query.Encode(), []string{"run:*", "waiver:*", "fix:*"}, func(ctx context.Context, v viewer) (live.Update, error) {
		var u live.Update
		pkg, err := s.judgedFor(ctx, query.Get("package"))
		if err != nil {
			return u, err
		}
		view := page.FleetFindings{Why: v.why(auth.Probe)} // what was found is drawn with the page alone
		if err := s.unchecked(ctx, pkg.Name, &view); err != nil {
			return u, err
		}
		return u, fragment(ctx, &u, "#check-batches", page.CheckBatches(view.Batches))
	}))
}
