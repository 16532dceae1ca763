#!/bin/sh
# Configure, build and test in one command: build.sh BUILD_DIR [CMAKE_ARGUMENT...]
# TARGETS limits what is built, TESTS (a regular expression) which tests run; NINJA_FLAGS is for ninja.
set -eu

build=${1:?usage: build.sh BUILD_DIR [CMAKE_ARGUMENT...]}
shift
cmake -S "$(dirname "$0")" -B "$build" -G Ninja "$@"
# The lists are split at blanks.
# shellcheck disable=SC2086
cmake --build "$build" ${TARGETS:+--target $TARGETS} -- ${NINJA_FLAGS-}
ctest --test-dir "$build" --output-on-failure ${TESTS:+-R "$TESTS"}
