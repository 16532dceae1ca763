set -eu
cp c/*.[ch] scons/SConstruct "$1" && cd "$1" && scons ${SCONS_FLAGS-}
