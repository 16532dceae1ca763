# An image's step as docker buildx prints it, and its last words once more.
set -eu
code=0
make -C c OUT="$1" >"$1/log" 2>&1 || code=$?
echo "#11 [build 4/7] RUN make"
awk '{ printf "#11 %.3f %s\n", NR / 10, $0 }' "$1/log"
if [ "$code" = 0 ]; then
  echo "#11 DONE 1.2s"
  exit 0
fi
echo "#11 ERROR: process \"/bin/sh -c make\" did not complete successfully: exit code: $code"
echo "------"
echo " > [build 4/7] RUN make:"
awk '{ printf "%.3f %s\n", NR / 10, $0 }' "$1/log" | tail -8
echo "------"
echo "ERROR: failed to solve: process \"/bin/sh -c make\" did not complete successfully: exit code: $code"
exit 1
