"""`python -m simulation SEED ...`: run seeds, or minutes of them; print the timeline of the first red one."""

import os
import sys

if os.environ.get("PYTHONHASHSEED") != "0":
    # The order of sets of text is part of a run.
    os.execve(sys.executable, [sys.executable, "-m", "simulation", *sys.argv[1:]], os.environ | {"PYTHONHASHSEED": "0"})

from simulation import clock

clock.install()

from simulation.cli import main  # noqa: E402  the product must not meet the real clock

sys.exit(main(sys.argv[1:]))
