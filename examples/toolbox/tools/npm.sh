set -eu
cp js/* "$1" && cd "$1" && npm ${NPM_COMMAND:-test} --no-audit --no-fund --offline
