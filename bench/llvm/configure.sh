#!/bin/sh
# Configure the yardstick build: the tree that fetch.sh unpacked, small enough to be built again and again.
#
#   bench/llvm/configure.sh DIR [CMAKE_ARGUMENT...]     # afterwards: ninja -C DIR/build llvm-tblgen
#
# No target back end, no optimisation, no debug information: what is measured is the dashboard's cost beside a build that is
# bound by the compiler, not the compiler itself. CC and CXX choose the compiler; cmake and ninja come from PATH.
set -eu

directory=${1:?usage: configure.sh DIR [CMAKE_ARGUMENT...]}
shift
cmake -S "$directory/src/llvm" -B "$directory/build" -G Ninja \
    -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_FLAGS_RELEASE="-O0 -DNDEBUG" \
    -DCMAKE_CXX_FLAGS_RELEASE="-O0 -DNDEBUG" \
    -DLLVM_ENABLE_ASSERTIONS=OFF \
    -DLLVM_TARGETS_TO_BUILD= \
    -DLLVM_ENABLE_PROJECTS= \
    -DLLVM_INCLUDE_BENCHMARKS=OFF \
    -DLLVM_INCLUDE_EXAMPLES=OFF \
    -DLLVM_INCLUDE_TESTS=OFF \
    -DLLVM_ENABLE_LIBXML2=OFF \
    -DLLVM_ENABLE_ZSTD=OFF \
    "$@"
