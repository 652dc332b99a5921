#!/bin/sh
# Installs what is missing for `make run` (need.sh run) or `make test`
# (need.sh test) from Debian's packages, and says what and why. Without the
# right to install it names the packages and the alternatives, and ends.
# What is only wished (programs of others that some tests compare ours with) is
# installed when that is possible; where it is not, those tests are skipped and
# name the package.
set -eu

purpose=${1:-run}
missing=""
why=""
want() { # want PACKAGE REASON
	missing="$missing $1"
	why="$why
  $1: $2"
}

wishes=""
wish() { # wish PACKAGE...: what is not installed of them is wished
	for package in "$@"; do
		dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || wishes="$wishes $package"
	done
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
command -v npm >/dev/null 2>&1 || want npm "fetches the console's style sheet and htmx, and the grammar of PowerShell for the tests"
if [ "$purpose" = run ]; then
	wish cabextract # reads what is inside a package's media; without it, media add --unpacked
fi
if [ "$purpose" = test ]; then
	command -v chromium >/dev/null 2>&1 || want chromium "the tests walk through the console in a real browser"
	command -v cc >/dev/null 2>&1 || want gcc "the race detector and the SQL compiler need a C compiler"
	[ -f /usr/include/stdlib.h ] || want libc6-dev "headers for that C compiler"
	[ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import winrm' 2>/dev/null ||
		want python3-winrm "a WinRM client that is not ours, to check the simulated hosts"
	command -v node >/dev/null 2>&1 || want nodejs "runs the PowerShell grammar that the scripts are checked with"
	# Kerberos: a KDC and a service that are not ours, and a clock to move.
	wish krb5-kdc krb5-admin-server krb5-user python3-gssapi python3-requests-kerberos faketime
	# NTLM's other side, and a domain controller.
	wish python3-samba samba samba-ad-provision samba-dsdb-modules
	# Other WinRM clients, cabinets, http and TLS of that time.
	wish ansible-core gcab cabextract curl openssl
fi
[ -n "$missing$wishes" ] || exit 0

[ -z "$missing" ] || echo "Missing on this machine:$why"
if [ "$(id -u)" = 0 ]; then
	run=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
	run="sudo"
elif [ -z "$missing" ]; then
	echo "Wished and not installed (what needs them says so):$wishes"
	exit 0
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
	[ -n "$missing" ] || exit 0
	echo "This is not Debian (no apt-get): install by hand:$missing" >&2
	exit 1
}
export DEBIAN_FRONTEND=noninteractive
# Debian's package would start a database cluster of its own; nobody asked for it.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
	$run mkdir -p /etc/postgresql-common
	echo "create_main_cluster = false" | $run tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
install() { # install PACKAGE...
	$run apt-get install -y -q --no-install-recommends -o Dpkg::Options::=--force-confold "$@"
}
if [ -n "$missing" ]; then
	echo "Installing with apt-get:$missing"
	$run apt-get update -q
	# shellcheck disable=SC2086 # the list is words
	install $missing
fi
[ -n "$wishes" ] || exit 0
# Daemons that come with what is wished (krb5-kdc, samba) are not started: the
# tests start their own, on loopback and in folders of their own.
echo "Installing with apt-get, wished:$wishes"
[ -n "$missing" ] || $run apt-get update -q || true
if [ ! -e /usr/sbin/policy-rc.d ]; then
	trap '$run rm -f /usr/sbin/policy-rc.d' EXIT
	printf '#!/bin/sh\nexit 101\n' | $run tee /usr/sbin/policy-rc.d >/dev/null
	$run chmod 755 /usr/sbin/policy-rc.d
fi
# shellcheck disable=SC2086 # the list is words
install $wishes || for package in $wishes; do
	install "$package" || echo "Not installed: $package (what needs it says so)"
done
