set -eu
bison ${BISON_FLAGS-} -o "$1/ops.c" grammar/ops.y && flex -o "$1/lexer.c" grammar/ops.l
