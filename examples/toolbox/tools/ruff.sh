set -eu
python -m ruff check --no-cache --isolated ${RUFF_FLAGS-} py && python -m ruff format --no-cache --isolated --check py
