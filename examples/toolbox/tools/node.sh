set -eu
cd js && node ${NODE_COMMAND:---test --test-reporter=tap ops.test.mjs}
