#!/bin/sh
# Configure, build and test in one command: build.sh BUILD_DIR [CMAKE_ARGUMENT...]
# TARGETS limits what is built before the tests; LIT_FILTER, which lit reads, limits the tests.
# MLIR_DIR names the directory of MLIRConfig.cmake; the default is where Debian and Ubuntu put LLVM 19.
set -eu

build=${1:?usage: build.sh BUILD_DIR [CMAKE_ARGUMENT...]}
shift
cmake -S "$(dirname "$0")" -B "$build" -G Ninja -DMLIR_DIR="${MLIR_DIR:-/usr/lib/llvm-19/lib/cmake/mlir}" "$@"
# The list is split at blanks.
# shellcheck disable=SC2086
cmake --build "$build" ${TARGETS:+--target $TARGETS}
cmake --build "$build" --target check-tally
