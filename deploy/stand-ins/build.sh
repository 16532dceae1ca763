#!/bin/sh
# Builds images without a registry and loads them into the engine at DOCKER_HOST: build.sh CACHE TARGET=IMAGE...
# TARGET is a stage of Containerfile beside this file, or `product`: the image of deploy/docker/Dockerfile. Needs root,
# buildah and mmdebstrap (deploy/machine/setup.sh engine). CACHE keeps what need not be built twice.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
cache=$1; shift
mkdir -p "$cache/built"
export BUILDAH_ISOLATION=chroot
echo '{"default": [{"type": "insecureAcceptAnything"}]}' > "$cache/policy.json"
buildah_() { buildah --root "$cache/store" --runroot "$cache/run" "$@"; }

if [ ! -e "$cache/base.tar" ]; then
    mmdebstrap --quiet --mode=root --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$cache/base.new.tar"
    mv "$cache/base.new.tar" "$cache/base.tar"
fi
recipe=$(cat "$here"/* | sha256sum | cut -c1-64)
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$here"/* "$context"

build() { # IMAGE ARGUMENT...
    image=$1; shift
    buildah_ bud --quiet --format docker --layers --pull-never --signature-policy "$cache/policy.json" \
        -v /etc/ssl/certs:/etc/ssl/certs:ro -t "$image" "$@" >/dev/null
}

if ! buildah_ images --quiet localhost/stand-in-base >/dev/null 2>&1; then
    build localhost/stand-in-base -f "$here/base.Containerfile" "$cache"
fi
for pair in "$@"; do
    target=${pair%%=*} image=${pair#*=}
    id=
    if [ "$target" = product ]; then
        build "$image" -f "$root/deploy/docker/Dockerfile" "$root"
    elif [ "$(cat "$cache/built/$target" 2>/dev/null)" != "$recipe $image" ]; then
        build "$image" --target "$target" -f "$context/Containerfile" "$context"
        echo "$recipe $image" > "$cache/built/$target"
    fi
    case $target in python | node | uv) continue ;; esac # what others are built from
    id=$(buildah_ images --quiet --no-trunc "$image")
    [ "$(docker image inspect -f '{{.Id}}' "$image" 2>/dev/null)" = "$id" ] && continue
    buildah_ push --quiet --signature-policy "$cache/policy.json" "$image" "docker-archive:$context/image.tar:$image"
    docker load --quiet --input "$context/image.tar"
    rm "$context/image.tar"
done
docker image prune --force >/dev/null # what had one of these names before
