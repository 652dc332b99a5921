#!/bin/sh
# Installs what is missing for `make run` (need.sh run) or `make test`
# (need.sh test) from Debian's packages, and says what and why. Without the
# right to install it names the packages and the alternatives, and ends.
set -eu

purpose=${1:-run}
missing=""
why=""
want() { # want PACKAGE REASON
	missing="$missing $1"
	why="$why
  $1: $2"
}

postgres_there() {
	[ "$purpose" = run ] && [ -n "${DATABASE_URL:-}" ] && return 0
	[ -n "${PG_BIN:-}" ] && [ -x "$PG_BIN/postgres" ] && return 0
	command -v initdb >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1 && return 0
	for bin in /usr/lib/postgresql/*/bin; do
		[ -x "$bin/initdb" ] && return 0
	done
	return 1
}

postgres_there || want postgresql "the private database that the program and its tests start"
command -v npm >/dev/null 2>&1 || want npm "fetches the console's style sheet and htmx"
if [ "$purpose" = test ]; then
	command -v chromium >/dev/null 2>&1 || want chromium "the tests walk through the console in a real browser"
	command -v cc >/dev/null 2>&1 || want gcc "the race detector and the SQL compiler need a C compiler"
	[ -f /usr/include/stdlib.h ] || want libc6-dev "headers for that C compiler"
	[ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import winrm' 2>/dev/null ||
		want python3-winrm "a WinRM client that is not ours, to check the simulated hosts"
fi
[ -n "$missing" ] || exit 0

echo "Missing on this machine:$why"
if [ "$(id -u)" = 0 ]; then
	run=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
	run="sudo"
else
	cat >&2 <<END
No right to install them. Either run, as an administrator:
  apt-get install$missing
or, for the database alone, use one that is there already:
  DATABASE_URL=postgres://...   a database that this program may use (make run only)
  PG_BIN=/path/to/postgresql/bin   a folder that holds initdb and postgres
END
	exit 1
fi
command -v apt-get >/dev/null 2>&1 || {
	echo "This is not Debian (no apt-get): install by hand:$missing" >&2
	exit 1
}
echo "Installing with apt-get:$missing"
export DEBIAN_FRONTEND=noninteractive
# Debian's package would start a database cluster of its own; nobody asked for it.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
	$run mkdir -p /etc/postgresql-common
	echo "create_main_cluster = false" | $run tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
$run apt-get update -q
# shellcheck disable=SC2086 # the list is words
$run apt-get install -y -q --no-install-recommends -o Dpkg::Options::=--force-confold $missing
