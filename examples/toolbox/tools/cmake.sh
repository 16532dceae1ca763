set -eu
cmake -S cmake -B "$1" -G "${GENERATOR:-Ninja}" -DC_SOURCES="$PWD/c" && cmake --build "$1" -- ${NINJA_FLAGS-} && ctest --test-dir "$1" ${CTEST_FLAGS---output-on-failure}
