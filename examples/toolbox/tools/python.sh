set -eu
cd py && python -B -m unittest -v
