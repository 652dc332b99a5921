#!/bin/sh
# Makes the passwords that docker-compose.yml names, as far as they are missing,
# in deploy/secrets or in the folder given. Compose mounts each file as it is, and
# the containers read it as users of their own: so the files can be read by
# everybody, and the folder can be entered by its owner only.
set -eu
dir=${1:-$(dirname "$0")/secrets}
mkdir -p "$dir"
chmod 700 "$dir"

word() { od -An -tx1 -N20 /dev/urandom | tr -d ' \n'; }

make() { # make FILE CONTENT
	[ -s "$dir/$1" ] && return 0
	printf '%s\n' "$2" >"$dir/.$1.new"
	chmod 644 "$dir/.$1.new"
	mv "$dir/.$1.new" "$dir/$1"
	echo "made $dir/$1"
}

make postgres.password "$(word)"
make owner.pgpass "*:*:*:wavekeeper_owner:$(word)"
make program.pgpass "*:*:*:wavekeeper:$(word)"
make winrm.password "$(word)"
make runas.password "$(word)"
