#!/bin/sh
# Runs fuzz targets on their seeds: run.sh SECONDS NAME...   What is found on the way is kept under $BUILD, not in the tree.
set -eu
cd "$(dirname "$0")/../.."
seconds=$1
shift
failed=0
for name in "$@"; do
    corpus=$BUILD/corpus/$name
    mkdir -p "$corpus"
    echo "== $name ($seconds s)"
    if "$BUILD/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=0 \
        -artifact_prefix="$BUILD/$name-" "$corpus" "tests/fuzz/seeds/$name" >"$BUILD/$name.log" 2>&1; then
        tail -n 1 "$BUILD/$name.log"
    else
        tail -n 40 "$BUILD/$name.log"
        failed=1
    fi
done
exit $failed
