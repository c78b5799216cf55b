#!/bin/sh
# Builds the image `postern` with the container engine that is there.
set -eu
cd "$(dirname "$0")/../.."
for engine in docker podman buildah; do
    if command -v $engine >/dev/null && $engine info >/dev/null 2>&1; then
        exec $engine build -t "postern:$(cat VERSION)" -t postern .
    fi
done
echo "make image needs docker, podman or buildah" >&2
exit 69
