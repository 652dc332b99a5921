#!/bin/sh
# Generates server/store/db with sqlc, whose own compilation takes minutes: only
# when a source or a result is not what it was after the last generation.
set -eu
cd "$(dirname "$0")/.."
stamp=server/store/db/generated.sum
sums() {
	find tools/sqlc migrations server/store/query server/store/sqlc.yaml server/store/db -type f ! -name generated.sum |
		LC_ALL=C sort | xargs -r sha256sum
}
if [ -f "$stamp" ] && [ "$(sums)" = "$(cat "$stamp")" ]; then
	exit 0
fi
${GO:-go} tool -modfile=tools/sqlc/go.mod sqlc generate -f server/store/sqlc.yaml
sums >"$stamp"
