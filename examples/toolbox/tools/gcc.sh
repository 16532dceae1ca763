set -eu
${CC:-cc} ${FLAGS-} -Ic c/ops.c c/ops_test.c -o "$1/ops_test" && "$1/ops_test"
