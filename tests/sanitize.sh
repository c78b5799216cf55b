#!/bin/sh
# The whole test suite under the sanitizers and valgrind. Each build has a folder of its own.
#   tests/sanitize.sh [asan|tsan|valgrind]...
set -eu
cd "$(dirname "$0")/.."

# It is slow enough; how often it can be killed is not what is looked at here.
export POSTERN_CRASH_ROUNDS="${POSTERN_CRASH_ROUNDS:-10}"

failed=0
run() {
    echo "== $1"
    shift
    "$@" || failed=1
}

build() {
    make --no-print-directory -s BUILD="$1" CC=clang SANITIZE="$2" OPTIMISE=-O1 deps-build "$1/postern" "$1/postern-lean" unit-programs
}

asan() {
    build build-asan address,undefined
    # libmicrohttpd and others are not instrumented; what they allocate and keep is not ours to free.
    # No strict_string_checks: it wants a NUL behind what strndup() is given with its length.
    export ASAN_OPTIONS=detect_leaks=1
    export UBSAN_OPTIONS=print_stacktrace=1
    export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
    run "ASan + UBSan" env BUILD=build-asan POSTERN_BIN="$PWD/build-asan/postern" tests/run
}

tsan() {
    build build-tsan thread
    export TSAN_OPTIONS=suppressions=$PWD/tests/tsan.supp:halt_on_error=0:exitcode=66
    run "TSan" env BUILD=build-tsan POSTERN_BIN="$PWD/build-tsan/postern" tests/run
}

with_valgrind() {
    make --no-print-directory -s all lean unit-programs
    run "valgrind" env BUILD=build \
        POSTERN_WRAPPER="valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite" tests/run
}

for what in "${@:-asan tsan valgrind}"; do
    for one in $what; do
        case $one in
        asan) asan ;;
        tsan) tsan ;;
        valgrind) with_valgrind ;;
        *) echo "usage: $0 [asan|tsan|valgrind]..." >&2 && exit 64 ;;
        esac
    done
done
exit $failed
