#!/bin/sh
# Configure, build and test in one command: build.sh BUILD_DIR [CMAKE_ARGUMENT...]
set -eu

build=${1:?usage: build.sh BUILD_DIR [CMAKE_ARGUMENT...]}
shift
cmake -S "$(dirname "$0")" -B "$build" -G Ninja "$@"
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure
