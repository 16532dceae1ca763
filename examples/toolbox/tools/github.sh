# A job as GitHub prints it: stamps, groups, and the exit code marked.
set -eu
stamp() {
  awk '{ printf "2026-01-02T03:04:%02d.1234567Z %s\n", NR % 60, $0; fflush() }'
}
{
  echo "##[group]Run ./probe.sh"
  echo "probe: error: no device was found, going on without one"
  echo "##[endgroup]"
  echo "##[group]Run make"
  echo "##[endgroup]"
  code=0
  make -C c OUT="$1" 2>&1 || code=$?
  [ "$code" = 0 ] || echo "##[error]Process completed with exit code $code."
  echo "$code" >"$1/code"
} | stamp
exit "$(cat "$1/code")"
