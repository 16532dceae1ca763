set -eu
CARGO_TARGET_DIR="$1" cargo ${CARGO_COMMAND:-test --offline --color never}
