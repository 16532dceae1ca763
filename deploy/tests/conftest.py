"""The way to the proof of delivery, which runs on docker-compose's system as well."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
