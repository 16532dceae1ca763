"""The report of a long run: what every test saw, a line of JSON each, in the file that DELIVERY_REPORT names."""

import json
import os
from pathlib import Path

FILE = os.environ.get("DELIVERY_REPORT")


def report(**seen: object) -> None:
    """Print what was seen, and add it to the report."""
    print(seen)
    if FILE:
        with Path(FILE).open("a") as file:
            file.write(json.dumps(seen) + "\n")
