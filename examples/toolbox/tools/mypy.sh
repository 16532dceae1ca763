set -eu
python -m mypy --cache-dir "$1" py/ops.py
