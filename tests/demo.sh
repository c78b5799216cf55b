#!/bin/sh
# The demonstration behind `make demo` and `make demo-stop`: start | stop.
set -eu
cd "$(dirname "$0")/.."
export PYTHONPYCACHEPREFIX="$PWD/build/demo/pycache"
exec /usr/bin/python3 -m tests.blackbox.demo "$@"
