#!/usr/bin/env bash
# beside.sh FIRST SECOND: runs two shell commands at once. SECOND prints as it
# goes, FIRST when both have ended. Fails when either does.
set -uo pipefail
log=$(mktemp)
bash -c "$1" >"$log" 2>&1 &
first=$!
trap 'rm -f "$log"' EXIT
trap 'kill "$first" 2>/dev/null; exit 130' INT TERM
bash -c "$2"
second=$?
wait "$first"
code=$?
cat "$log"
exit $((code > second ? code : second))
