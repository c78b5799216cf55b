#!/bin/sh
# Builds the image without a container engine (buildah in a chroot, on a base made by debootstrap) and runs it as it
# is meant to be run: unprivileged, on a read-only root, stopped with SIGTERM. Root only.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
tag=postern-image-test
bud="buildah --storage-driver vfs --root $work/storage --runroot $work/run"
pid=
finish() {
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true
    umount "$work/root" 2>/dev/null || true
    $bud umount --all >/dev/null 2>&1 || true
    $bud rm --all >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT

say() { printf '%s\n' "$*"; }
fail() { say "FAILED: $*" >&2; exit 1; }

say "base: debootstrap bookworm"
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
debootstrap --variant=minbase bookworm "$work/base" "$mirror" >"$work/debootstrap.log" 2>&1 || {
    tail -n 20 "$work/debootstrap.log"
    fail debootstrap
}
rm -rf "$work/base/var/cache/apt/archives/"*.deb "$work/base/var/lib/apt/lists/"*
base_size=$(du -sm "$work/base" | cut -f1)
packages_of() { dpkg-query --admindir="$1/var/lib/dpkg" -W -f '${Package} ${Installed-Size}\n' | sort; }
packages_of "$work/base" >"$work/base-packages"
container=$($bud from scratch)
$bud copy -q "$container" "$work/base" / >/dev/null
$bud commit -q "$container" docker.io/library/debian:bookworm-slim >/dev/null
$bud rm "$container" >/dev/null
rm -rf "$work/base"

say "image: buildah bud --isolation chroot"
$bud bud --isolation chroot --pull-never --format docker -q -t $tag . >"$work/bud.log" 2>&1 || {
    tail -n 30 "$work/bud.log"
    fail "the build"
}

say "configuration"
$bud inspect --type image $tag >"$work/inspect.json"
for want in '"User": "65532:65532"' '"StopSignal": "SIGTERM"' '"POSTERN_LISTEN=0.0.0.0:8025"' '"/usr/local/bin/postern"' '"health"'; do
    grep -qF "$want" "$work/inspect.json" || fail "the image lacks $want"
done

container=$($bud from --pull-never $tag)
root=$($bud mount "$container")
size=$(du -sm "$root" | cut -f1)
say "size: $size MB on disk; the base alone $base_size MB, postern $(du -k "$root/usr/local/bin/postern" | cut -f1) KB"
say "added, in KB: $(packages_of "$root" | comm -13 "$work/base-packages" - | sort -k2 -rn | head -n 12 | tr '\n' ';')"

# The container's process by hand: its root read-only, its user unprivileged.
mkdir "$work/root"
mount --bind "$root" "$work/root"
mount -o remount,ro,bind "$work/root"
port=18025
chroot=$(command -v chroot)
in_image() {
    exec env -i POSTERN_LISTEN=127.0.0.1:$port POSTERN_RELAY='smtp://127.0.0.1:9?tls=none' \
        "$chroot" --userspec=65532:65532 "$work/root" /usr/local/bin/postern "$@"
}
in_image serve 2>"$work/postern.log" &
pid=$!
ok=0
for _ in $(seq 100); do
    if (in_image health) 2>/dev/null; then
        ok=1
        break
    fi
    sleep 0.1
done
[ $ok = 1 ] || { cat "$work/postern.log"; fail "postern health never succeeded"; }
say "health: ok, as uid $(stat -c %u /proc/$pid) on a read-only root"
if touch "$work/root/written" 2>/dev/null; then fail "the root is writable"; fi
curl -fsS -H 'Content-Type: application/json' http://127.0.0.1:$port/v1/compose \
    -d '{"from":"a@example.com","to":"b@example.net","subject":"您好","html":"<p>Hi</p>"}' >"$work/mail.eml"
grep -q '^Subject: =?UTF-8?' "$work/mail.eml" || fail "it does not compose"
kill -TERM $pid
code=0
wait $pid || code=$?
pid=
[ $code = 0 ] || fail "SIGTERM: exit code $code"
say "SIGTERM: exit code 0"
say "image-test: ok"
