set -eu
python -m pip wheel --no-deps --no-index --no-build-isolation --disable-pip-version-check --wheel-dir "$1" ./py
