"""The way to the scenarios' own modules."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
