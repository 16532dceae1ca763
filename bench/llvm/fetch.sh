#!/bin/sh
# Get the source tree of llvm-toolchain-19, the yardstick of the long benchmarks, into a directory.
#
#   bench/llvm/fetch.sh DIR          # DIR/src afterwards holds llvm/, mlir/, clang/, ...
#
# The source package comes from the mirror that this machine's apt already uses: each entry that offers LLVM 19 is read
# again as `deb-src` in a private apt state under DIR. Nothing of the machine's own configuration changes and no root is needed.
# Needs: apt, dpkg-dev, xz-utils; about 170 MB of download and 2 GB of disk.
set -eu

package=llvm-toolchain-19
directory=${1:?usage: fetch.sh DIR}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)

if [ -d "$directory/src/llvm" ]; then
    echo "$directory/src is already there"
    exit 0
fi
command -v dpkg-source >/dev/null || { echo "dpkg-source is missing: apt-get install dpkg-dev" >&2; exit 1; }

# The name of a binary package tells which of the configured mirrors carries the toolchain.
mirrors=$(apt-cache madison llvm-19 | awk '{ print $5 }' | sort -u)
[ -n "$mirrors" ] || { echo "no configured apt source offers llvm-19 (apt-get update first)" >&2; exit 1; }

apt=$directory/apt
mkdir -p "$apt/sources.list.d" "$apt/lists/partial" "$apt/cache/archives/partial"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [ -f "$file" ] && printf '%s\n' "$mirrors" | grep -qFf - "$file" || continue
    case $file in
        *.sources) sed 's/^Types:.*/Types: deb-src/' "$file" >"$apt/sources.list.d/${file##*/}" ;;
        *.list) sed -n 's/^deb /deb-src /p' "$file" >"$apt/sources.list.d/${file##*/}" ;;
    esac
done

private_apt() {
    apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/sources.list.d" \
        -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}

private_apt update
cd "$directory"
private_apt source --download-only "$package"

# Unpacked by hand into a path without a version, so that configure.sh and the figures name the same tree everywhere.
rm -rf "$directory/src.partial"
dpkg-source --no-check --skip-patches -x "$directory"/${package}_*.dsc "$directory/src.partial"
mv "$directory/src.partial" "$directory/src"
echo "$directory/src"
