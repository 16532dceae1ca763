#!/bin/sh
# ./deploy.sh [--var-file FILE] [--dry-run]: this checkout's commit onto AWS, and back by itself where it is not healthy.
# docs/aws.md has its steps; deploy/aws is what decides and does.
set -eu
cd "$(dirname "$0")"
exec uv run --frozen --all-packages python -m deploy.aws.cli "$@"
