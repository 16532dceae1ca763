set -eu
python -B -m pytest -p no:cacheprovider --rootdir . -c /dev/null ${PYTEST_FLAGS:-py}
