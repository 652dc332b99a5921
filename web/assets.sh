#!/bin/sh
# Fetches the browser files of other projects by the lock file and puts those
# that pages need into static/vendor, which the binary embeds.
set -eu
cd "$(dirname "$0")"
npm ci --ignore-scripts --no-audit --no-fund
mkdir -p static/vendor
cp node_modules/@tabler/core/dist/css/tabler.min.css \
   node_modules/htmx.org/dist/htmx.min.js \
   node_modules/htmx.org/dist/ext/hx-sse.min.js static/vendor/
