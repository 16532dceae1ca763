#!/bin/sh
# Build and test one small program with one tool: build.sh BUILD_DIR. TOOL names it (tools/*.sh); all of them without.
set -eu

build=${1:?usage: build.sh BUILD_DIR}
mkdir -p "$build"
build=$(cd "$build" && pwd)
cd "$(dirname "$0")"
for tool in ${TOOL:-make gcc python pytest node shell cmake meson git pip}; do
  rm -rf "${build:?}/$tool"
  mkdir -p "$build/$tool"
  sh "tools/$tool.sh" "$build/$tool"
done
