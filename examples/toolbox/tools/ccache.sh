set -eu
CCACHE_DIR="$1/cache" CCACHE_CONFIGPATH="$1/none" ccache ${CC:-cc} ${FLAGS-} -Ic -c c/ops.c -o "$1/ops.o"
