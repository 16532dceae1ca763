set -eu
make -C c OUT="$1" ${MAKE_FLAGS-}
