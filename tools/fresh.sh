#!/bin/sh
# Regenerates all generated code and fails if that changes a file: what is
# committed must be what its source gives.
set -eu
sums() {
	find server agentless web -name '*_templ.go' -o -path '*/store/db/*' | LC_ALL=C sort | xargs -r sha256sum
	sha256sum README.md server/preflight/RULES.md agentless/windows/FACTS.md agentless/runbook/RUNBOOKS.md agentless/twin/TRAITS.md
}
before=$(sums)
make --no-print-directory generate >/dev/null
after=$(sums)
if [ "$before" != "$after" ]; then
	echo "Generated files were stale; they are regenerated now, commit them:" >&2
	before_file=$(mktemp) && after_file=$(mktemp)
	trap 'rm -f "$before_file" "$after_file"' EXIT
	echo "$before" >"$before_file"
	echo "$after" >"$after_file"
	diff "$before_file" "$after_file" | sed -n 's/^> [0-9a-f]*  /  /p' >&2
	exit 1
fi
