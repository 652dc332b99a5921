package store

import "context"

const searchSetupLog = `
SELECT line, text, at
FROM setup_log
WHERE upgrade_id = $1
  AND strpos(lower(text), lower($2)) > 0
ORDER BY line DESC
LIMIT $3`

// SearchSetupLog returns the last lines of a setup log that hold a text, in
// order; upper and lower case are the same.
func (s *Store) SearchSetupLog(ctx context.Context, upgrade int64, text string, limit int) ([]LogLine, error) {
	lines, err := pageRows[LogLine](ctx, s, "search setup log", searchSetupLog, upgrade, text, limit)
	for i, j := 0, len(lines)-1; i < j; i, j = i+1, j-1 {
		lines[i], lines[j] = lines[j], lines[i]
	}
	return lines, err
}
