#!/bin/sh
# Lints openapi.yaml with redocly's rules; a warning fails too. The linter comes from the npm registry.
set -eu
cd "$(dirname "$0")/.."
dir=build/openapi-lint
version=1.34.5
if [ ! -x $dir/node_modules/.bin/redocly ]; then
    mkdir -p $dir
    npm install --silent --no-audit --no-fund --prefix $dir "@redocly/cli@$version" >/dev/null
fi
REDOCLY_TELEMETRY=off $dir/node_modules/.bin/redocly lint openapi.yaml --max-problems 50 --format=stylish >$dir/report 2>&1 || {
    cat $dir/report >&2
    exit 1
}
if grep -qE '[0-9]+ warning' $dir/report; then
    cat $dir/report >&2
    exit 1
fi
