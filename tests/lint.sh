#!/bin/sh
# What `make lint` checks: clang-format, clang-tidy, a build with gcc and one with clang, the direction of
# dependencies, and the OpenAPI document.
set -eu
cd "$(dirname "$0")/.."

sources=$(git ls-files '*.c')
all=$(git ls-files '*.[ch]')

echo "clang-format"
clang-format --dry-run --Werror $all

echo "layers: base < mime, smtp, dkim, dns, template, hook, lint, dialect < queue < service"
# A layer may include itself and those below it; mime and smtp don't know each other, and the queue doesn't
# know mime: what it keeps was composed before.
check_layer() {
    layer=$1 allowed=$2
    if grep -nE '^#include "[a-z]+/' "$layer"/*.[ch] | grep -vE "#include \"($allowed)/"; then
        echo "$layer/ may include only: $allowed" >&2
        exit 1
    fi
}
check_layer base 'base'
check_layer mime 'base|mime'
check_layer smtp 'base|smtp'
check_layer template 'base|template'
check_layer hook 'base|hook'
check_layer lint 'base|mime|lint'
check_layer dialect 'base|mime|dialect'
check_layer dkim 'base|dkim'
check_layer dns 'base|dns'
check_layer queue 'base|smtp|queue'

echo "gcc"
make --no-print-directory -s BUILD=build-gcc CC=gcc all lean unit-programs
echo "clang"
make --no-print-directory -s BUILD=build-clang CC=clang all lean unit-programs

echo "clang-tidy"
flags="-std=c11 -I. -D_GNU_SOURCE -DPOSTERN_VERSION='\"0\"' $(pkg-config --cflags libmicrohttpd jansson libcurl libidn2 sqlite3 libpq zlib libpsl)"
# One file each: given several, clang-tidy 14 takes a va_list of the second for uninitialized.
echo $sources | xargs -n 1 -P "$(nproc)" sh -c 'clang-tidy --quiet "$@" -- '"$flags"' 2>/dev/null' tidy

echo "openapi.yaml"
tests/openapi-lint.sh
