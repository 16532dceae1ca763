set -eu
cp -r meson/. c/*.[ch] "$1" && rm -rf "$1/b" && meson setup ${MESON_FLAGS-} "$1/b" "$1" && meson compile -C "$1/b" && meson test -C "$1/b"
